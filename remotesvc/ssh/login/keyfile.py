"""Private key files: reading one, or knowing which key it is without reading its secret part."""

from __future__ import annotations

import atexit
import base64
import binascii
import inspect
import io
import os
import stat
import threading
from contextlib import nullcontext
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko.message import Message

from ..hostkeys import certificate

_MAGIC = b"openssh-key-v1\0"
# `cryptography` takes 0.1 s to prove that both factors of an RSA key are primes. That is for keys of strangers; this is
# the user's own, and `_check_rsa` sees damage at once. Older versions cannot do without for OpenSSH's format.
_CHOICE = "unsafe_skip_rsa_key_validation"
_QUICK: dict[str, Any] = (
    {_CHOICE: True} if _CHOICE in inspect.signature(serialization.load_ssh_private_key).parameters else {}
)
# No key file is as large; the limit is for whoever names a device or a log.
_LONGEST = 1024 * 1024
# Held while a key is decrypted.
_DECRYPTING = threading.Lock()
# Seconds that the end of a program waits for that: many times what ssh-keygen makes it cost.
_PATIENCE = 2.0


class Unusable(Exception):
    """A key file that cannot be used; the text says why in a few words."""


class Encrypted(Unusable):
    """A key file that needs a passphrase, and none was given."""


class WrongPassphrase(Unusable):
    """A key file that the passphrase does not open."""


def load(path: str, passphrase: str | None = None) -> paramiko.PKey:
    """Read a private key. Raises Unusable, Encrypted or WrongPassphrase.

    Whatever `cryptography` reads will do: OpenSSH's format, PEM of each kind, PKCS#8, encrypted or not.
    """
    data = _read(path)
    locked = _is_encrypted(data)
    if locked and passphrase is None:
        raise Encrypted("encrypted, and no passphrase is at hand: add it to ssh-agent with ssh-add")
    secret = passphrase.encode("utf-8", "surrogateescape") if locked and passphrase is not None else None
    try:
        with _DECRYPTING if locked else nullcontext():
            if b"BEGIN OPENSSH PRIVATE KEY" in data:
                return _as_paramiko(serialization.load_ssh_private_key(data, secret, **_QUICK))
            return _as_paramiko(serialization.load_pem_private_key(data, secret, **_QUICK))
    except Unusable:
        raise
    except UnsupportedAlgorithm as error:
        key = _by_paramiko(data, passphrase)
        if key is not None:
            return key
        raise Unusable(f"not in a form this program can read ({error}): load it with ssh-add") from error
    except Exception as error:  # two libraries, each with errors of its own for what is no key
        if locked:
            raise WrongPassphrase("the passphrase does not open it") from error
        raise Unusable("not a private key, or a damaged one") from error


@atexit.register
def _wait_for_decryption() -> None:
    """A thread that comes back from it while Python takes everything apart would abort the process: it is native code
    in Rust, through which no thread can be ended. Nobody begins it any more."""
    _DECRYPTING.acquire(timeout=_PATIENCE)


def _begin_in_fork() -> None:
    """The thread that decrypts is not in a fork of this process: nobody there would give the lock back."""
    global _DECRYPTING
    _DECRYPTING = threading.Lock()


os.register_at_fork(after_in_child=_begin_in_fork)


def load_certificate(path: str) -> bytes:
    """Read a user's certificate ("-cert.pub") and return it in wire form. Raises Unusable."""
    try:
        with open(path, "rb") as file:
            words = file.read(_LONGEST).split(None, 2)
        blob = base64.b64decode(words[1], validate=True)
        if certificate.parse(blob).kind != certificate.USER:
            raise Unusable("the certificate is a host's, not a user's")
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    except (IndexError, ValueError) as error:  # Malformed is one
        raise Unusable(f"not a certificate: {error}") from error
    return blob


