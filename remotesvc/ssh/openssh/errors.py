"""Pure: why an `ssh` failed, as the errors that the other transport has, from its log and what was on its stderr."""

from __future__ import annotations

import re

from remotesvc.bootstrap.errors import Lost
from remotesvc.bootstrap.unreachable import (
    AuthenticationError,
    ConnectError,
    ConnectTimeout,
    HostKeyError,
    UnknownHost,
)

from ..busy import BANNED, BUSY
from ..configuration.hops import NO_FORWARDING
from ..hostkeys.certificate import SUFFIX
from ..hostkeys.known_hosts import KnownHosts, fingerprint
from ..login.tried import NOTHING, empty_agent
from .log import Progress
from .plan import OpenSSHHost

_NO_NAME = re.compile(r"ssh: Could not resolve hostname (\S+): (.*)")
_NO_TCP = re.compile(r"ssh: connect to host (\S+) port (\d+): (.*)")
_LATE = re.compile(r"timed out|Timeout before authentication|Operation timed out")
_NO_COMMON = re.compile(r"Unable to negotiate with .*: (no matching .*)")
_NO_SSH = re.compile(r"banner line contains invalid characters|Bad remote protocol version|"
                     r"Protocol major versions differ|No banner received|invalid format|Invalid SSH identification")
_DENIED = re.compile(r"(?:\S+: )?Permission denied \(([^)]*)\)\.?|.*Too many authentication failures.*|"
                     r"No more authentication methods available.*|no authentication methods enabled.*")
_HANGUP = re.compile(r".*(?:Connection (?:to \S+ )?(?:closed|reset)|closed by remote host|Broken pipe|"
                     r"Connection to .* timed out|Timeout, server|message authentication code|[Dd]isconnect).*")
_KEY_NAME = re.compile(r"(.*) \S+ SHA256:\S+")
_OFFENDING = re.compile(r"Offending (?:\S+ )?key in (.*)")
_NO_CHANNEL = re.compile(r"channel \d+: open failed: (.*)|mux_client_request_session: session request failed: (.*)")


def late(progress: Progress, host: OpenSSHHost, stderr: str) -> ConnectTimeout:
    """The error for a budget that ran out."""
    if host.control_path and progress.stage in ("tcp", "jump") and not progress.alone:
        return ConnectTimeout(f"the control master at {host.control_path} did not answer within the time allowed",
                              host.name, progress.stage,
                              f"-o ControlPath=none does without it. `ssh -O exit {host.name}` ends it; a process that"
                              " hangs must be killed.", _quoted(progress, stderr))
    doing = {
        "tcp": f"port {host.port} did not answer",
        "jump": f"the way through jump host {host.jump.host if host.jump else ''} did not open",
        "kex": "the server did not finish the key exchange" if progress.version else "the server sent no SSH greeting",
        "hostkey": "the host key was not agreed upon",
        "auth": f"the login as {host.user} did not end",
        "open": "the server did not finish opening a session",
    }
    text = doing.get(progress.stage, "ssh did not start the program")
    hint = ""
    if progress.stage == "auth" and progress.agent_asked and host.agent:
        hint = (f"Does the ssh-agent at {host.agent} answer (ssh-add -l)? ssh asks it first; -o IdentityAgent=none does"
                " without it.")
    return ConnectTimeout(f"{text} within the time allowed", host.name, progress.stage, hint, _quoted(progress, stderr))


def failure(progress: Progress, host: OpenSSHHost, known: KnownHosts, status: int | None, stderr: str,
            secrets: bool) -> ConnectError:
    """Why an ssh ended before it ran anything. `secrets`: whether it was given a password."""
    said = _quoted(progress, stderr)
    error: ConnectError
    if "Host key verification failed." in progress.said or progress.stage == "hostkey":
        error = _bad_key(progress, host, known)
    elif progress.stage in ("tcp", "jump") or (progress.stage == "kex" and not progress.version):
        error = _no_way(progress, host, stderr)
    elif progress.stage == "kex":
        error = _no_agreement(progress, host)
    elif progress.stage == "auth":
        error = _unwelcome(progress, host, secrets)
    else:
        error = _no_session(progress, host)
    error.diagnostics, error.exit_status = said, status
    return error


def broken(progress: Progress, host: OpenSSHHost, status: int | None) -> ConnectError | Lost | None:
    """Why there is no kernel although the program was asked for, if that is ssh's matter."""
    for line in progress.said:
        if re.match(r"exec request failed", line):
            return ConnectError("the server does not let this user run a program", host.name, "exec", "",
                                "\n".join(progress.said), status)
    reason = hangup(progress)
    if status == 255 and reason:
        return Lost(f"the link was lost while the target was starting: {reason}", host=host.name)
    return None


def hangup(progress: Progress) -> str:
    """What ssh said of the end of its connection; empty if it said nothing."""
    ends = [line for line in progress.said if _HANGUP.fullmatch(line)]
    # That one says why, those behind it only that it is so.
    told = [line for line in ends if line.startswith("Received disconnect")]
    return next(reversed(told or ends), "")


