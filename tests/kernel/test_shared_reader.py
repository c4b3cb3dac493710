"""Many links that one thread reads: what comes is whole, and an end, a stream or stderr costs only its own link."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.bootstrap.links.stdio import READ
from remotesvc.launch import shared_reader
from remotesvc.launch.shared_reader import SharedPath, SharedReader
from tests.kernel import called, called_processes
from tests.kernel.contexts import LIMIT, until
from tests.kernel.forking import in_fork

pytest_plugins = ("tests.kernel.call_fixtures",)

SHARED = "remotesvc-shared-reader"


@pytest.fixture
def all_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few there are."""
    monkeypatch.setattr(shared_reader, "FEW", 0)


def running(name: str) -> int:
    """Threads of that name."""
    return sum(thread.name == name for thread in threading.enumerate())


class Ends:
    """A path whose other end is ours, and what it has delivered, each with the thread that did."""

    def __init__(self, reader: SharedReader) -> None:
        near, self.far = os.pipe()
        far, near_writing = os.pipe()
        self.far_reading = far
        self.path = SharedPath(near, near_writing)
        self.path.reader = reader
        self.fed: list[tuple[bytes, str]] = []
        self.reasons: list[str] = []
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.path.start(self._feed, self.reasons.append)

    def _feed(self, data: bytes) -> None:
        self.fed.append((data, threading.current_thread().name))
        self.on_data(data)

    def bring(self, data: bytes) -> str:
        """Send this and wait until it has been delivered; returns by whom the last of it was."""
        size = sum(len(data) for data, _ in self.fed) + len(data)
        done = 0
        while done < len(data):
            done += os.write(self.far, data[done:])
        until(lambda: sum(len(data) for data, _ in self.fed) >= size)
        return self.fed[-1][1]

    def shared(self) -> None:
        """Have it shared: its own thread brings one message, the next comes by the other."""
        self.path.settled()
        self.bring(b"first")
        until(lambda: running(SHARED) == 1)

    def close(self) -> None:
        self.path.close()
        until(lambda: len(self.reasons) == 1)
        for fd in (self.far, self.far_reading):
            os.close(fd)


@contextmanager
def ends(reader: SharedReader) -> Iterator[Ends]:
    made = Ends(reader)
    try:
        yield made
    finally:
        made.close()
    until(lambda: running(SHARED) == 0)


def test_a_path_is_not_shared_before_it_is_up() -> None:
    with ends(SharedReader(lambda: 1000)) as path:
        assert path.bring(b"hello") == "remotesvc-reader"
        path.shared()
        assert path.bring(b"hello") == SHARED


def test_a_few_paths_are_read_by_their_own_threads() -> None:
    with ends(SharedReader(lambda: shared_reader.FEW)) as path:
        path.path.settled()
        assert [path.bring(b"hello") for _ in range(3)] == 3 * ["remotesvc-reader"]
        assert running(SHARED) == 0


def test_what_streams_has_its_own_thread_until_it_is_quiet_again() -> None:
    with ends(SharedReader(lambda: 1000)) as path:
        path.shared()
        streamed = False

        def held(data: bytes) -> None:  # so that what follows comes in full reads
            until(lambda: streamed or len(data) == 1)

        path.on_data = held
        with ThreadPoolExecutor(1) as pool:
            bringing = pool.submit(path.bring, bytes(20 * READ))
            until(lambda: len(path.fed) > 1)
            streamed = True
            bringing.result(LIMIT)
        by = [path.bring(b"x") for _ in range(3 * shared_reader.CALM)]
        full = max(number for number, (data, _) in enumerate(path.fed) if len(data) >= READ)
        quiet = [name for _, name in path.fed[full + 1 : full + shared_reader.CALM]]
        assert quiet == len(quiet) * ["remotesvc-reader"] and by[-1] == SHARED
        assert b"".join(data for data, _ in path.fed) == b"first" + bytes(20 * READ) + len(by) * b"x"


def test_an_error_while_it_is_delivered_ends_only_that_path() -> None:
    reader = SharedReader(lambda: 1000)
    with ends(reader) as path, ends(reader) as other:
        for each in (path, other):
            each.path.settled()
            each.bring(b"first")

        def fails(data: bytes) -> None:
            raise ValueError("no such thing")

        path.on_data = fails
        os.write(path.far, b"second")
        until(lambda: path.reasons == ["cannot read: no such thing"])
        assert other.bring(b"goes on") == SHARED


def test_without_room_for_another_descriptor_paths_are_read_by_their_own_threads(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with ends(SharedReader(lambda: 1000)) as path, monkeypatch.context() as patch:
        patch.setattr(selectors, "DefaultSelector", none_left)
        path.path.settled()
        assert {path.bring(b"hello") for _ in range(3)} == {"remotesvc-reader"}
        patch.undo()
        assert SHARED in [path.bring(b"hello") for _ in range(2 * shared_reader.CALM)]


def test_many_children_answer_by_one_thread_and_each_its_own(router: Router) -> None:
    contexts = [router.local() for _ in range(shared_reader.FEW + 4)]
    for _ in range(3):
        futures = [context.submit(called.echo, number) for number, context in enumerate(contexts)]
        assert [future.result(LIMIT) for future in futures] == list(range(len(contexts)))
    assert running(SHARED) == 1
    big = [context.submit(called.echo, bytes([number]) * 3_000_000) for number, context in enumerate(contexts)]
    assert [future.result(LIMIT) == bytes([number]) * 3_000_000 for number, future in enumerate(big)] == (
        len(contexts) * [True])
    for context in contexts:
        context.close()
    until(lambda: running(SHARED) == 0)


def test_a_killed_child_is_lost_with_its_reason_and_the_others_go_on(all_shared: None, router: Router) -> None:
    contexts = [router.local() for _ in range(3)]
    pids = [context.call(os.getpid) for context in contexts]
    assert [context.call(os.getpid) for context in contexts] == pids and running(SHARED) == 1
    waiting = contexts[0].submit(time.sleep, 600)
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(remotesvc.Lost, match="killed by SIGKILL"):
        waiting.result(LIMIT)
    assert [context.call(os.getpid) for context in contexts[1:]] == pids[1:]


def test_what_a_child_says_on_stderr_is_heard(all_shared: None, router: Router) -> None:
    context, other = router.local(), router.local()
    pids = [each.call(os.getpid) for each in (context, other)]
    assert [each.call(os.getpid) for each in (context, other)] == pids and running(SHARED) == 1
    with pytest.raises(remotesvc.Lost) as caught:
        context.call(called_processes.abort)
    assert "Fatal Python error" in caught.value.diagnostics
    assert other.call(os.getpid) == pids[1]


def test_a_fork_leaves_the_links_alone(all_shared: None, router: Router) -> None:
    contexts = [router.local() for _ in range(3)]
    for _ in range(2):
        assert len({context.call(os.getpid) for context in contexts}) == 3
    assert running(SHARED) == 1
    assert in_fork(lambda: 1) == "1"
    assert len({context.call(os.getpid) for context in contexts}) == 3


def test_calls_from_many_threads(all_shared: None, router: Router) -> None:
    contexts = [router.local() for _ in range(4)]

    def calls(number: int) -> bool:
        context = contexts[number % 4]
        return all(context.call(called.echo, (number, turn)) == (number, turn) for turn in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(calls, range(8)))

