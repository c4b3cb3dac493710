"""The ways to hosts: directly, by a program, or through a jump host whose one connection all behind it share.

As with ssh, the master speaks to each host itself, through a channel of the connection to the host in front of
it: it checks every host key, keys stay here, and a jump host sees bytes it cannot read.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import paramiko

from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, ConnectTimeout, UnknownHost

from .configuration.config import resolve
from .configuration.options import MOST_HOPS, SSHOptions
from .configuration.resolved import ResolvedHost
from .connect import Again, Peer, connect
from .login.keyring import KeyRing
from .paths import dial, proxy
from .paths.socket import Stream
from .paths.tunnel import WINDOW, Tunnel

HANDSHAKES = 8
"""Hosts behind one jump host that are connected to at the same time. More is no faster: two cores do no more key
exchanges than that, and a jump host has others to serve."""

JOIN = 5.0
"""Seconds to wait for the threads of a connection that is closed."""


@dataclass(eq=False)
class _Bastion:
    """A connection to a jump host that is there, under way, or has failed."""

    options: SSHOptions
    deadline: float
    users: int = 0
    peer: Peer | None = None
    error: BaseException | None = None
    settled: threading.Event = field(default_factory=threading.Event)
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(HANDSHAKES))

    @property
    def broken(self) -> bool:
        return self.peer is not None and not self.peer.transport.is_active()


class Ways:
    """The jump hosts of one router. Thread-safe; a connection to one is closed when its last user is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bastions: dict[SSHOptions, _Bastion] = {}

    def connect(
        self,
        options: SSHOptions,
        deadline: float,
        phases: dict[str, float],
        keys: KeyRing,
        behind: tuple[SSHOptions, ...] = (),
        log_in: bool = True,
    ) -> Peer:
        """Find out where a host is, go there whatever the way, and log in, all before `deadline` (monotonic).

        `behind` are the hosts that are waiting to go through this one; without `log_in` the host's key is checked and
        that is all. Raises ConnectError.
        """
        started = time.monotonic()
        host = resolve(options, deadline - started)
        phases["config"] = time.monotonic() - started
        if host.jump is None:
            return connect(host, lambda limit: _open(host, limit), deadline, phases, keys, log_in)
        _check_loop(host, (*behind, options))
        return self._connect_through(host, host.jump, deadline, phases, keys, (*behind, options), log_in)

    def _connect_through(
        self,
        host: ResolvedHost,
        jump: SSHOptions,
        deadline: float,
        phases: dict[str, float],
        keys: KeyRing,
        behind: tuple[SSHOptions, ...],
        log_in: bool,
    ) -> Peer:
        started = time.monotonic()
        try:
            bastion, notices = self._hold(jump, deadline, keys, behind, phases)
        except ConnectError as error:
            raise _of_jump_host(error, host, jump) from error
        asked = phases.get("asked", 0.0)
        phases["jump"] = time.monotonic() - started - asked
        deadline += asked
        try:
            if not bastion.turns.acquire(timeout=max(deadline - time.monotonic(), 0.001)):
                raise ConnectTimeout(
                    f"{HANDSHAKES} other hosts behind {jump.host} were still being connected to", host.name, "jump"
                )
            try:

                def through(limit: float) -> Stream:
                    with self._lock:
                        bastion.users += 1
                    try:
                        return _tunnel(bastion, host, limit, lambda: self._release(bastion))
                    except BaseException:  # Ctrl-C, too: the bastion's count of users must be right
                        self._release(bastion)
                        raise

                peer = connect(host, through, deadline, phases, keys, log_in)
            finally:
                bastion.turns.release()
        finally:
            self._release(bastion)  # the tunnel has a hold of its own
        return replace(peer, notices=notices + peer.notices)

    def _hold(
        self,
        options: SSHOptions,
        deadline: float,
        keys: KeyRing,
        behind: tuple[SSHOptions, ...],
        phases: dict[str, float],
    ) -> tuple[_Bastion, tuple[str, ...]]:
        """The connection to a jump host, made now if there is none; `_release` it. Also what is new of the host."""
        while True:
            with self._lock:
                bastion = self._bastions.get(options)
                first = bastion is None or bastion.broken
                if bastion is None or first:
                    bastion = self._bastions[options] = _Bastion(options, deadline)
                bastion.users += 1
            if first:
                return bastion, self._connect_first(bastion, keys, behind, phases)
            done = bastion.settled.wait(max(deadline - time.monotonic(), 0.001))
            error = bastion.error
            if done and error is None:
                return bastion, ()
            self._release(bastion)
            if not done:
                raise ConnectTimeout("another connection to it was not done in time", options.host, "jump")
            if isinstance(error, ConnectTimeout) and bastion.deadline < deadline:
                continue  # whoever tried it had less time than we have
            if isinstance(error, ConnectError):
                raise type(error)(  # without the other's times
                    error.reason, error.host, error.stage, error.hint, error.diagnostics, error.exit_status
                )
            raise ConnectError(f"another connection to it failed: {error}", options.host, "jump")

    def _connect_first(
        self, bastion: _Bastion, keys: KeyRing, behind: tuple[SSHOptions, ...], phases: dict[str, float]
    ) -> tuple[str, ...]:
        options, own = bastion.options, dict[str, float]()
        try:
            peer = self.connect(options, bastion.deadline, own, keys, behind)
            if "asked" in own:
                phases["asked"] = phases.get("asked", 0.0) + own["asked"]
            peer.socket.settle()
            peer.socket.relax()
            bastion.peer = peer
            return tuple(f"jump host {options.host}: {notice}" for notice in peer.notices)
        except BaseException as error:
            bastion.error = error
            with self._lock:
                if self._bastions.get(options) is bastion:
                    del self._bastions[options]
            raise
        finally:
            bastion.settled.set()

    def _release(self, bastion: _Bastion) -> None:
        with self._lock:
            bastion.users -= 1
            if bastion.users:
                return
            if self._bastions.get(bastion.options) is bastion:
                del self._bastions[bastion.options]
        _close(bastion)

    def close(self) -> None:
        """Cut every connection to a jump host, and with it those behind it."""
        with self._lock:
            bastions, self._bastions = list(self._bastions.values()), {}
        for bastion in bastions:
            _close(bastion)


