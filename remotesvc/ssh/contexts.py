"""The contexts of one router that are reached over SSH: one for each set of options, and what is known of hosts."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from remotesvc import ssh
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.launch.connection import Connection
from remotesvc.launch.tree import Tree, process_name
from remotesvc.once import OnceEach

from .configuration.options import SSHOptions
from .login.keyring import KeyRing
from .pythons import Pythons

if TYPE_CHECKING:
    from remotesvc.calling.context import Context

    from .configuration.ssh_says import Answers
    from .jump_hosts import JumpHosts
    from .openssh.path import OpenSSHPath
    from .openssh.plan import OpenSSHHost
    from .openssh.replies import Secretary
    from .paths.channel import ParamikoPath
    from .peer import Peer

_LOG = logging.getLogger("remotesvc")

Asked = tuple[SSHOptions, str, tuple[tuple[str, Any], ...]]
"""What makes two requests the same: options, display name, settings."""


class SSHContexts:
    """Opens contexts over SSH. Thread-safe."""

    def __init__(self, tree: Tree, keys: KeyRing, pythons: Pythons) -> None:
        self.pythons = pythons
        self._tree = tree
        self._keys = keys
        self._lock = threading.Lock()
        self._jump_hosts: JumpHosts | None = None
        self._answers: Answers | None = None
        self._shared_secretary: Secretary | None = None
        self._shared: OnceEach[Asked, Context] = OnceEach(lambda context: tree.lives(context.id))

    def context(self, options: SSHOptions, name: str, settings: dict[str, Any], fresh: bool = False) -> Context:
        """A context on a host: the one that there is for the same request, if it lives and `fresh` is not set.

        Raises a ConnectError; see `ssh.open`.
        """
        if fresh:
            return self._open(options, name, settings)
        if len(self._shared) > 64 + 2 * len(self._tree.router.links):  # many are gone
            self._shared.sweep()
        asked = (options, name, tuple(sorted(settings.items())))
        context, first = self._shared.get(asked, lambda: self._open(options, name, settings))
        return context if first else context.options()

    def _open(self, options: SSHOptions, name: str, settings: dict[str, Any]) -> Context:
        begun = time.monotonic()
        phases: dict[str, float] = {}
        bundle, own_name = self._tree.bundle, process_name()
        place = ("", "")

        def command_at(where: tuple[str, str]) -> str:
            nonlocal place
            place = where
            return bundle.shell_command(own_name, options.python, self.pythons.interpreter(where))

        path: ParamikoPath | OpenSSHPath
        deadline = begun + options.connect_timeout
        self._tree.router.alive()  # before there is a process, or a connection, that nobody would end
        try:
            if options.transport == "openssh":
                from .openssh import opening as openssh

                path = openssh.open(options, lambda host: command_at(_place_by_way(host)), deadline, phases,
                                    self._secretary(), lambda word: _LOG.warning("%s: %s", name, word),
                                    self._ssh_answers())
            else:
                path = ssh.open(options, lambda peer: command_at(_place(peer)), (), deadline, phases, self._keys,
                                self.jump_hosts(), name)
        except ConnectError:
            self._tree.router.alive()  # closed meanwhile: that is why
            raise

        def remember(info: dict[str, Any]) -> None:
            if self.pythons.learn(place, options.python, info):  # on the reader, which must not write
                self._tree.callbacks.run(self.pythons.keep, place, options.python)

        try:
            peer = path.peer
            for notice in peer.notices:
                _LOG.warning("%s: %s", name, notice)
            interval = peer.host.alive_interval
            alive = None if interval is None else (interval, interval * peer.host.alive_count)
            # Where we have been before, bytecode is in the first flight.
            magic = self.pythons.magic(place, options.python)
        except BaseException:  # Ctrl-C, or a handler of the user's log that raises
            path.abandon()
            raise
        return self._tree.adopt(
            Connection(path, name, options.connect_timeout, phases, begun, alive, remember, magic), settings)

    def _secretary(self) -> Secretary:
        """Who answers the questions of `ssh` processes."""
        from .openssh.replies import Secretary

        with self._lock:
            if self._shared_secretary is None:
                self._shared_secretary = Secretary(self._keys)
            return self._shared_secretary

    def _ssh_answers(self) -> Answers:
        """What ssh says of hosts."""
        from .configuration.ssh_says import Answers

        with self._lock:
            if self._answers is None:
                self._answers = Answers()
            return self._answers

    def jump_hosts(self) -> JumpHosts:
        """The connections to jump hosts, which all hosts behind them share."""
        from .paramiko_import import load_paramiko

        load_paramiko()
        from .jump_hosts import JumpHosts

        answers = self._ssh_answers()
        with self._lock:
            if self._jump_hosts is None:
                self._jump_hosts = JumpHosts(answers)
            return self._jump_hosts

    def close(self) -> None:
        """Cut the connections to jump hosts, and what is still connecting; the contexts are closed by now."""
        if self._jump_hosts is not None:
            self._jump_hosts.close()


def _place(peer: Peer) -> tuple[str, str]:
    """What a host is known by: the fingerprint of its key, and the user whose PATH was searched."""
    return peer.fingerprint, peer.host.user


def _place_by_way(host: OpenSSHHost) -> tuple[str, str]:
    """What a host is known by where ssh alone sees its key: the way there, and the user."""
    return f"{host.hostname}:{host.port} by {host.jump or host.proxy_command}", host.user
