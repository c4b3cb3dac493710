"""Which keys to show a server, and in which order.

As OpenSSH does: certificates named by CertificateFile, keys (and certificates beside them) that an identity
file names and the agent holds, the agent's other keys unless IdentitiesOnly, the remaining identity files. A
server ends a connection after MaxAuthTries failures (6 by default), so of more keys than it would look at, those
of the agent that nobody named are the ones left out.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import paramiko
from paramiko.message import Message

from ..configuration.resolved import ResolvedHost
from ..hostkeys import certificate, known_hosts
from ..hostkeys.algorithms import RSA, SUFFIX, USER_KEYS
from . import keyfile
from .agent import AgentKey

MAX_TRIES = 6
"""Attempts at one connection: sshd's default."""

SECURITY_KEY = "sk-"

Load = Callable[[str], paramiko.PKey]


@dataclass(frozen=True)
class Candidate:
    """A key to show. `blob` is its public half, or a certificate for it, in wire form; None if that cannot be
    told before the key file is decrypted.
    """

    label: str
    blob: bytes | None
    load: Callable[[], paramiko.PKey]
    """Fetches what signs. May ask for a passphrase; raises keyfile.Unusable."""
    costly: bool = False
    """To sign, a person must do something: ask the server first whether it is worth it."""

    def with_key(self, key: paramiko.PKey) -> Candidate:
        """This candidate with its key, now that the file is read."""
        return replace(self, blob=key.asbytes(), load=lambda: key, costly=False)

    @property
    def key_type(self) -> str:
        """ "ssh-ed25519", or a certificate's "ssh-ed25519-cert-v01@openssh.com"."""
        return _type(self.blob or b"")

    def algorithms(self, allowed: Sequence[str]) -> list[str]:
        """Those of `allowed` by which it can sign, best first: its own name, but for RSA."""
        plain, suffix = self.key_type.removesuffix(SUFFIX), SUFFIX if self.key_type.endswith(SUFFIX) else ""
        return [name + suffix for name in (RSA if plain == "ssh-rsa" else (plain,)) if name + suffix in allowed]

    @property
    def rsa_size(self) -> int:
        """Bits of an RSA key; 0 for other types."""
        message = Message(_plain(self.blob or b""))
        if message.get_binary() != b"ssh-rsa":
            return 0
        message.get_mpint()
        return int(message.get_mpint()).bit_length()

    @property
    def shown(self) -> str:
        """How an error names it."""
        if self.blob is None:
            return self.label
        return f"{self.label} ({self.key_type} {fingerprint(self.blob)}{_lateness(self.blob)})"


def objection(candidate: Candidate, host: ResolvedHost) -> str:
    """Why `host` is not shown a key, as far as that can be told without a file's secret part; "" if it is."""
    if candidate.blob is None:
        return ""
    if not candidate.algorithms(USER_KEYS):
        return f"of the type {candidate.key_type[:64]}, which only --transport openssh may have"
    if not candidate.algorithms(host.public_key_algorithms):
        return "left out by PubkeyAcceptedAlgorithms in ssh_config"
    if (size := candidate.rsa_size) and size < host.required_rsa_size:
        return f"has {size} bits, RequiredRSASize is {host.required_rsa_size}"
    return ""


def arrange(
    host: ResolvedHost, held: list[AgentKey], load: Load, left_out: list[str]
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """The candidates for `host`, given the keys `held` by the agent: those named that it holds, its others, and those
    in files alone.

    `load` reads the private key in a file. What is not tried is added to `left_out` in a few words.
    """
    by_blob = {key.blob: key for key in held}
    files = [_FileKey(path, by_blob, load) for path in host.identity_files]
    certificates = [
        found
        for path in host.certificate_files
        if (found := _certified(path, files, by_blob, left_out)) is not None
    ]
    pairs: list[Candidate] = []
    for file in files:
        if file.exists or file.blob in by_blob:
            pairs.append(file.candidate())
        beside = file.path + "-cert.pub"
        if not host.certificate_files and os.path.exists(beside):
            found = _certified(beside, [file], by_blob, left_out)
            if found is not None:
                pairs.append(found)
    named = [c for key in held for c in pairs if c.blob == key.blob]
    rest = [c for c in pairs if c.blob not in by_blob]
    blobs = {c.blob for c in (*named, *certificates)}
    others = [_of_agent(key) for key in held if key.blob not in blobs]
    if host.identities_only and others:
        left_out.append(f"{len(others)} agent keys left out, IdentitiesOnly")
        others = []
    objections = [objection(candidate, host) for candidate in others]
    left_out.extend(f"{count} agent keys: {why}" for why, count in Counter(filter(None, objections)).items())
    others = [candidate for candidate, why in zip(others, objections, strict=True) if not why]
    return certificates + named, others, rest


class _FileKey:
    """An identity file and what is known of it without reading its secret part."""

    def __init__(self, path: str, held: dict[bytes, AgentKey], load: Load) -> None:
        self.path = path
        self.exists = os.path.lexists(path)
        self.blob = keyfile.public_half(path)
        self._held = held.get(self.blob) if self.blob else None
        self._load = load

    def candidate(self) -> Candidate:
        if self._held is not None:
            return _of_agent(self._held)
        return Candidate(f"key {self.path}", self.blob, self.load, keyfile.is_encrypted(self.path))

    def load(self) -> paramiko.PKey:
        """What signs with this key: the agent or the file."""
        return self._held or self._load(self.path)


def _certified(
    path: str, files: list[_FileKey], held: dict[bytes, AgentKey], left_out: list[str]
) -> Candidate | None:
    """A certificate with the key that belongs to it, from the identity files or the agent."""
    label = f"certificate {path}"
    try:
        blob = keyfile.load_certificate(path)
    except keyfile.Unusable as error:
        left_out.append(f"{label}: {error}")
        return None
    plain = certificate.parse(blob).key
    costly = _type(plain).startswith(SECURITY_KEY)
    if plain in held:
        return Candidate(label, blob, lambda: held[plain], costly)
    for file in files:
        if file.blob == plain:
            return Candidate(label, blob, file.load, keyfile.is_encrypted(file.path))
    left_out.append(f"{label}: the private key for it is neither in the agent nor in an identity file")
    return None


def _of_agent(key: AgentKey) -> Candidate:
    label = f"agent key {ascii(key.comment)}" if key.comment else "agent key"
    return Candidate(label, key.blob, lambda: key, _type(key.blob).startswith(SECURITY_KEY))


def _type(blob: bytes) -> str:
    return Message(blob).get_binary().decode("ascii", "replace")


def fingerprint(blob: bytes) -> str:
    """The SHA256 fingerprint of a public key; of a certificate, that of the key in it, as ssh-keygen shows it."""
    return known_hosts.fingerprint(_plain(blob))


def _plain(blob: bytes) -> bytes:
    """The key in a certificate; any other key as it is."""
    if not certificate.is_certificate(blob):
        return blob
    try:
        return certificate.parse(blob).key
    except certificate.Malformed:
        return blob  # an agent may hold what we cannot read


def _lateness(blob: bytes) -> str:
    if not certificate.is_certificate(blob):
        return ""
    try:
        why = certificate.parse(blob).in_time(time.time())
    except certificate.Malformed:
        return ""
    return f", {why}" if why else ""