def _close(bastion: _Bastion) -> None:
    if bastion.peer is not None:
        bastion.peer.close()
        if bastion.peer.transport is not threading.current_thread():
            bastion.peer.transport.join(JOIN)


def _check_loop(host: ResolvedHost, way: tuple[SSHOptions, ...]) -> None:
    jump = host.jump
    assert jump is not None
    # The same host may come twice if it is reached by another way then.
    passed = [(each.host, each.user, each.port, each.jump) for each in way]
    if (jump.host, jump.user, jump.port, jump.jump) in passed or len(way) > MOST_HOPS:
        shown = " -> ".join([jump.host, *(each.host for each in reversed(way))])
        raise ConnectError(
            f"jump hosts lead in a circle: {shown}",
            host=host.name,
            stage="config",
            hint=f"Give {jump.host} a ProxyJump none in ssh_config.",
        )


def _open(host: ResolvedHost, limit: float) -> Stream:
    """A stream to a host that nothing is in front of, or only a program."""
    where = f"port {host.port}" if host.hostname == host.name else f"{host.hostname} port {host.port}"
    try:
        if host.proxy_command is not None:
            return proxy.start(host.proxy_command, limit)
        return dial.connect(
            host.hostname, host.port, limit, host.address_family, host.bind_address, host.bind_interface
        )
    except socket.gaierror as error:
        raise UnknownHost(
            f"the name {host.hostname} does not resolve: {error.strerror}",
            host=host.name,
            stage="tcp",
            hint="This machine is local:, with a colon." if host.name == "local" else
            "Is it spelt right? A short name may need a HostName line in ssh_config.",
        ) from error
    except TimeoutError as error:
        timeout = ConnectTimeout(
            f"{where} did not answer within the time allowed",
            host=host.name,
            stage="tcp",
            hint="The host may be down, or a firewall drops the packets.",
        )
        raise Again(timeout, host.connection_attempts) from error
    except OSError as error:
        hint = ""
        if error.errno == errno.ECONNREFUSED:
            hint = "The host is up, but no SSH server listens there. Is the port right?"
        refused = ConnectError(
            f"cannot connect to {where}: {error.strerror or error}", host=host.name, stage="tcp", hint=hint
        )
        refused.__cause__ = error
        raise Again(refused, host.connection_attempts) from error


_REASONS = {
    1: "it does not forward connections (AllowTcpForwarding, PermitOpen, or a key that may not)",
    2: "refused or unreachable from there, or a name unknown there",
    4: "it has no resources left",
}


def _tunnel(bastion: _Bastion, host: ResolvedHost, limit: float, release: Callable[[], None]) -> Stream:
    """A stream to a host through an open connection to the one in front of it."""
    peer = bastion.peer
    assert peer is not None
    left = max(limit - time.monotonic(), 0.001)
    through = f"jump host {peer.host.name}"
    try:
        channel = peer.transport.open_channel(
            "direct-tcpip", (host.hostname, host.port), ("127.0.0.1", 0), window_size=WINDOW, timeout=left
        )
    except paramiko.ChannelException as error:
        reason = _REASONS.get(error.code, error.text)
        refused = ConnectError(
            f"{through} cannot reach {host.hostname} port {host.port}: {reason}",
            host=host.name,
            stage="tcp",
        )
        raise Again(refused, host.connection_attempts if error.code == 2 else 1) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if peer.transport.is_active():
            raise ConnectTimeout(
                f"{through} did not reach {host.hostname} port {host.port} within the time allowed",
                host=host.name,
                stage="tcp",
                hint=f"The host may be down, or a firewall between it and {peer.host.name} drops the packets.",
            ) from error
        raise ConnectError(
            f"the connection to {through} broke: {str(error) or type(error).__name__}", host=host.name, stage="jump"
        ) from error
    tunnel = Tunnel(channel, release)
    tunnel.deadline = limit
    return tunnel


def _of_jump_host(error: ConnectError, host: ResolvedHost, jump: SSHOptions) -> ConnectError:
    """What went wrong with a jump host, as an error of the host behind it."""
    hint = error.hint
    if isinstance(error, AuthenticationError) and host.options.key_filenames:
        hint = f"{hint} The key named is for {host.name} alone, as with ssh; give {jump.host} an IdentityFile.".strip()
    message = error.message
    if error.stage != "jump":
        message = f"jump host {jump.host}: {message} (its stage {error.stage})"
    return type(error)(message, host.name, "jump", hint, error.diagnostics, error.exit_status)
