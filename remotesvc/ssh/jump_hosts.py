"""Connects to hosts: directly, by a program, or through a jump host, whose one connection all hosts behind it share.

As with ssh, the master speaks to each host itself, through a channel of the connection to the host in front of
it: it checks every host key, keys stay here, and a jump host sees bytes it cannot read.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from remotesvc.bootstrap.errors import RouterClosed
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, ConnectTimeout
from remotesvc.once import Once

from . import reach
from .configuration.config import resolve
from .configuration.options import MOST_HOPS, SSHOptions
from .configuration.resolved import ResolvedHost
from .configuration.ssh_says import Answers
from .connect import Effort, connect
from .keyexchange import Dial, Turn, Turns
from .paths.socket import Stream
from .peer import Peer

HANDSHAKES = 8
"""Hosts behind one jump host with which keys are exchanged at the same time. More is no faster: two cores do no more
than that. Those that do not answer are not among them: they would keep the others waiting."""

JOIN = 5.0
"""Seconds to wait for the threads of a connection that is closed."""


@dataclass(eq=False)
class _Bastion:
    """A connection to a jump host that is there, under way, or has failed."""

    options: SSHOptions
    deadline: float
    """`time.monotonic()` until which the first that wanted it tries to connect."""
    users: int = 0
    """Who holds it: those that are connecting through it, and every open tunnel."""
    opening: Once[Peer] = field(default_factory=Once)
    turns: Turns = field(default_factory=lambda: Turns(HANDSHAKES))

    @property
    def broken(self) -> bool:
        return self.opening.value is not None and not self.opening.value.transport.is_active()


class JumpHosts:
    """The jump hosts of one router. Thread-safe; a connection to one is closed when its last user is.

    `answers` has what ssh says of hosts.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        self._answers = answers or Answers()
        self._lock = threading.Lock()
        self._bastions: dict[SSHOptions, _Bastion] = {}
        self._connecting: set[Stream] = set()
        self._closed = False

    def connect(self, options: SSHOptions, effort: Effort, behind: tuple[SSHOptions, ...] = ()) -> Peer:
        """Find out where a host is, go there whatever the way, and log in.

        `behind` are the hosts that are waiting to go through this one. Raises ConnectError.
        """
        started = time.monotonic()
        host = resolve(options, effort.deadline - started, self._answers)
        effort.phases["config"] = time.monotonic() - started
        if host.jump is None:
            with self._severable(lambda limit: reach.directly(host, limit)) as dial:
                return connect(host, dial, effort)
        _check_loop(host, (*behind, options))
        return self._connect_through(host, host.jump, effort, (*behind, options))

    @contextlib.contextmanager
    def _severable(self, dial: Dial) -> Iterator[Dial]:
        """The streams that this one opens end with the router, if that is closed before they are a connection."""
        opened: list[Stream] = []

        def watched(limit: float) -> Stream:
            if self._closed:
                raise RouterClosed("the router is closed")
            stream = dial(limit)
            opened.append(stream)
            with self._lock:
                self._connecting.add(stream)
            if self._closed:
                stream.sever()
            return stream

        try:
            yield watched
        finally:
            with self._lock:
                self._connecting.difference_update(opened)

    def _connect_through(
        self, host: ResolvedHost, jump: SSHOptions, effort: Effort, behind: tuple[SSHOptions, ...]
    ) -> Peer:
        started = time.monotonic()
        try:
            bastion, notices = self._hold(jump, effort, behind)
        except ConnectError as error:
            raise _of_jump_host(error, host, jump) from error
        asked = effort.phases.get("asked", 0.0)
        effort.phases["jump"] = time.monotonic() - started - asked
        deadline = effort.deadline + asked

        def turn() -> Turn:
            late = f"{HANDSHAKES} other hosts behind {jump.host} were still exchanging keys"
            return Turn(bastion.turns, deadline, ConnectTimeout(late, host.name, "jump"))

        effort = replace(effort, deadline=deadline, turn=turn)
        try:
            peer = connect(host, lambda limit: self._tunnel(bastion, host, limit), effort)
        finally:
            self._release(bastion)  # the tunnel has a hold of its own
        return replace(peer, notices=notices + peer.notices)

    def _tunnel(self, bastion: _Bastion, host: ResolvedHost, deadline: float) -> Stream:
        """A stream through a jump host that is held. It holds the connection itself for as long as it is open."""
        assert bastion.opening.value is not None
        with self._lock:
            bastion.users += 1
        try:
            return reach.through(bastion.opening.value, host, deadline, lambda: self._release(bastion))
        except BaseException:  # Ctrl-C, too: the count of users must be right
            self._release(bastion)
            raise

    def _hold(
        self, options: SSHOptions, effort: Effort, behind: tuple[SSHOptions, ...]
    ) -> tuple[_Bastion, tuple[str, ...]]:
        """The connection to a jump host, made now if there is none, and what the user should hear of that host.

        Whoever gets it calls `_release` when done with it.
        """
        while True:
            with self._lock:
                bastion = self._bastions.get(options)
                first = bastion is None or bastion.broken
                if bastion is None or first:
                    bastion = self._bastions[options] = _Bastion(options, effort.deadline)
                bastion.users += 1
            if first:
                return bastion, self._connect_first(bastion, effort, behind)
            done = _wait(bastion, effort)
            if done and bastion.opening.value is not None:
                return bastion, ()
            error = bastion.opening.error
            self._release(bastion)
            if not done:
                raise ConnectTimeout("another connection to it was not done in time", options.host, "jump")
            if isinstance(error, ConnectTimeout) and bastion.deadline < effort.deadline:
                continue  # whoever tried it had less time than we have
            if isinstance(error, ConnectError):
                raise error.again()
            # After Ctrl-C there, say, it is for us to try.

    def _connect_first(self, bastion: _Bastion, effort: Effort, behind: tuple[SSHOptions, ...]) -> tuple[str, ...]:
        options, own = bastion.options, Effort(bastion.deadline, effort.keys)

        def work() -> Peer:
            try:
                peer = self.connect(options, own, behind)
                peer.socket.settle()
                peer.socket.relax()
                return peer
            except BaseException:
                with self._lock:  # before those who wait look again
                    if self._bastions.get(options) is bastion:
                        del self._bastions[options]
                raise

        peer = bastion.opening.open(work)
        effort.add_asked(own.phases.get("asked", 0.0))
        return tuple(f"jump host {options.host}: {notice}" for notice in peer.notices)

    def _release(self, bastion: _Bastion) -> None:
        with self._lock:
            bastion.users -= 1
            if bastion.users:
                return
            if self._bastions.get(bastion.options) is bastion:
                del self._bastions[bastion.options]
        _close(bastion)

    def close(self) -> None:
        """Cut every connection to a jump host, and with it those behind it, and what is still connecting."""
        with self._lock:
            self._closed = True
            bastions, self._bastions = list(self._bastions.values()), {}
            connecting = list(self._connecting)
        for stream in connecting:
            stream.sever()
        for bastion in bastions:
            _close(bastion)


