"""What one thread begins while another ends it: a router that is closed while it starts a child, routes and streams
that are dropped while they are made."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Router, ssh
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.launch.become import BecomePath
from remotesvc.launch.process import ProcessPath
from remotesvc.launch.sudo import Sudo
from remotesvc.testing.sshd import EmbeddedServer
from remotesvc.testing.tree import MemoryTree
from tests.kernel.contexts import LIMIT, gone, until
from tests.kernel.rawpeer import RawPeer
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.tree_fixtures")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _nothing_is_left(pid: int, before: int) -> None:
    """The process is gone, and no more files are open than `before`."""
    gone(pid)
    until(lambda: _open_files() <= before)


def test_a_router_closed_before_it_has_the_process_leaves_nothing(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody had it then: it went on, and so did its pipes."""
    make, pids = ProcessPath.__init__, []

    def closed_meanwhile(path: ProcessPath, *args: Any, **options: Any) -> None:
        make(path, *args, **options)
        pids.append(path.pid)
        router.close()

    before = _open_files()
    monkeypatch.setattr(ProcessPath, "__init__", closed_meanwhile)
    with pytest.raises(remotesvc.RouterClosed):
        router.local()
    _nothing_is_left(pids[0], before)


@pytest.mark.parametrize("thread", ["remotesvc-timers", "remotesvc-reader"])
def test_a_child_is_gone_where_no_thread_can_be_started_for_it(
    router: Router, monkeypatch: pytest.MonkeyPatch, thread: str
) -> None:
    """The process is gone, the error says what to do, and the next one is luckier."""
    start, make, pids = threading.Thread.start, ProcessPath.__init__, []

    def limited(self: threading.Thread) -> None:
        if self.name == thread:
            raise RuntimeError("can't start new thread")
        start(self)

    def made(path: ProcessPath, *args: Any, **options: Any) -> None:
        make(path, *args, **options)
        pids.append(path.pid)

    monkeypatch.setattr(ProcessPath, "__init__", made)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", limited)
        with pytest.raises(remotesvc.BootstrapError, match="can't start new thread") as caught:
            router.local()
    assert "ulimit -u" in caught.value.hint
    gone(pids[0])
    assert not router.kernel.links
    assert router.local().call("os:getppid") == os.getpid()


