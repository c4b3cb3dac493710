"""One link: its writers take turns."""

from __future__ import annotations

import os
import signal
import threading
import time
import types
from functools import partial
from typing import Any

import pytest

from remotesvc.bootstrap.links import patience, stdio, wire
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.links.stdio import FdPath
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.bootstrap.routing.closing import part
from remotesvc.launch.process import STATUS_WAIT
from remotesvc.testing.memory import CUT, MemoryPath, pair
from tests.kernel.rawpeer import LIMIT
from tests.threads import beside


def end(link: Link, one: MemoryPath, other: MemoryPath) -> None:
    """Start to read, so that there is a reader to end, and part."""
    one.start(link.feed, link.fail)
    part(link, "the end")
    link.join(LIMIT)
    one.join(LIMIT)
    other.join(LIMIT)


def test_a_link_has_one_writer_at_a_time() -> None:
    """Callers that write their own frames, the writer thread, and what the reader has said: never two at once."""
    one, other = pair(2000)
    link = Link(one, 1, lambda link, frame: None, lambda link, reason: None)
    got: list[Frame] = []
    decoder, whole = wire.Decoder(), threading.Event()

    def feed(data: bytes) -> None:
        got.extend(decoder.feed_untrusted(data))
        received = sum(len(frame.payload) + wire.SIZE for frame in got)
        if got[-1].kind != wire.BYE:
            other.write([Frame(wire.ACK, handle=received).pack()])
        # Besides these the link acknowledges what we say, more or less often: it depends on who comes to run when.
        if sum(frame.kind in (wire.MESSAGE, wire.PING) for frame in got) == 1200:
            whole.set()

    def post(key: int) -> None:
        for number in range(300):
            frame = Frame(wire.MESSAGE, stream=key, handle=number, payload=bytes(100))
            link.send(key, 0, [frame.pack()], wire.SIZE + 100, True)

    one.start(link.feed, link.fail)
    other.start(feed, lambda reason: None)
    with beside(partial(post, key) for key in (20, 21, 22)):
        for number in range(300):
            link.control(Frame(wire.PING, handle=number))
    assert whole.wait(LIMIT), (len(got), link.broken)
    assert (link.broken, link.closed) == (None, "")
    for key in (20, 21, 22):
        assert [frame.handle for frame in got if frame.stream == key] == list(range(300))
    part(link, "the end")
    link.join(LIMIT)
    one.join(LIMIT)
    other.join(LIMIT)


def test_the_writer_waits_for_a_caller_that_writes() -> None:
    one, other = pair(100)
    link = Link(one, 1, lambda link, frame: None, lambda link, reason: None)
    got: list[Frame] = []
    decoder, whole = wire.Decoder(), threading.Event()
    entered = threading.Semaphore(0)

    class Watched:
        """The path, telling of each write that begins."""

        close, exit_status = one.close, one.exit_status

        @staticmethod
        def write(buffers: list[Any]) -> None:
            entered.release()
            one.write(buffers)

    def feed(data: bytes) -> None:
        got.extend(decoder.feed_untrusted(data))
        if len(got) == 3:
            whole.set()

    link.path = Watched
    frame = Frame(wire.MESSAGE, stream=20, payload=bytes(1000))
    caller = threading.Thread(target=link.send, args=(20, 0, [frame.pack()], wire.SIZE + 1000, True))
    caller.start()
    assert entered.acquire(timeout=LIMIT)
    link.control(Frame(wire.PING, handle=1))
    link.send(20, 0, [frame.pack()], wire.SIZE + 1000, True)
    assert not entered.acquire(timeout=0.2), "two write at once"
    other.start(feed, lambda reason: None)
    caller.join(LIMIT)
    assert whole.wait(LIMIT)
    assert [frame.kind for frame in got] == [wire.MESSAGE, wire.PING, wire.MESSAGE]
    end(link, one, other)


def test_a_writer_that_cannot_be_started_is_started_by_the_next_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair(1000)
    link = Link(one, 1, lambda link, frame: None, lambda link, reason: None)
    got: list[Frame] = []
    decoder, whole = wire.Decoder(), threading.Event()

    def feed(data: bytes) -> None:
        got.extend(decoder.feed_untrusted(data))
        if len(got) == 2:
            whole.set()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    other.start(feed, lambda reason: None)
    frame = Frame(wire.MESSAGE, stream=20, payload=bytes(100))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            link.send(20, 0, [frame.pack()], wire.SIZE + 100, False)
    link.send(20, 0, [frame.pack()], wire.SIZE + 100, False)
    assert whole.wait(LIMIT), "what queued while there was no writer is never written"
    end(link, one, other)


class SoftTimeLimit(Exception):
    """What somebody's handler of a signal may raise."""


