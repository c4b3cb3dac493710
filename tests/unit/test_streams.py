"""The books of one context: messages put together under credit, and what is sent to others."""

from __future__ import annotations

import itertools
import random
import struct
import threading
import time
from typing import Any

import pytest

from remotesvc.bootstrap.errors import CallTimeout, NotSent, WireError
from remotesvc.bootstrap.links import streams as module
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.credit import WIDE_WINDOW, WINDOW
from remotesvc.bootstrap.links.streams import MAX_HELD, MESSAGE_COST
from remotesvc.bootstrap.links.wire import Frame
from tests.unit.stream_books import LIMIT, MIB, OTHER, SRC, Books, Sender, cost, cut

pytest_plugins = ("tests.unit.stream_fixtures",)


# -- messages towards us


def test_a_small_message_is_one_frame(books: Books) -> None:
    flags, body, owed = books.take(Frame(wire.MESSAGE, wire.TAGGED, wire.CALLS, 0, SRC, payload=b"abc"))
    assert (flags, body) == (wire.TAGGED, b"abc")
    assert books.link.held > 0
    books.streams.consumed(SRC, owed)
    assert books.link.held == 0


def test_small_messages_are_granted_back_together(books: Books) -> None:
    frame = Frame(wire.MESSAGE, 0, wire.OUTPUT, 0, SRC, payload=bytes(1000))
    sent = 0
    while not books.grants:
        sent += cost(frame)
        books.streams.consumed(SRC, books.take(frame)[2])
        assert sent < WINDOW
    assert books.grants == {(SRC, wire.OUTPUT): sent}


def test_a_large_message_is_whole_after_its_last_frame(books: Books) -> None:
    frames, before = cut(3 * wire.FRAGMENT, flags=wire.END | wire.TAGGED), books.room
    assert [books.take(frame) for frame in frames[:-1]] == [None] * (len(frames) - 1)
    assert books.room == before - 3 * wire.FRAGMENT
    flags, body, owed = books.take(frames[-1])
    assert flags & (wire.MORE | wire.FIRST) == 0
    assert flags & wire.END
    assert bytes(body) == bytes(3 * wire.FRAGMENT)
    books.streams.consumed(SRC, owed)
    assert books.room == before
    assert books.link.held == 0


def test_fragments_are_granted_back_as_they_come(books: Books) -> None:
    sender = Sender(books, 20 * MIB, 20)
    while sender.pump():
        pass
    assert sender.frames == []
    assert sender.whole is not None


def test_streams_of_several_messages_do_not_mix(books: Books) -> None:
    senders = [Sender(books, 2 * MIB + index, 20 + index, src) for index, src in enumerate((SRC, SRC, OTHER))]
    sequence = random.Random(1)
    while any(sender.whole is None for sender in senders):
        sequence.choice(senders).pump()
    assert [len(sender.whole[1]) for sender in senders] == [2 * MIB, 2 * MIB + 1, 2 * MIB + 2]


def test_small_messages_on_a_stream_between_large_ones(books: Books) -> None:
    """A generator's stream: items of any size, one after the other."""
    small = Frame(wire.MESSAGE, wire.STREAM, 20, 0, SRC, payload=b"item")
    for size in (0, 300_000, 0, 500_000):
        frames = cut(size, flags=0) if size else [small]
        wholes = [books.take(frame) for frame in frames]
        assert wholes[:-1] == [None] * (len(frames) - 1)
        assert len(wholes[-1][1]) == size or wholes[-1][1] == b"item"
        books.streams.consumed(SRC, wholes[-1][2])