def _wait(bastion: _Bastion, effort: Effort) -> bool:
    """Wait until another has connected to a jump host, or failed; whether that was in time. What a person is asked
    meanwhile is time of nobody's."""
    asking, before = effort.keys.asking, effort.keys.asking.seconds()
    asked = 0.0
    while not (done := bastion.opening.wait(max(effort.deadline + asked - time.monotonic(), 0.05))):
        asked = asking.seconds() - before
        if time.monotonic() >= effort.deadline + asked:
            break
    asked = asking.seconds() - before
    effort.add_asked(asked)
    return done


def _close(bastion: _Bastion) -> None:
    peer = bastion.opening.value
    if peer is not None:
        peer.close()
        if peer.transport is not threading.current_thread():
            peer.transport.join(JOIN)


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


def _of_jump_host(error: ConnectError, host: ResolvedHost, jump: SSHOptions) -> ConnectError:
    """What went wrong with a jump host, as an error of the host behind it."""
    hint = error.hint
    if isinstance(error, AuthenticationError) and host.options.key_filenames:
        hint = f"{hint} The key named is for {host.name} alone, as with ssh; give {jump.host} an IdentityFile.".strip()
    message = error.message
    if error.stage != "jump":
        message = f"jump host {jump.host}: {message} (its stage {error.stage})"
    return type(error)(message, host.name, "jump", hint, error.diagnostics, error.exit_status)