@pytest.mark.parametrize("kind", [SoftTimeLimit, TimeoutError, BrokenPipeError, KeyboardInterrupt])
def test_what_a_handler_raises_in_the_middle_of_a_frame_reaches_who_sends_and_the_frame_is_written_whole(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """TimeoutError is an OSError, and so was taken for one of the link; any other Exception ended the link, too."""
    monkeypatch.setattr(stdio, "_widen", lambda fd: None)
    (far, write_fd), (read_fd, unused) = os.pipe(), os.pipe()
    path, lost = FdPath(read_fd, write_fd), list[str]()
    link = Link(path, 1, lambda link, frame: None, lambda link, reason: lost.append(reason))
    path.start(link.feed, link.fail)

    def stop(*_: object) -> None:
        raise kind("too long")

    frame = Frame(wire.MESSAGE, stream=20, payload=bytes(40000))
    before = signal.signal(signal.SIGALRM, stop)
    try:
        os.set_blocking(write_fd, False)
        filler = os.write(write_fd, bytes(1 << 20))
        os.set_blocking(write_fd, True)
        assert len(os.read(far, 8192)) == 8192  # room for a part of the frame
        with pytest.raises(kind, match="too long"):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            link.send(20, 0, [frame.pack()], wire.SIZE + 40000, True)
        assert link.broken is None
        assert not lost
        link.send(20, 0, [Frame(wire.MESSAGE, stream=20, handle=7).pack()], wire.SIZE, True)
        left = filler - 8192
        while left:
            left -= len(os.read(far, left))
        decoder, got = wire.Decoder(), list[Frame]()
        while len(got) < 2:
            got += decoder.feed_untrusted(os.read(far, 65536))
        assert [(each.handle, len(each.payload)) for each in got] == [(0, 40000), (7, 0)]
        assert link.flight.sent == 40000 + 2 * wire.SIZE
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        part(link, "the end")
        link.join(LIMIT)
        assert path._thread is not None
        path._thread.join(LIMIT)
        os.close(far)
        os.close(unused)


def test_a_cut_in_memory_is_one_for_both_ends_whoever_notices_it_first() -> None:
    one, other = pair()
    ends: list[str] = []
    one._outgoing.change(_left=0)  # half of what `cut_after` does: the other end may notice, and close, before the rest
    other.start(lambda data: None, ends.append)
    other.join(LIMIT)
    one.cut_after(0)
    one.start(lambda data: None, ends.append)
    one.join(LIMIT)
    assert ends == [CUT, CUT]


def test_the_reader_may_explain_first_why_nothing_can_be_written() -> None:
    """It waits for the exit status; and after a stop of this process it has not had its time yet."""
    link = Link(pair()[0], 1, lambda link, frame: None, lambda link, reason: None)
    now = time.monotonic()
    link.broken = now, "cannot write to the link"
    patience.listen(link, now + STATUS_WAIT + 0.5)
    assert link.closed == ""
    link.broken = now - 60, "cannot write to the link"
    patience.start_again(types.SimpleNamespace(links={1: link}))
    patience.listen(link, time.monotonic())
    assert link.closed == ""
    patience.listen(link, time.monotonic() + patience.BROKEN_AFTER + 0.1)
    assert link.closed == "cannot write to the link"
    link.join(LIMIT)


def pinged_by(link: Link, writers: list[str]) -> Any:
    """The link's path, noting which threads write to it."""
    path = link.path

    def write(buffers: list[Any]) -> None:
        writers.append(threading.current_thread().name)
        path.write(buffers)

    return types.SimpleNamespace(write=write, close=path.close)


def test_many_silent_neighbours_are_asked_by_one_thread_and_one_that_keeps_it_holds_up_nobody() -> None:
    """Waking a writer for each would cost more than what it writes."""
    asked: list[int] = []
    changed = threading.Condition()
    links, paths, writers = [], [], list[str]()

    def hear(number: int) -> Any:
        decoder = wire.Decoder()

        def feed(data: bytes) -> None:
            with changed:
                asked.extend(number for frame in decoder.feed_untrusted(data) if frame.kind == wire.PING)
                changed.notify_all()

        return feed

    def until_asked(count: int) -> list[int]:
        with changed:
            assert changed.wait_for(lambda: len(asked) >= count, LIMIT), asked
            return sorted(asked)

    for number in range(10):
        # The last but one takes a few bytes, and nobody reads them for now.
        one, other = pair(10 if number == 8 else 1000)
        link = Link(one, number, lambda link, frame: None, lambda link, reason: None)
        link.path = pinged_by(link, writers)
        links.append(link)
        paths.append((one, other))
        if number != 8:
            other.start(hear(number), lambda reason: None)
    patience.ask(links)
    assert until_asked(8) == list(range(8))
    patience.ask(links)  # the next look: nobody has answered
    assert until_asked(17) == sorted([*range(8), *range(8), 9])
    assert set(writers) == {"remotesvc-pings"}
    paths[8][1].start(hear(8), lambda reason: None)
    assert until_asked(20) == sorted([*range(10), *range(10)])  # the second question waited for the first
    assert [link.broken for link in links] == [None] * 10
    for link, (one, other) in zip(links, paths, strict=True):
        end(link, one, other)


def test_a_few_silent_neighbours_are_asked_by_their_own_writers() -> None:
    writers: list[str] = []
    one, other = pair()
    link = Link(one, 1, lambda link, frame: None, lambda link, reason: None)
    link.path = pinged_by(link, writers)
    heard = threading.Event()
    other.start(lambda data: heard.set(), lambda reason: None)
    patience.ask([link])
    assert heard.wait(LIMIT)
    assert writers == ["remotesvc-writer"]
    end(link, one, other)