def busy(progress: Progress) -> bool:
    """Did a server close the connection before anything was said of the user? Then it may be too busy."""
    if progress.stage != "kex" or progress.version:
        return False
    closed = any("Connection closed by remote host" in line or "Connection reset" in line for line in progress.said)
    return closed and all(line.startswith(BUSY) for line in progress.greeting)


def notices(progress: Progress) -> tuple[str, ...]:
    """What the user should hear of: a host key that was noted, or could not be."""
    return tuple(line for line in progress.said if "list of known hosts" in line or line.startswith("Warning: "))


def _quoted(progress: Progress, stderr: str) -> str:
    return "\n".join(filter(None, (*progress.said, *progress.greeting, stderr.strip())))


def _no_way(progress: Progress, host: OpenSSHHost, stderr: str) -> ConnectError:
    if not host.direct:
        between = _of_the_way(progress, host, stderr)
        if between is not None:
            return between
    for line in progress.said:
        if found := _NO_NAME.match(line):
            return UnknownHost(f"the name {found[1]} does not resolve: {found[2]}", host.name, "tcp",
                               "Is it spelt right? A short name may need a HostName line in ssh_config.")
        if found := _NO_TCP.match(line):
            return _no_tcp(found, host)
        if _LATE.search(line):
            return ConnectTimeout("the server sent no SSH greeting within the time allowed", host.name, "kex",
                                  f"Is it an SSH server that listens on port {host.port}? An overloaded one looks like "
                                  "this too.")
    first = progress.greeting[0] if progress.greeting else ""
    if first.startswith(BUSY):
        return ConnectError(f"the server turned us away: {first}", host.name, "kex",
                            "Too many log in there at once; raise MaxStartups in its sshd_config, or connect to fewer "
                            "at a time.")
    if first.startswith(BANNED):
        return ConnectError("the server takes no connections from this address at this time", host.name, "kex",
                            "sshd does that after failed logins (PerSourcePenalties); it passes.")
    if first or any(_NO_SSH.search(line) for line in progress.said):
        return ConnectError(f"not an SSH server on port {host.port}", host.name, "kex")
    if progress.stage == "kex":
        return ConnectError("the server closed the connection before its SSH greeting", host.name, "kex",
                            "sshd does that when too many log in at once (MaxStartups), or to an address it bans.")
    return ConnectError(f"ssh failed: {_last(progress)}", host.name, progress.stage)


def _no_tcp(found: re.Match[str], host: OpenSSHHost) -> ConnectError:
    place = f"port {found[2]}" if found[1] == host.name else f"{found[1]} port {found[2]}"
    if _LATE.search(found[3]):
        return ConnectTimeout(f"{place} did not answer within the time allowed", host.name, "tcp",
                              "The host may be down, or a firewall drops the packets.")
    hint = "The host is up, but no SSH server listens there. Is the port right?" if "refused" in found[3] else ""
    return ConnectError(f"cannot connect to {place}: {found[3]}", host.name, "tcp", hint)


def _of_the_way(progress: Progress, host: OpenSSHHost, stderr: str) -> ConnectError | None:
    """What went wrong on the way: the ssh at the jump host, or the proxy command, has said it on stderr."""
    if host.jump is None:
        if not stderr.strip() and any(_LATE.search(line) for line in progress.said):
            return None
        # It may have said nothing: ssh ends it once its output is closed.
        return ConnectError(f"the proxy command ended before there was an SSH greeting: {host.proxy_command}",
                            host.name, "tcp", "-o ProxyCommand=none goes there directly.")
    where = f"jump host {host.jump.host}"
    for line in map(str.strip, stderr.splitlines()):
        if found := _NO_CHANNEL.match(line):
            reason = found[1] or found[2]
            return ConnectError(f"{where} cannot reach {host.hostname} port {host.port}: {reason}", host.name, "tcp",
                                NO_FORWARDING if "prohibited" in reason else "")
        if found := _NO_NAME.match(line):
            return UnknownHost(f"{where}: the name {found[1]} does not resolve: {found[2]}", host.name, "jump")
        if found := _NO_TCP.match(line):
            error = _no_tcp(found, host)
            return type(error)(f"{where}: {error.message}", host.name, "jump", error.hint)
        if line == "Host key verification failed.":
            return HostKeyError(f"{where}: its host key is not accepted", host.name, "jump",
                                f"Jump hosts are checked as ssh_config says: log in once with `ssh {host.jump}`.")
        if _DENIED.fullmatch(line):
            return AuthenticationError(f"{where}: {line}", host.name, "jump",
                                       "Give it an IdentityFile in ssh_config: keys named here are for the last host "
                                       "alone.")
    last = (stderr.strip().splitlines() or [""])[-1]
    return ConnectError(f"{where}: {last}", host.name, "jump") if last else None


