"""From a resolved host and a way to it to an authenticated SSH transport, every stage timed, every failure explained.

tcp       a stream to the server, with the deadline built in
kex       greeting and key exchange with algorithms that are still sound
hostkey   is it the right host?
auth      are we welcome?

What a busy server does to those who come at the same time as many others is tried again, but never once
anything was said of the user.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout
from remotesvc.escape import one_line

from .busy import BANNED, BUSY, LONGEST_PAUSE, RETRIES
from .configuration.resolved import OTHER_TRANSPORT, ResolvedHost
from .hostkeys import known_hosts
from .hostkeys.algorithms import SIGNATURES
from .hostkeys.host_key import HostKeys
from .login import auth
from .login.keyring import KeyRing
from .paths.packets import GREETING_LIMIT, GuardedPacketizer
from .paths.socket import Stream
from .paths.transport import ClientTransport
from .terminal import Interview

STAGE_TIMEOUT = 10.0
"""Seconds for TCP, and again for greeting and key exchange, unless ssh_config has a ConnectTimeout."""

Dial = Callable[[float], Stream]
"""Opens the stream before a deadline. Raises ConnectError, and Again if it may be tried again."""


class Again(Exception):
    """An attempt failed before anything was said of the user: `error` says how, if it is the last one."""

    def __init__(self, error: ConnectError, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.attempts = attempts
        """How many attempts this kind of failure is worth."""


LOG_CHANNEL = "remotesvc.ssh.paramiko"


@dataclass(frozen=True)
class Peer:
    """An authenticated connection and who is at its other end."""

    host: ResolvedHost
    transport: paramiko.Transport
    socket: Stream
    host_key_type: str
    host_key: str
    """Fingerprint, "SHA256:...": what facts about the target may be remembered under."""
    version: str
    """The server's greeting, for example "SSH-2.0-OpenSSH_9.2"; harmless to a terminal."""
    notices: tuple[str, ...]
    """What the user should hear of, for example a host key that was noted."""

    def close(self) -> None:
        """Cut the connection."""
        self.socket.close()
        self.transport.close()


def connect(
    host: ResolvedHost, dial: Dial, deadline: float, phases: dict[str, float], keys: KeyRing, log_in: bool = True
) -> Peer:
    """Connect and log in before `deadline` (`time.monotonic`). Seconds by stage go into `phases`.

    Without `log_in` all there is to it is whether the host's key is to be trusted: nothing is said of the user.

    The stream keeps the deadline until its `settle` is called. Raises a ConnectError naming the stage;
    nothing is left open then. The seconds that answers of a person took are `phases["asked"]`; the deadline is
    later by as much.
    """
    trusted = HostKeys(host, deadline)
    try:
        try:
            transport, sock = _handshake(host, dial, trusted, deadline, phases)
        except Again as again:
            if again.attempts < 2:
                raise
            transport, sock = _try_again(lambda: _handshake(host, dial, trusted, deadline, phases), again, deadline)
    except Again as again:
        raise again.error from again.error.__cause__
    try:
        started = time.monotonic()
        key = transport.get_remote_server_key()
        sock.deadline = deadline
        _check_size(key, host)
        interview = Interview(None if host.batch_mode else keys.questions, sock)
        try:
            trusted.verify(key.get_name(), key.asbytes(), transport.host_certificate(), interview)
            asked = interview.seconds
            phases["hostkey"] = -started - asked + (started := time.monotonic())
            if log_in:
                auth.authenticate(transport, host, deadline, keys, interview)
                phases["auth"] = time.monotonic() - started - (interview.seconds - asked)
        finally:
            if interview.seconds:
                phases["asked"] = phases.get("asked", 0.0) + interview.seconds
        return Peer(
            host,
            transport,
            sock,
            key.get_name(),
            known_hosts.fingerprint(key.asbytes()),
            one_line(transport.remote_version),
            tuple(trusted.notices),
        )
    except BaseException:  # Ctrl-C, too: nobody else has the connection yet
        sock.close()
        transport.close()
        raise


Connected = tuple[ClientTransport, Stream]


