"""Large frames of transfers, written by the threads that made them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from remotesvc import CallTimeout, Lost, NotSent, Router
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.credit import MIN_FLIGHT
from remotesvc.bootstrap.links.gauge import Gauge
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.bootstrap.routing.closing import part
from remotesvc.files import direct_write
from remotesvc.files.records import LARGEST
from remotesvc.testing.memory import pair
from tests.kernel.contexts import until
from tests.kernel.rawpeer import LIMIT
from tests.threads import together

pytest_plugins = ("tests.kernel.call_fixtures",)

SIZE = LARGEST + wire.SIZE


class Line:
    """A link whose other end keeps what it gets, and acknowledges it if it is told to."""

    def __init__(self) -> None:
        self.near, self.far = pair(1 << 21)
        self.link = Link(self.near, 1, lambda link, frame: None, lambda link, reason: None)
        self.link.flight.gauge = Gauge()
        self.link.flight.gauge.sent = lambda *known: None  # what this line carries is not the question
        self.acknowledges = True
        self.got: list[Frame] = []
        self.most = 0
        self._changed = threading.Condition()
        self._decoder = wire.Decoder()
        self.near.start(self.link.feed, self.link.fail)
        self.far.start(self._feed, lambda reason: None)

    def _feed(self, data: bytes) -> None:
        self.most = max(self.most, self.link.flight.flying)
        frames = self._decoder.feed_untrusted(data)
        with self._changed:
            self.got += frames
            self._changed.notify_all()
        if frames and frames[-1].kind != wire.BYE and self.acknowledges:
            with contextlib.suppress(OSError):  # all has come, and the test is over
                self.acknowledge()

    def acknowledge(self) -> None:
        """Say that all has been received that has come."""
        self.far.write([Frame(wire.ACK, handle=sum(len(frame.payload) + wire.SIZE for frame in self.got)).pack()])

    def write(self, key: int, number: int, give_up: bool = False, idle: float = LIMIT) -> bool:
        """Send one large frame."""
        frame = Frame(wire.MESSAGE, stream=key, handle=number)
        return direct_write.write(self.link, key, 0, [frame.header(LARGEST), bytes(LARGEST)], SIZE,
                           lambda: give_up, idle)

    def wait(self, count: int) -> list[tuple[int, int, int]]:
        """The first frames that have come: (kind, stream, handle)."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, LIMIT), (len(self.got), self.link.broken)
        return [(frame.kind, frame.stream, frame.handle) for frame in self.got]

    @property
    def has_writer(self) -> bool:
        """Did a thread have to be started that writes?"""
        return any(thread.name == "remotesvc-writer" for thread in threading.enumerate())


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    part(line.link, "the end")
    line.link.join(LIMIT)
    line.near.join(LIMIT)
    line.far.join(LIMIT)


def test_a_thread_writes_its_own_frames_as_there_is_room(line: Line) -> None:
    for number in range(40):
        assert line.write(20, number)
    assert not line.has_writer
    assert line.wait(40) == [(wire.MESSAGE, 20, number) for number in range(40)]
    assert line.most <= MIN_FLIGHT + SIZE


def test_what_goes_ahead_of_all_goes_ahead_of_a_large_frame(line: Line) -> None:
    line.link.corked = True
    line.link.control(Frame(wire.PING, handle=7))
    assert line.write(20, 1)
    assert line.wait(2) == [(wire.PING, 0, 7), (wire.MESSAGE, 20, 1)]
    assert not line.has_writer
    line.link.corked = False


def test_a_large_frame_stays_behind_a_small_one_that_nobody_acknowledges(line: Line) -> None:
    line.acknowledges = False
    line.link.corked = True
    line.link.send(20, 0, [Frame(wire.MESSAGE, stream=20, handle=1).pack()], wire.SIZE, False)
    assert line.write(20, 2)
    assert line.wait(2) == [(wire.MESSAGE, 20, 1), (wire.MESSAGE, 20, 2)]
    line.link.corked = False


def test_threads_take_turns(line: Line) -> None:
    def post(key: int) -> None:
        for number in range(20):
            assert line.write(key, number)

    def mention(key: int) -> None:
        for number in range(200):
            assert line.link.send(key, 0, [Frame(wire.MESSAGE, stream=key, handle=number).pack()], wire.SIZE, True)

    together(partial(work, key) for key, work in ((20, post), (21, post), (22, mention)))
    got = line.wait(240)
    assert line.link.broken is None  # as it would be if two had written at once
    for key, count in ((20, 20), (21, 20), (22, 200)):
        assert [number for kind, stream, number in got if stream == key] == list(range(count))


def test_an_acknowledgement_ends_the_wait(line: Line) -> None:
    line.acknowledges = False
    assert line.write(20, 1)
    assert line.write(20, 2)
    waiting = threading.Thread(target=line.write, args=(20, 3))
    waiting.start()
    line.wait(2)
    line.acknowledge()
    waiting.join(LIMIT)
    assert line.wait(3)[-1] == (wire.MESSAGE, 20, 3)


def test_who_gives_up_does_not_wait_for_room(line: Line) -> None:
    line.acknowledges = False
    assert line.write(20, 1)
    assert line.write(20, 2)
    assert line.write(20, 3, give_up=True)
    line.wait(2)
    line.acknowledge()
    assert line.wait(3)[-1] == (wire.MESSAGE, 20, 3)


def test_a_wait_for_room_ends_if_nothing_is_acknowledged(line: Line) -> None:
    line.acknowledges = False
    assert line.write(20, 1)
    assert line.write(20, 2)
    with pytest.raises(CallTimeout, match="nothing was acknowledged for 0.1 s"):
        line.write(20, 3, idle=0.1)
    line.wait(2)
    line.acknowledge()
    assert line.write(20, 4)
    assert line.wait(3)[-1] == (wire.MESSAGE, 20, 4)


def test_on_a_long_line_frames_wait_in_the_queue(line: Line) -> None:
    line.acknowledges = False
    line.link.flight.limit = 6 * SIZE
    for number in range(12):  # with nobody who would acknowledge one of them
        assert line.write(20, number)
    assert line.wait(6) == [(wire.MESSAGE, 20, number) for number in range(6)]
    line.link.flight.limit = 12 * SIZE
    line.acknowledge()
    line.wait(12)


def test_a_closed_link_takes_nothing(line: Line) -> None:
    line.link.fail("closed for this test")
    assert not line.write(20, 1)


def test_who_waits_for_room_is_woken_when_the_link_is_lost(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without looking: that would be too late for this test."""
    monkeypatch.setattr(direct_write, "_LOOK", 10 * LIMIT)
    context = router.local()
    pid = context.call("os:getpid")
    link = context.tree.router.links[context.id]
    link.flight.gauge.sent = lambda *known: None  # what this line carries is not the question

    class Source:
        """Endless; when the transfer is on its way, its target stops."""

        reads = 0

        def read(self, size: int) -> bytes:
            self.reads += 1
            if self.reads == 3:
                os.kill(pid, signal.SIGSTOP)
            return bytes(size)

    source, errors = Source(), list[BaseException]()

    def push() -> None:
        try:
            context.push(source, str(tmp_path / "there"))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=push)
    thread.start()
    flight = link.flight
    until(lambda: source.reads >= 3 and flight.gauge.room is not None and flight.flying >= flight.limit)
    os.kill(pid, signal.SIGKILL)
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert isinstance(errors[0], (Lost, NotSent))
