"""A stream to a server and the key exchange on it: algorithms that are still sound, and every failure explained.

Nothing has been said of the user until then, so what failed for a passing reason may be tried `Again`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import paramiko

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout

from .busy import BANNED, BUSY, RETRIES
from .configuration.options import STAGE_TIMEOUT
from .configuration.resolved import OTHER_TRANSPORT, ResolvedHost
from .hostkeys.algorithms import SIGNATURES
from .hostkeys.host_key import HostKeys
from .paths.packets import GREETING_LIMIT, GuardedPacketizer, farewell_of
from .paths.socket import Stream
from .paths.transport import ClientTransport

_TICK = 0.1
"""Seconds after which a connection that waits for its turn looks who is silent, and whether it is still wanted."""

_SILENT = 1.0
"""Seconds of a key exchange, which takes some 30 ms and a round trip, after which others need not wait for its end."""

LOG_CHANNEL = "remotesvc.ssh.paramiko"

Dial = Callable[[float], Stream]
"""Opens the stream before a deadline. Raises ConnectError, and Again if it may be tried again."""


class Again(Exception):
    """An attempt failed before anything was said of the user: `error` says how, if it is the last one."""

    def __init__(self, error: ConnectError, attempts: int, busy: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.attempts = attempts
        """How many attempts this kind of failure is worth."""
        self.busy = busy
        """The server said that it has no room: it is worth as many as there is time for."""


class Turns:
    """Lets `most` at a time exchange keys. `changed` is held around what is `at_it`, with the time it began."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.changed = threading.Condition()
        self.at_it: dict[Turn, float] = {}

    def free(self) -> bool:
        """Is there room for one more? The lock is held."""
        begun = time.monotonic() - _SILENT
        return sum(since > begun for since in self.at_it.values()) < self.most


class Turn:
    """When a host behind a jump host may exchange keys: as one of a few, once it has sent what it proposes. `deadline`
    is that of the whole connection, and the time the turn takes to come does not count as that of the key exchange."""

    def __init__(self, turns: Turns, deadline: float, late: ConnectError) -> None:
        self._turns = turns
        self._deadline = deadline
        self.late = late
        self.missed = False
        """It did not come in time: `late` is the error."""
        self._over = False

    def take(self, sock: Stream) -> None:
        """Wait for it. Raises EOFError if it does not come in time, or is not wanted any more."""
        started = time.monotonic()
        with self._turns.changed:
            while not self._over and not self._turns.free():
                left = self._deadline - time.monotonic()
                self.missed = left <= 0
                if self.missed:
                    raise EOFError
                self._turns.changed.wait(min(left, _TICK))
            if self._over:
                raise EOFError
            now = self._turns.at_it[self] = time.monotonic()
        if sock.deadline is not None:
            sock.deadline = min(sock.deadline + now - started, self._deadline)

    def give_back(self) -> None:
        """It is over, or not wanted any more."""
        with self._turns.changed:
            self._over = True
            self._turns.at_it.pop(self, None)
            self._turns.changed.notify()


Connected = tuple[ClientTransport, Stream]


def handshake(
    host: ResolvedHost, dial: Dial, trusted: HostKeys, deadline: float, phases: dict[str, float],
    turn: Turn | None = None,
) -> Connected:
    """Open the stream and exchange keys, in `turn`; the key that the server showed is not judged yet.

    Raises ConnectError, or Again if that may be tried once more; nothing is left open then. Seconds go into
    `phases["tcp"]` and `phases["kex"]`.
    """
    limit = host.connect_timeout or STAGE_TIMEOUT
    started = time.monotonic()
    sock = dial(min(deadline, started + limit))
    connected = time.monotonic()
    phases["tcp"] = connected - started
    transport: ClientTransport | None = None
    try:
        sock.deadline = min(deadline, connected + limit)
        sock.allowance = GREETING_LIMIT
        transport = _prepare(sock, trusted)
        if turn is not None:
            transport.proposed = partial(turn.take, sock)
        try:
            _exchange_keys(transport, sock, host)
        except ConnectError:
            if turn is not None and turn.missed:
                raise turn.late from None
            raise
        phases["kex"] = time.monotonic() - connected
        return transport, sock
    except BaseException:  # Ctrl-C, too: nobody else has the stream yet
        if turn is not None:
            turn.give_back()  # first: closing waits for the thread, which may wait for it
        sock.close()
        if transport is not None:
            transport.close()
        raise
    finally:
        if turn is not None:
            turn.give_back()


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
        security.compression = ("zlib@openssh.com", "none")
    assert isinstance(transport.packetizer, GuardedPacketizer)
    transport.packetizer.rekey_after(*host.rekey_limit)
    return transport


