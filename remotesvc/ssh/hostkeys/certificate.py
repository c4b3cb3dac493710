"""OpenSSH certificates, of hosts and of users: reading them, and whether one proves a host (pure).

Format and rules: OpenSSH's PROTOCOL.certkeys. A certificate says that its authority knows the key in it under
certain names for a certain time. It is worth nothing unless the authority is one that we trust, which is the
caller's business.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from .algorithms import RSA, SIGNATURES
from .algorithms import SUFFIX as SUFFIX

USER, HOST = 1, 2
FOR_EVER = 2**64 - 1

# How many strings the key proper has, behind the nonce.
_KEY_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
# By which algorithms an authority's key may sign.
_SIGNATURES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": RSA,
}
# OpenSSH's limit, too.
_MOST_PRINCIPALS = 256


class Malformed(ValueError):
    """These bytes are no certificate."""


@dataclass(frozen=True)
class Certificate:
    """What a certificate says. Times are seconds since 1970, `valid_before` is exclusive."""

    key_type: str
    """The type of the key in it, "ssh-ed25519"."""
    key: bytes
    """The key in it in SSH's wire form."""
    kind: int
    """USER or HOST."""
    key_id: str
    principals: tuple[str, ...]
    """For whom it is; empty means for all."""
    valid_after: int
    valid_before: int
    critical: bytes
    authority_type: str
    authority: bytes
    """The authority's public key in wire form."""
    signature: bytes
    signed: bytes
    """What the signature is over."""

    def in_time(self, now: float) -> str:
        """Why it is not valid at `now`, in a few words; "" if it is."""
        if now < self.valid_after:
            return f"the certificate is not valid before {_day(self.valid_after)}"
        if self.valid_before != FOR_EVER and now >= self.valid_before:
            return f"the certificate expired on {_day(self.valid_before)}"
        return ""


def is_certificate(blob: bytes) -> bool:
    """Tell whether a public key in wire form is a certificate."""
    try:
        return _Reader(blob).text().endswith(SUFFIX)
    except Malformed:
        return False


def key_of(blob: bytes) -> bytes:
    """The key in a certificate, or the key itself, in wire form, of a type that OpenSSH knows. Raises Malformed."""
    if is_certificate(blob):
        return _checked(parse(blob).key)
    return _checked(blob)


def _checked(key: bytes) -> bytes:
    """The key, if it has the parts of its type, and no more."""
    reader = _Reader(key)
    name = reader.text()
    parts = [reader.string() for _ in range({**_KEY_FIELDS, "ssh-dss": 4}.get(name, 0))]
    if not parts or reader.left:
        raise Malformed("not a public key")
    curve = name.removesuffix("@openssh.com").rpartition("-")[2].encode()
    if "ed25519" in name and len(parts[0]) != 32 or "ecdsa" in name and parts[0] != curve:
        raise Malformed(f"not a key of type {name}")
    return key


def parse(blob: bytes) -> Certificate:
    """Read a certificate in wire form, from whomever it comes. Raises Malformed."""
    reader = _Reader(blob)
    name = reader.text()
    plain = name.removesuffix(SUFFIX)
    # sk-ssh-ed25519-cert-v01@openssh.com certifies sk-ssh-ed25519@openssh.com.
    key_type = plain + "@openssh.com" if plain.startswith("sk-") else plain
    if plain == name or key_type not in _KEY_FIELDS:
        raise Malformed(f"not a certificate this program knows: {ascii(name[:60])}")
    reader.string()  # the nonce
    key = _string(key_type.encode()) + b"".join(_string(reader.string()) for _ in range(_KEY_FIELDS[key_type]))
    reader.number(8)  # the serial number
    kind = reader.number(4)
    key_id = reader.text()
    names = _Reader(reader.string())
    principals: list[str] = []
    while names.left:
        if len(principals) == _MOST_PRINCIPALS:
            raise Malformed("the certificate has too many principals")
        principals.append(names.text())
    valid_after, valid_before = reader.number(8), reader.number(8)
    critical = reader.string()
    reader.string()  # extensions: those of hosts have none, those of users are the server's business
    reader.string()  # reserved
    authority = reader.string()
    signed = blob[: reader.position]
    signature = reader.string()
    if reader.left:
        raise Malformed("bytes behind the end of the certificate")
    return Certificate(
        key_type,
        key,
        kind,
        key_id,
        tuple(principals),
        valid_after,
        valid_before,
        critical,
        _Reader(authority).text(),
        authority,
        signature,
        signed,
    )


def objection(
    certificate: Certificate, host: str, now: float | None = None, allowed: tuple[str, ...] = SIGNATURES
) -> str:
    """Why the certificate does not prove that its key is `host`'s, in a few words; "" if it does.

    `allowed` are the algorithms by which an authority may sign (ssh_config's CASignatureAlgorithms, never SHA-1).
    The signature of its authority is verified here; whether to trust the authority is not judged.
    """
    if certificate.kind != HOST:
        return "the certificate is not a host's"
    late = certificate.in_time(time.time() if now is None else now)
    if late:
        return late
    # As ssh, with regard to case: names of hosts are in lower case by now.
    if certificate.principals and host not in certificate.principals:
        shown = ascii(", ".join(certificate.principals[:5]))[1:-1][:200]
        return f"the certificate is for {shown}, not for {host}"
    if certificate.critical:
        return "the certificate has a critical option this program does not know"
    if certificate.authority_type.startswith("sk-"):
        return "the authority's key is on a security key, which only --transport openssh can verify"
    if certificate.authority_type not in _SIGNATURES:
        return "the authority's key is of a type that is not accepted"
    try:
        algorithm = _signed_by(certificate.signature)
    except Malformed:
        return "the signature on the certificate makes no sense"
    if algorithm not in allowed or algorithm not in _SIGNATURES[certificate.authority_type]:
        return f"the certificate is signed by {ascii(algorithm[:40])}, which is not accepted"
    return "" if _verified(certificate) else "the authority's signature on the certificate is wrong"


def _signed_by(signature: bytes) -> str:
    """The algorithm of a signature that is well formed to the last byte; paramiko does not mind lengths that lie."""
    reader = _Reader(signature)
    algorithm = reader.text()
    body = _Reader(reader.string())
    if algorithm.startswith("ecdsa-"):
        for _ in "rs":
            body.string()
        if body.left:
            raise Malformed("bytes behind the end of a signature")
    if reader.left:
        raise Malformed("bytes behind the end of a signature")
    return algorithm


def _verified(certificate: Certificate) -> bool:
    from paramiko import PKey
    from paramiko.message import Message

    try:
        key = PKey.from_type_string(certificate.authority_type, certificate.authority)
        return bool(key.verify_ssh_sig(certificate.signed, Message(certificate.signature)))
    except Exception:  # three libraries, each with errors of its own for bytes that are no key or signature
        return False


def _day(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


class _Reader:
    """Reads SSH's data types; Malformed where paramiko's own would make up zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self.position

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise Malformed("the certificate is cut off")
        self.position += size
        return self._data[self.position - size : self.position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        return self.take(self.number(4))

    def text(self) -> str:
        return self.string().decode("utf-8", "replace")