def _read(path: str) -> bytes:
    try:
        status = os.stat(path)
        with open(path, "rb") as file:
            data = file.read(_LONGEST)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    if data.startswith(b"PuTTY-User-Key-File"):
        raise Unusable("a PuTTY key: convert it with puttygen FILE -O private-openssh -o NEW")
    # Before its mode: a public key may well be read by others.
    if data.split(b" ", 1)[0] in (b"ssh-rsa", b"ssh-ed25519") or data.startswith((b"ecdsa-", b"sk-")):
        raise Unusable("a public key, and no agent has the private one: name that, or load it with ssh-add")
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == os.getuid() and mode & 0o077:
        raise Unusable(f"ignored, others can read it: mode {mode:04o}, chmod 600 it")
    kind = Message(_from_private(data) or b"").get_binary()
    if kind.startswith(b"sk-"):
        raise Unusable("on a security key: load it with ssh-add, or use --transport openssh")
    if kind == b"ssh-dss" or b"BEGIN DSA PRIVATE KEY" in data:
        raise Unusable("a DSA key, which is broken and which servers refuse")
    return data


def is_encrypted(path: str) -> bool:
    """Tell whether a private key file needs a passphrase; False for what cannot be read."""
    try:
        with open(path, "rb") as file:
            return _is_encrypted(file.read(_LONGEST))
    except OSError:
        return False


def _is_encrypted(data: bytes) -> bool:
    if b"BEGIN ENCRYPTED PRIVATE KEY" in data or b"Proc-Type: 4,ENCRYPTED" in data:
        return True
    message = _openssh_body(data)
    return message is not None and message.get_binary() != b"none"


def _by_paramiko(data: bytes, passphrase: str | None) -> paramiko.PKey | None:
    """paramiko's own reader knows some old ciphers that `cryptography` does not."""
    kind = Message(_from_private(data) or b"").get_binary().decode("ascii", "replace")
    for reader in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        if kind in reader.identifiers():
            try:
                return reader.from_private_key(io.StringIO(data.decode("ascii")), passphrase)
            except Exception:  # it has no error of its own for a cipher it does not know
                return None
    return None


def _as_paramiko(key: object) -> paramiko.PKey:
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key.private_numbers())
        return paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if f"secp{key.curve.key_size}r1" != key.curve.name or key.curve.key_size not in (256, 384, 521):
            raise Unusable(f"on the curve {key.curve.name}, which SSH does not have")
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):  # paramiko reads these from text only
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return paramiko.Ed25519Key(file_obj=io.StringIO(text.decode("ascii")))
    raise Unusable("not a kind of key SSH has")


def _check_rsa(key: rsa.RSAPrivateNumbers) -> None:
    """That the numbers belong together: signatures by damaged ones can give the key away."""
    e, n = key.public_numbers.e, key.public_numbers.n
    fits = key.p * key.q == n and e * key.dmp1 % (key.p - 1) == e * key.dmq1 % (key.q - 1) == 1
    if not fits or key.iqmp * key.q % key.p != 1:
        raise Unusable("a damaged RSA key: its numbers do not belong together")


def public_half(path: str) -> bytes | None:
    """The public key of a key file in wire form: from FILE.pub, from FILE if that is one, or from the
    readable part of an OpenSSH private key, encrypted or not; None if it cannot be told.
    """
    for name in (path + ".pub", path):
        try:
            with open(name, "rb") as file:
                data = file.read(_LONGEST)
        except OSError:
            continue
        if b"PRIVATE KEY-----" in data:
            return _from_private(data)
        words = data.split(None, 2)
        if len(words) > 1:
            try:
                blob = base64.b64decode(words[1], validate=True)
                certificate.key_of(blob)  # what is none, in FILE.pub, is as good as not there
                return blob
            except (binascii.Error, certificate.Malformed):
                continue
    return None


def _from_private(data: bytes) -> bytes | None:
    message = _openssh_body(data)
    if message is None:
        return None
    for _ in ("cipher", "key derivation", "its options"):
        message.get_binary()
    return message.get_binary() if message.get_int() >= 1 else None


def _openssh_body(data: bytes) -> Message | None:
    """What follows the magic word in a key of OpenSSH's own format."""
    if b"BEGIN OPENSSH PRIVATE KEY" not in data:
        return None
    body = b"".join(line for line in data.splitlines() if b":" not in line and not line.startswith(b"-"))
    try:
        blob = base64.b64decode(body)
    except binascii.Error:
        return None
    return Message(blob[len(_MAGIC) :]) if blob.startswith(_MAGIC) else None
