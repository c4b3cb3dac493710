"""Who is late with a large message that others wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc.bootstrap.links import patience, wire
from remotesvc.bootstrap.links.assembly import LEAST_RATE
from remotesvc.bootstrap.links.wire import Frame
from tests.unit.stream_books import MIB, OTHER, SRC, Books, Neighbour, Sender, cut, fill

pytest_plugins = ("tests.unit.stream_fixtures",)


def crowd(books: Books, monkeypatch: pytest.MonkeyPatch) -> tuple[Sender, Sender, Callable[[float], Any]]:
    """One that has reserved all the room and one that waits for it; who is late after so many seconds more."""
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    fill(books, 100 * MIB)
    holder, waiter = Sender(books, 100 * MIB, 20), Sender(books, 2 * MIB, 21, OTHER)
    holder.pump()
    while waiter.pump():
        pass

    def late(seconds: float) -> Any:
        nonlocal clock
        for _ in range(int(seconds)):
            clock += 1
            found = patience.late(books.streams.large, clock)
        return found

    late(1)
    return holder, waiter, late


def test_who_stops_in_the_middle_while_others_wait_is_named(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    _holder, _waiter, late = crowd(books, monkeypatch)
    assert late(patience.LATE) == []
    assert late(1) == [(books.link, SRC)]


def test_who_sends_as_little_as_it_can_while_others_wait_is_named(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then used to hold the room of a whole message for ever."""
    _holder, _waiter, late = crowd(books, monkeypatch)
    for _ in range(2):
        assert late(10) == []
        books.take(Frame(wire.MESSAGE, wire.MORE, 20, 0, SRC, payload=b"x"))
    assert late(1) == [(books.link, SRC)]


def test_a_slow_line_is_not_late(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, _waiter, late = crowd(books, monkeypatch)
    for _ in range(200):
        assert late(wire.FRAGMENT // LEAST_RATE) == []
        assert holder.pump()


def test_who_keeps_nobody_waiting_is_not_late(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    _holder, _waiter, late = crowd(books, monkeypatch)
    books.streams.forget({OTHER}, "gone")
    own = Sender(books, 100 * MIB, 30)
    while own.pump():
        pass
    assert books.streams.large.waiting, "it waits for itself only"
    assert late(1000) == []


def test_the_time_before_anybody_waited_does_not_count(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor that in which this process was stopped: nobody looked."""
    _holder, _waiter, late = crowd(books, monkeypatch)
    books.streams.large.looked -= 1000
    for _, incoming in books.streams.large.incoming.items():
        incoming.touched -= 1000
    assert late(patience.LATE) == []
    assert late(2) == [(books.link, SRC)]


def test_a_sender_that_we_keep_waiting_is_not_late(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    _holder, _waiter, late = crowd(books, monkeypatch)
    assert [src for _link, src in late(1000)] == [SRC]


def test_nobody_is_late_for_those_who_wait_for_their_own_reader(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    link = Neighbour(OTHER)
    for stream in (20, 21, 22):
        sender = Sender(books, wire.MAX_MESSAGE, stream, OTHER, link)
        while sender.pump():
            pass
    assert books.streams.large.waiting
    books.take(cut(100 * MIB, 20, SRC)[0])
    for _ in range(100):
        clock += 1
        assert patience.late(books.streams.large, clock) == []