def _no_agreement(progress: Progress, host: OpenSSHHost) -> ConnectError:
    for line in progress.said:
        if found := _NO_COMMON.match(line):
            return ConnectError(f"no common algorithm: {found[1]}", host.name, "kex",
                                "The server's software may be too old; -o adds algorithms at your own risk.")
        if _LATE.search(line):
            return ConnectTimeout("the server did not finish the key exchange within the time allowed", host.name,
                                  "kex", "A path that swallows large packets (MTU) looks like this.")
    return ConnectError(f"the key exchange failed: {_last(progress)}", host.name, "kex")


def _bad_key(progress: Progress, host: OpenSSHHost, known: KnownHosts) -> HostKeyError:
    # Of a certificate, ssh logs its type, but the fingerprint of the key in it.
    key_type = progress.key_type.removesuffix(SUFFIX)
    name, shown = host.names[0], f"{key_type} {progress.fingerprint}"
    entries = [entry for entry in known.named(name) if not entry.marker]
    places = "; ".join(f"{e.place} has {e.key_type} {fingerprint(e.key)}" for e in entries[:4])
    replaced = "Somebody may be listening in. If the key was replaced on purpose"
    text = "\n".join(progress.said)
    if "REVOKED" in text or "revoked" in text:
        places = "; ".join(filter(None, (line for line in progress.said if "evoked" in line)))
        return HostKeyError(f"the host key is revoked: {shown}; {places}", host.name, "hostkey", "Do not connect.")
    certificate = next((line for line in progress.said if line.startswith(("Certificate", "Host certificate"))), "")
    if certificate:
        return HostKeyError(f"the host's certificate is not accepted: {certificate}; {shown}", host.name, "hostkey")
    same_type = any(entry.key_type == key_type for entry in entries)
    if "IDENTIFICATION HAS CHANGED" in text and (same_type or not entries):
        offending = next((found[1] for line in progress.said if (found := _OFFENDING.match(line))), "")
        hint = f"{replaced}, remove {offending or 'the old one'}"
        return HostKeyError(f"THE HOST KEY HAS CHANGED: the server shows {shown}, but {places or offending}", host.name,
                            "hostkey", hint)
    if entries:
        return HostKeyError(f"the server shows a key of a type not on file: {shown}; {places}", host.name, "hostkey",
                            f"{replaced}, remove the old one.")
    looked = ", ".join(host.known_hosts) or "no file"
    return HostKeyError(f"the host key is not known: no line for {name} in {looked}; the server shows {shown}",
                        host.name, "hostkey", "If that fingerprint is the host's, --host-keys accept-new notes it.")


def _unwelcome(progress: Progress, host: OpenSSHHost, secrets: bool) -> ConnectError:
    empty = [empty_agent(host.agent)] if progress.agent_empty else []
    tried = "; ".join(empty + progress.tried) or NOTHING
    if not any(_DENIED.fullmatch(line) for line in progress.said):
        return ConnectError(f"the connection broke while logging in as {host.user}: {_last(progress)}; tried {tried}",
                            host.name, "auth")
    message = f"login as {host.user} failed; tried {tried}"
    if progress.offered:
        message += f"; the server takes {', '.join(progress.offered)}"
    hint = "Name a key, load one into ssh-agent, or give a password."
    if any("Too many authentication failures" in line for line in progress.said):
        hint = "Name the right key and set IdentitiesOnly=yes, so that fewer are tried."
    elif any("ssh_askpass" in line for line in progress.said):
        hint = "ssh could not run the helper that answers it; TMPDIR names a directory where programs may be run."
    elif progress.welcome:
        hint = _unsigned(progress)
    elif progress.offered and "publickey" not in progress.offered and not secrets:
        hint = "Give a password: -k asks for one (password=)."
    return AuthenticationError(message, host.name, "auth", hint)


def _unsigned(progress: Progress) -> str:
    """What to do about a key that the server would take, and with which ssh did not sign."""
    found = _KEY_NAME.match(progress.welcome)
    name = found[1] if found else progress.welcome
    text = f"The server takes the key {name}, but ssh did not sign with it"
    if any("signing failed" in line for line in progress.said):
        return f"{text}."
    if name.endswith(".pub"):
        return f"{text}: that is the public half. Name the private one, or load it with ssh-add."
    return f"{text}. If it is encrypted, load it with ssh-add, or give its passphrase (passphrase=)."


def _no_session(progress: Progress, host: OpenSSHHost) -> ConnectError:
    for line in progress.said:
        if found := _NO_CHANNEL.match(line):
            return ConnectError(f"the server refused opening a session: {found[1] or found[2]}", host.name, "open",
                                "MaxSessions 0 in sshd_config, or a key that may forward ports only, looks like "
                                "this.")
    return ConnectError(f"the connection broke while opening a session: {_last(progress)}", host.name, "open")


def _last(progress: Progress) -> str:
    return progress.said[-1] if progress.said else "it said nothing"