def test_many_streams_of_tiny_messages_that_nobody_reads_are_no_crime(books: Books) -> None:
    """Their windows count what a message costs besides its bytes, so a few hundred honest streams may be full."""
    streams = range(20, 20 + MAX_HELD // WINDOW)
    for stream in streams:
        frame = Frame(wire.MESSAGE, wire.STREAM, stream, 0, SRC, payload=b"1")
        for _ in range(WINDOW // cost(frame)):
            assert books.take(frame) is not None
        with pytest.raises(WireError, match="window"):
            books.take(frame)
    assert books.link.failed == ""
    assert books.link.held > MAX_HELD * 3 // 4


@pytest.mark.parametrize("stream", [wire.CALLS, wire.REPLIES, wire.OUTPUT, wire.LOGS, wire.MODULES, 20])
def test_a_sender_that_ignores_its_window(books: Books, stream: int) -> None:
    window = WIDE_WINDOW if stream in (wire.CALLS, wire.REPLIES) else WINDOW
    frame = Frame(wire.MESSAGE, 0, stream, 0, SRC, payload=bytes(100_000))
    for _ in range(window // cost(frame)):
        assert books.take(frame) is not None
    with pytest.raises(WireError, match="window"):
        books.take(frame)


def test_ending_streams_escapes_no_bound(books: Books) -> None:
    """Messages that each end a stream of their own leave no window behind, and are counted all the same."""
    payload = bytes(120_000)
    for stream in itertools.count(20):
        books.take(Frame(wire.MESSAGE, wire.END, stream, 0, SRC, payload=payload))
        if books.link.failed:
            break
        assert stream * len(payload) < 2 * module.MAX_HELD
    assert "more messages than anybody here takes" in books.link.failed


def test_empty_messages_are_not_for_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", MIB)
    for stream in range(20, 20 + MIB // module.MESSAGE_COST):
        books.take(Frame(wire.MESSAGE, wire.END, stream, 0, SRC))
    assert books.link.failed


def test_streams_that_are_open_are_counted(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 10)
    for stream in range(20, 30):
        books.take(Frame(wire.MESSAGE, 0, stream, 0, SRC, payload=b"x"))
    with pytest.raises(WireError, match="streams are open"):
        books.take(Frame(wire.MESSAGE, 0, 30, 0, SRC, payload=b"x"))
    books.take(Frame(wire.MESSAGE, wire.END, 29, 0, SRC, payload=b"x"))
    books.take(Frame(wire.MESSAGE, 0, 30, 0, SRC, payload=b"x"))


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(wire.MESSAGE, wire.FIRST, 20, 0, SRC, payload=b"\0")],
        [Frame(wire.MESSAGE, wire.FIRST | wire.MORE, 20, 0, SRC, payload=struct.pack(">I", 2**32 - 1))],
        [*cut(300_000)[:1], Frame(wire.MESSAGE, 0, 20, 0, SRC, payload=b"too short")],
        [*cut(300_000), *[Frame(wire.MESSAGE, wire.FIRST, 20, 0, SRC, payload=struct.pack(">I", 4) + b"abcde")]],
    ],
)
def test_messages_that_do_not_add_up(books: Books, frames: list[Frame]) -> None:
    with pytest.raises(WireError):
        for frame in frames:
            books.take(frame)


# -- towards others


def test_stream_numbers_are_new(books: Books) -> None:
    numbers = [books.streams.new() for _ in range(100)]
    assert len(set(numbers)) == 100
    assert min(numbers) > wire.DYNAMIC


class Waiter(threading.Thread):
    """Acquires credit on a thread; ``error`` is what it got instead."""

    def __init__(self, books: Books, size: int, given_up: Any = None) -> None:
        super().__init__(daemon=True)
        self.outgoing = books.streams.out(SRC, 20)
        self.size = size
        self.given_up = given_up
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outgoing.acquire(self.size, time.monotonic() + LIMIT, self.given_up)
        except Exception as error:
            self.error = error

    def ended(self) -> bool:
        self.join(LIMIT)
        return not self.is_alive()


def test_grants_wake_who_waits(books: Books) -> None:
    books.streams.out(SRC, 20).acquire(WINDOW, None, None)
    waiter = Waiter(books, 1000)
    books.streams.granted(SRC, 20, 999 + MESSAGE_COST)
    books.streams.granted(SRC, 20, 1 + MESSAGE_COST)
    assert waiter.ended()
    assert waiter.error is None
    assert waiter.outgoing.credit.outstanding == WINDOW


def test_loss_wakes_who_waits(books: Books) -> None:
    books.streams.out(SRC, 20).acquire(WINDOW, None, None)
    waiter = Waiter(books, 1000)
    books.streams.forget({SRC}, "the host burns")
    assert waiter.ended()
    assert isinstance(waiter.error, NotSent)
    assert "burns" in str(waiter.error)


def test_who_gives_up_is_woken(books: Books) -> None:
    books.streams.out(SRC, 20).acquire(WINDOW, None, None)
    waiter = Waiter(books, 1000, lambda: True)
    assert waiter.ended()
    assert isinstance(waiter.error, NotSent)


def test_a_deadline_that_is_over(books: Books) -> None:
    outgoing = books.streams.out(SRC, 20)
    outgoing.acquire(WINDOW, time.monotonic() - 1, None)
    with pytest.raises(CallTimeout):
        outgoing.acquire(1000, time.monotonic() - 1, None)


def test_a_lying_grant_is_an_error_and_a_late_one_is_not(books: Books) -> None:
    books.streams.out(SRC, 20).acquire(100, None, None)
    with pytest.raises(WireError):
        books.streams.granted(SRC, 20, 101 + MESSAGE_COST)
    books.streams.ended(SRC, 20)
    books.streams.granted(SRC, 20, 10**9)
    books.streams.granted(OTHER, 99, 10**9)