def _try_again(attempt: Callable[[], Connected], first: Again, deadline: float) -> Connected:
    """Go on after a first attempt that failed, with random pauses that grow, while there is time."""
    import tenacity  # costs 30 ms, which those who are let in at once need not pay

    pause = tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)

    def is_last(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        attempts = error.attempts if isinstance(error, Again) else 0
        return state.attempt_number + 1 >= attempts or time.monotonic() + state.upcoming_sleep >= deadline

    left = deadline - time.monotonic()
    time.sleep(max(min(pause(tenacity.RetryCallState(None, None, (), {})), left), 0))  # type: ignore[arg-type]
    retrying = tenacity.Retrying(retry=tenacity.retry_if_exception_type(Again), wait=pause, stop=is_last, reraise=True)
    return retrying(attempt)


def _handshake(
    host: ResolvedHost, dial: Dial, trusted: HostKeys, deadline: float, phases: dict[str, float]
) -> Connected:
    limit = host.connect_timeout or STAGE_TIMEOUT
    started = time.monotonic()
    sock = dial(min(deadline, started + limit))
    phases["tcp"] = -started + (started := time.monotonic())
    transport: ClientTransport | None = None
    try:
        sock.deadline = min(deadline, started + limit)
        sock.allowance = GREETING_LIMIT
        transport = _prepare(sock, trusted)
        _exchange_keys(transport, sock, host)
        phases["kex"] = time.monotonic() - started
        return transport, sock
    except BaseException:  # the same
        sock.close()
        if transport is not None:
            transport.close()
        raise


def _prepare(sock: Stream, trusted: HostKeys) -> ClientTransport:
    host = trusted.host
    transport = ClientTransport(
        sock, tuple(name for name in trusted.order(SIGNATURES) if name in host.host_key_algorithms)
    )
    sock.owner = transport
    # paramiko logs whole tracebacks for what we report as errors. Whoever wants them sets the channel's
    # level.
    logger = logging.getLogger(LOG_CHANNEL)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)
    transport.set_log_channel(LOG_CHANNEL)
    # The socket's deadline governs; paramiko's own limits must not strike first.
    transport.banner_timeout = transport.handshake_timeout = 86400
    security = transport.get_security_options()
    security.ciphers = host.ciphers
    security.digests = host.macs
    # A paramiko on an older cryptography has no ML-KEM.
    security.kex = tuple(name for name in host.kex_algorithms if name in security.kex)
    if host.compression:
        transport.use_compression()
    if host.rekey_bytes:
        assert isinstance(transport.packetizer, GuardedPacketizer)
        transport.packetizer.rekey_after(host.rekey_bytes)
    return transport


def _exchange_keys(transport: paramiko.Transport, sock: Stream, host: ResolvedHost) -> None:
    try:
        transport.start_client()
    except Exception as error:  # paramiko passes on whatever its thread died of
        raise _explain(transport, sock, host, error) from error
    _check_terrapin(transport, host)


def _check_size(key: paramiko.PKey, host: ResolvedHost) -> None:
    """ssh_config's RequiredRSASize."""
    if key.get_name() == "ssh-rsa" and key.get_bits() < host.required_rsa_size:
        raise ConnectError(
            f"the server's RSA key has {key.get_bits()} bits, RequiredRSASize is {host.required_rsa_size}",
            host=host.name,
            stage="kex",
            hint="Give the server a larger key, or one of another type.",
        )


def _check_terrapin(transport: paramiko.Transport, host: ResolvedHost) -> None:
    """Refuse what CVE-2023-48795 can cut packets from: encrypt-then-MAC without strict key exchange."""
    facts = vars(transport)  # public attributes that the type stubs lack
    if facts["agreed_on_strict_kex"]:
        return
    for side in ("local", "remote"):
        cipher, mac = facts[f"{side}_cipher"], facts[f"{side}_mac"]
        if "gcm" not in cipher and "etm" in mac:
            raise ConnectError(
                f"the server agrees on {cipher} with {mac} only, without strict key exchange",
                host=host.name,
                stage="kex",
                hint="It is open to the Terrapin attack (CVE-2023-48795); update it or allow AES-GCM there.",
            )


def _explain(
    transport: paramiko.Transport, sock: Stream, host: ResolvedHost, error: Exception
) -> ConnectError | Again:
    packetizer = transport.packetizer
    said = "\n".join(packetizer.greeting) if isinstance(packetizer, GuardedPacketizer) else ""
    between = sock.said()
    greeted = bool(transport.remote_version)
    if sock.expired:
        failed = "sent no SSH greeting"
        hint = f"Is it an SSH server that listens on port {host.port}? An overloaded one looks like this too."
        if greeted:
            failed = "did not finish the key exchange"
            hint = "A path that swallows large packets (MTU) looks like this."
        return ConnectTimeout(
            f"the server {failed} within the time allowed",
            host=host.name,
            stage="kex",
            hint=hint,
            diagnostics=f"{said}\n{between}".strip(),
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return ConnectError(
            f"no common algorithm: {error}",
            host=host.name,
            stage="kex",
            hint="SHA-1, CBC, 3DES and MD5 are refused; the server's software may be too old. " + OTHER_TRANSPORT,
        )
    if not greeted and said.startswith(BUSY):
        busy = ConnectError(
            f"the server turned us away: {said.splitlines()[0]}",
            host=host.name,
            stage="kex",
            hint="Too many log in there at once; raise MaxStartups in its sshd_config, or connect to fewer at a time.",
        )
        return Again(busy, RETRIES + 1)
    if not greeted and said.startswith(BANNED):
        return ConnectError(
            "the server takes no connections from this address at this time",
            host=host.name,
            stage="kex",
            hint="sshd does that after failed logins (PerSourcePenalties); it passes.",
        )
    if not greeted and (said or (sock.allowance is not None and sock.allowance < 0)):
        return ConnectError(
            f"not an SSH server on port {host.port}", host=host.name, stage="kex", diagnostics=said
        )
    if not greeted and between:
        return ConnectError(
            f"the proxy command ended before there was an SSH greeting: {host.proxy_command}",
            host=host.name,
            stage="tcp",
            diagnostics=between,
            hint="-o ProxyCommand=none goes there directly.",
        )
    if not greeted:
        closed = ConnectError(
            "the server closed the connection before its SSH greeting",
            host=host.name,
            stage="kex",
            hint="sshd does that when too many log in at once (MaxStartups), or to an address it bans.",
        )
        return Again(closed, RETRIES + 1)
    return ConnectError(
        f"the key exchange failed: {str(error) or 'the server closed the connection'}",
        host=host.name,
        stage="kex",
        diagnostics=said,
    )