def _exchange_keys(transport: paramiko.Transport, sock: Stream, host: ResolvedHost) -> None:
    try:
        transport.start_client()
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _explain(transport, sock, host, error) from error
    _check_terrapin(transport, host)


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
    greeted = bool(transport.remote_version)
    if sock.expired:
        return _too_slow(host, greeted, f"{said}\n{sock.said()}".strip())
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        version = transport.remote_version.split("-")[1]
        if version not in ("2.0", "1.99"):
            return ConnectError(
                f"the server speaks SSH {version[:16]} only",
                host=host.name,
                stage="kex",
                hint="Versions before 2.0 are broken, and no program of today speaks them: update the server.",
            )
        return ConnectError(
            f"no common algorithm: {error}",
            host=host.name,
            stage="kex",
            hint="SHA-1, CBC, 3DES and MD5 are refused; the server's software may be too old. " + OTHER_TRANSPORT,
        )
    if not greeted:
        return _no_greeting(sock, host, said)
    farewell = farewell_of(transport)
    why = "" if farewell else str(error)
    return ConnectError(
        f"the key exchange failed: {why or 'the server closed the connection'}",
        host=host.name,
        stage="kex",
        diagnostics=f"{said}\n{farewell}".strip(),
    )


def _too_slow(host: ResolvedHost, greeted: bool, said: str) -> ConnectTimeout:
    failed = "sent no SSH greeting"
    hint = f"Is it an SSH server that listens on port {host.port}? An overloaded one looks like this too."
    if greeted:
        failed = "did not finish the key exchange"
        hint = "A path that swallows large packets (MTU) looks like this."
    return ConnectTimeout(
        f"the server {failed} within the time allowed", host=host.name, stage="kex", hint=hint, diagnostics=said
    )


def _no_greeting(sock: Stream, host: ResolvedHost, said: str) -> ConnectError | Again:
    """The connection ended, and what the server `said` is no SSH greeting."""
    if said.startswith(BUSY):
        busy = ConnectError(
            f"the server turned us away: {said.splitlines()[0]}",
            host=host.name,
            stage="kex",
            hint="Too many log in there at once; raise MaxStartups in its sshd_config, or connect to fewer at a time.",
        )
        return Again(busy, RETRIES + 1, busy=True)
    if said.startswith(BANNED):
        return ConnectError(
            "the server takes no connections from this address at this time",
            host=host.name,
            stage="kex",
            hint="sshd does that after failed logins (PerSourcePenalties); it passes.",
        )
    if said or (sock.allowance is not None and sock.allowance < 0):
        return ConnectError(f"not an SSH server on port {host.port}", host=host.name, stage="kex", diagnostics=said)
    between = sock.said()
    if between:
        return ConnectError(
            f"the proxy command ended before there was an SSH greeting: {host.proxy_command}",
            host=host.name,
            stage="tcp",
            diagnostics=between,
            hint="-o ProxyCommand=none goes there directly.",
        )
    if host.proxy_command:  # most likely it has failed, and would again
        return ConnectError(
            f"the proxy command ended, without a word, before there was an SSH greeting: {host.proxy_command}",
            host=host.name,
            stage="tcp",
            hint="Or the server behind it did (MaxStartups). -o ProxyCommand=none goes there directly.",
        )
    closed = ConnectError(
        "the server closed the connection before its SSH greeting",
        host=host.name,
        stage="kex",
        hint="sshd does that when too many log in at once (MaxStartups), or to an address it bans.",
    )
    return Again(closed, RETRIES + 1)
