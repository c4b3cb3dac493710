"""What to do with the key a server shows: accept it, note it, ask, or refuse with the way out.

Runs before anything is said about the user. A changed, revoked or unexpected key is refused in every mode, and
so is a certificate that a known authority gave for something else; the mode, `host_keys`, decides only about hosts
of which nothing is known.
"""

from __future__ import annotations

import base64
import fcntl
import math
import os
import shlex
import time

from remotesvc.bootstrap.unreachable import ConnectTimeout, HostKeyError
from remotesvc.escape import one_line

from ..configuration.resolved import ResolvedHost
from ..interview import Interview
from . import certificate, host_names, known_hosts
from .certificate import Certificate
from .known_hosts import Entry, KnownHosts, Verdict
from .known_hosts_command import Command
from .revoked import RevokedKeys

ASKED = "Connect, and remember the key?"
"""How a question about a new key ends."""


class HostKeys:
    """The known_hosts files as one connection sees them, and what a KnownHostsCommand says until `deadline`.

    `notices` collects what the user should hear of; `new` says that a key was accepted that was not on file. Raises
    HostKeyError if the command fails.
    """

    def __init__(self, host: ResolvedHost, deadline: float) -> None:
        self.host = host
        self.names = host_names.names_of(host.hostname, host.port, host.host_key_alias)
        words = host.known_hosts_command
        self._command = Command(words, host.name, deadline) if words else None
        self._deadline = deadline
        self._files = host.user_known_hosts + host.global_known_hosts
        # As ssh does, the name without a port here.
        said = [self._command.ask("ORDER", host.hostname)] if self._command else []
        self.known = KnownHosts(self._files, said)
        self.new = False
        self.notices = [f"known_hosts line ignored: {problem}" for problem in self.known.problems]

    def order(self, supported: tuple[str, ...]) -> tuple[str, ...]:
        """The signature algorithms to offer the server: for certificates, for known keys, the others."""
        return tuple(self.known.algorithms(self.names, supported))

    def verify(self, key_type: str, key: bytes, shown_certificate: bytes | None, interview: Interview) -> None:
        """Return if the key may be trusted, and note it where the mode says so; else raise HostKeyError.

        `key` is in wire form, and so is the certificate if the server showed one with the key in it.
        """
        objection = ""
        if self._command is not None:
            self.known = KnownHosts(self._files, [self._command.ask("HOSTNAME", self.names[0], key_type, key)])
        verdict = self.known.check(self.names, key_type, key)
        if self.host.revoked_host_keys is not None:
            self._check_revoked(self.host.revoked_host_keys, key, shown_certificate)
        if shown_certificate is not None and verdict.kind != "revoked":
            vouched, objection = self._judge(shown_certificate, key)
            if vouched:
                return
        if verdict.kind == "known":
            return
        if objection:
            raise self._bad_certificate(objection, key_type, key)
        if verdict.kind != "unknown":
            raise self._refusal(verdict, key_type, key)
        mode = self.host.strict
        if mode == "ask":
            name, at = one_line(interview.called) or self.host.name, self.names[0]
            question = (
                f"The authenticity of host {name if name == at else f'{name} ({at})'} cannot be established.\n"
                f"Its {key_type} key has the fingerprint {known_hosts.fingerprint(key)}.\n"
                + ASKED
            )
            if not interview.confirm(question, (at, key)):
                raise self._refusal(verdict, key_type, key)
        elif mode == "yes":
            raise self._refusal(verdict, key_type, key)
        self._remember(key_type, key, self._deadline + interview.seconds)

    def _judge(self, blob: bytes, key: bytes) -> tuple[bool, str]:
        """Whether the certificate proves the host; if not, what is wrong with it, "" if its authority is not known."""
        try:
            shown = certificate.parse(blob)
        except certificate.Malformed as error:
            return False, str(error)
        revoked = self.known.check(self.names, shown.authority_type, shown.authority)
        if revoked.kind == "revoked":
            raise self._refusal(revoked, shown.key_type, key)
        entry = self._authority(shown)
        if entry is None:
            return False, ""
        name = self.host.host_key_alias or self.names[-1]
        why = certificate.objection(shown, name, allowed=self.host.ca_signature_algorithms)
        if not why and shown.key != key:  # paramiko verified the exchange with `key`
            why = "the certificate is for another key"
        return not why, f"{why} (its authority is {entry.place})" if why else ""

    def _authority(self, shown: Certificate) -> Entry | None:
        for entry in self.known.authorities(self.names):
            if entry.key == shown.authority:
                return entry
        return None

    def _check_revoked(self, path: str, key: bytes, shown: bytes | None) -> None:
        place = RevokedKeys(path).find(key, shown)
        if place:
            raise HostKeyError(
                f"the host key is revoked: {place}", host=self.host.name, stage="hostkey", hint="Do not connect."
            )

    def _remember(self, key_type: str, key: bytes, deadline: float) -> None:
        self.new = True
        shown = f"{key_type} {known_hosts.fingerprint(key)}"
        if not self.host.user_known_hosts:
            self.notices.append(f"host key accepted, but there is no file to note it in: {shown}")
            return
        path = self.host.user_known_hosts[0]
        try:
            verdict = append(path, self.names, key_type, key, deadline, self.host.hash_known_hosts)
            if verdict.kind not in ("known", "unknown"):
                raise self._refusal(verdict, key_type, key)  # somebody has noted another one meanwhile
        except TimeoutError:
            raise ConnectTimeout(
                f"another program kept {path} locked, where the host key is to be noted", self.host.name, "hostkey"
            ) from None
        except OSError as error:
            why = error.strerror or error
            self.notices.append(f"host key accepted, but not noted in {path} ({why}): {shown}")
        else:
            if verdict.kind == "known":  # another connection has noted it meanwhile
                return
            self.notices.append(f"host key of {self.names[0]} added to {path}: {shown}")

    def _bad_certificate(self, objection: str, key_type: str, key: bytes) -> HostKeyError:
        return HostKeyError(
            f"the host's certificate is not accepted: {objection};"
            f" the key in it, {key_type} {known_hosts.fingerprint(key)}, is not on file either",
            host=self.host.name,
            stage="hostkey",
            hint="Its administrators can issue a new one: ssh-keygen -s CA -h -I ID -n NAMES -V +52w KEY.pub",
        )

    def _refusal(self, verdict: Verdict, key_type: str, key: bytes) -> HostKeyError:
        name, shown = self.names[0], f"{key_type} {known_hosts.fingerprint(key)}"
        # /dev/null, which some name on purpose, keeps nothing.
        files = [file for file in self.host.user_known_hosts if os.path.isfile(file) or not os.path.exists(file)]
        # The file's last line may have no end: a line break comes first, and an empty line does no harm.
        new = shlex.quote(line(name, key_type, key))
        add = rf"printf '\n%s\n' {new} >> {shlex.quote(files[0])}" if files else ""
        if verdict.kind == "unknown":
            looked = ", ".join(dict.fromkeys(self.host.user_known_hosts + self.host.global_known_hosts)) or "no file"
            message = f"the host key is not known: no line for {name} in {looked}; the server shows {shown}"
            hint = "If that fingerprint is the host's"
        else:
            places = "; ".join(
                f"{e.place} has {e.key_type} {known_hosts.fingerprint(e.key)}" for e in verdict.entries[:4]
            )
            if verdict.kind == "revoked":
                message = f"the host key is revoked: {places}"
                return HostKeyError(message, host=self.host.name, stage="hostkey", hint="Do not connect.")
            if verdict.kind == "changed":
                message = f"THE HOST KEY HAS CHANGED: the server shows {shown}, but {places}"
            else:
                message = f"the server shows a key of a type not on file: {shown}; {places}"
            hint = "Somebody may be listening in. If the key was replaced on purpose"
            if verdict.kind == "changed":
                entry = verdict.entries[0]
                if entry.file not in self._files:
                    return HostKeyError(message, host=self.host.name, stage="hostkey",
                                        hint=f"{hint}, {entry.file} must name the new one.")
                if any(sign in entry.names for sign in "*?!"):  # ssh-keygen takes whole names only
                    hint += f", remove {entry.place}"
                else:
                    remove = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(entry.file)}"
                    add = f"{remove} && {add}" if add else remove
        if add:
            hint += f", run: {add}"
        elif verdict.kind != "changed":
            hint += ", name a file that can keep it, -o UserKnownHostsFile=FILE, and try again"
        return HostKeyError(message, host=self.host.name, stage="hostkey", hint=hint)


def line(name: str, key_type: str, key: bytes) -> str:
    """The known_hosts line for a key."""
    return f"{name} {key_type} {base64.b64encode(key).decode()}"


def append(
    path: str, names: tuple[str, ...], key_type: str, key: bytes, deadline: float = math.inf, hash_name: bool = False
) -> Verdict:
    """Add a host's key to a known_hosts file, whole or not at all, together with others who do the same.

    Returns what the file says of it by now: only where that is "unknown" was it added. Raises OSError, which is a
    TimeoutError if the file stays locked until `deadline` (monotonic).
    """
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd, deadline)
        with open(path, "rb") as file:
            content = file.read()
        verdict = KnownHosts([path]).check(names, key_type, key)
        if verdict.kind != "unknown":
            return verdict
        name = host_names.hashed(names[0], os.urandom(20)) if hash_name else names[0]
        text = line(name, key_type, key) + "\n"
        if content and not content.endswith(b"\n"):
            text = "\n" + text
        data = text.encode("utf-8")
        if os.write(fd, data) != len(data):  # the disk is full: no half a line stays
            os.ftruncate(fd, len(content))
            raise OSError(28, os.strerror(28))
        return verdict
    finally:
        os.close(fd)


def _lock(fd: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(0.01)