def test_a_router_closed_before_there_is_a_reader_leaves_nothing(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It closed descriptors twice, by then perhaps another's, and told nobody."""
    begin, pids = ProcessPath.start, []

    def closed_first(path: ProcessPath, *args: Any) -> None:
        pids.append(path.pid)
        router.close()
        begin(path, *args)

    before = _open_files()
    monkeypatch.setattr(ProcessPath, "start", closed_first)
    with pytest.raises(remotesvc.RouterClosed):
        router.local()
    _nothing_is_left(pids[0], before)


def test_ctrl_c_while_the_reader_of_a_new_context_starts_closes_each_descriptor_once(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader was there and nobody knew: what it had still to close was closed under it, and then another's."""
    start, make, close, pids = threading.Thread.start, ProcessPath.__init__, os.close, []
    twice: list[int] = []

    def interrupted(self: threading.Thread) -> None:
        start(self)
        if self.name == "remotesvc-reader":
            raise KeyboardInterrupt

    def made(path: ProcessPath, *args: Any, **options: Any) -> None:
        make(path, *args, **options)
        pids.append(path.pid)

    def closing(fd: int) -> None:
        try:
            close(fd)
        except OSError:
            twice.append(fd)

    router.local().call("os:getpid")
    before = _open_files()
    with monkeypatch.context() as patch:
        patch.setattr(ProcessPath, "__init__", made)
        patch.setattr(os, "close", closing)
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            router.local()
        _nothing_is_left(pids[0], before)
        until(lambda: sum(thread.name == "remotesvc-reader" for thread in threading.enumerate()) == 1)
    assert twice == []


@pytest.mark.parametrize("step", ["os:dup", "os:pipe", "fcntl:fcntl", "remotesvc.launch.process:watch"])
def test_ctrl_c_while_the_pipes_of_a_new_process_are_made_leaves_nothing(
    router: Router, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    module, name = step.split(":")
    place = __import__(module, fromlist=["_"])
    make, pids = subprocess.Popen.__init__, list[int]()

    def interrupted(*args: Any) -> Any:
        if pids:
            raise KeyboardInterrupt
        return real(*args)

    def made(process: Any, *args: Any, **options: Any) -> None:
        make(process, *args, **options)
        pids.append(process.pid)

    router.local().call("os:getpid")
    before, real = _open_files(), getattr(place, name)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", made)
        patch.setattr(place, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            router.local()
    _nothing_is_left(pids[0], before)


def test_a_connection_that_is_made_while_the_router_is_closed(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stayed, and with it the program on the target."""
    paths: list[Any] = []
    connect = ssh.open

    def closed_meanwhile(*args: Any, **options: Any) -> Any:
        paths.append(connect(*args, **options))
        router.close()
        return paths[0]

    monkeypatch.setattr(ssh, "open", closed_meanwhile)
    with EmbeddedServer() as server:
        with pytest.raises(remotesvc.RouterClosed):
            router.ssh(server.host, port=server.port, user=server.user, key_filename=server.key_file,
                       known_hosts=server.known_hosts_file)
        paths[0].join(LIMIT)
        assert not paths[0].peer.transport.is_active()


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_a_router_closed_while_another_thread_connects(router: Router, greeting: bytes) -> None:
    """That one waited for a server that stalls, as long as it may."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        opening = pool.submit(router.ssh, "127.0.0.1", port=listener.getsockname()[1], ssh_config="none")
        connection, _ = listener.accept()
        with connection:
            connection.sendall(greeting)
            assert connection.recv(4096)
            watch = Stopwatch()
            router.close()
            assert isinstance(opening.exception(LIMIT), remotesvc.RouterClosed)
            assert watch.seconds < 3


def test_a_stream_that_ends_as_its_context_is_lost(tree: MemoryTree) -> None:
    """That was an error of the thread that told of the loss: nobody else heard of it."""
    node = tree.add()
    streams = tree.root.streams

    class Racing(dict[Any, Any]):
        """What another thread takes out between a look and a step."""

        def pop(self, key: Any, *default: Any) -> Any:
            super().pop(key, None)
            return super().pop(key, *default)

    streams.out(node.id, wire.CALLS)
    streams._outgoing = Racing(streams._outgoing)
    waits = tree.root.expect(node.id)
    assert node.path is not None
    node.path.close()
    assert waits.wait(LIMIT)


def test_a_route_that_is_announced_as_others_are_dropped(tree: MemoryTree) -> None:
    """It was an error of the thread that dropped them."""
    lost, hop = RawPeer(tree.root), RawPeer(tree.root)
    behind = hop.lease()
    routes = tree.root.hub.routes
    announced = threading.Event()

    class Slow(dict[Any, Any]):
        """Gone through so slowly that the other says its piece."""

        def items(self) -> Any:
            for number, item in enumerate(super().items()):
                if not number and not announced.is_set():
                    hop.send(Frame(wire.ROUTE_ADD, handle=behind))
                    announced.wait(0.5)  # until then, if nothing holds it up
                yield item

    routes.via = Slow(routes.via)
    add = routes.announce

    def announce(neighbour: int, context: int) -> bool:
        known: bool = add(neighbour, context)
        announced.set()
        return known

    routes.announce = announce
    waits = tree.root.expect(lost.id)
    lost.close()
    assert waits.wait(LIMIT)
    until(lambda: routes.towards(behind) == hop.id)
    hop.close()


def test_a_password_is_not_written_to_what_is_opened_next(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is given up between the program's question and our answer, and its number is another file's by then."""

    class Asks(Sudo):
        prompt = re.compile(r"password: \Z")

        def argv(self, *_about: Any) -> list[str]:
            return ["/bin/sh", "-c", "printf 'password: ' >&2; exec sleep 60"]

    path = BecomePath(router._tree.bundle, Asks(), sys.executable, "p", "h", "root", "s3cret")
    heard, over, opened = path._talk.heard, threading.Event(), list[int]()

    def given_up(text: str) -> str | None:
        answer: str | None = heard(text)
        closer = threading.Thread(target=path.close)
        closer.start()
        closer.join()
        while not opened or opened[-1] < path._write_fd:
            opened.append(os.open(tmp_path / "victim", os.O_CREAT | os.O_RDWR))
        return answer

    monkeypatch.setattr(path._talk, "heard", given_up)
    path.start(lambda data: None, lambda reason: over.set())
    assert over.wait(LIMIT)
    path.abandon()
    path.join(LIMIT)
    for fd in opened:
        os.close(fd)
    assert opened and not (tmp_path / "victim").read_bytes()


def test_a_router_is_closed_as_the_reader_of_a_child_is_started(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raised RuntimeError: a thread cannot be joined before it is started."""
    start, closing = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "remotesvc-reader":
            closing.append(pool.submit(router.close))
            time.sleep(0.5)
        start(thread)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        context = router.local()
        closing[0].result(LIMIT)
    with pytest.raises(remotesvc.Error):
        context.call("os:getpid")
