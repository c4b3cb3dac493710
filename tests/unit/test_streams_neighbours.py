"""The room for large messages among several neighbours: to each its own, and the common room in turn."""

from __future__ import annotations

import itertools
import struct
import time

import pytest

from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import Frame
from tests.unit.stream_books import MIB, OTHER, SRC, Books, Neighbour, Sender, cut, fill, give_back

pytest_plugins = ("tests.unit.stream_fixtures",)


def child(books: Books, context: int, total: int, stream: int) -> tuple[Neighbour, Sender]:
    """A neighbour below us that begins one message and brings what it may of it."""
    link = Neighbour(context)
    sender = Sender(books, total, stream, context, link)
    while sender.pump():
        pass
    return link, sender


def test_what_nobody_reads_of_one_neighbour_takes_no_room_of_another(books: Books) -> None:
    link = Neighbour(SRC)
    unread = [Sender(books, wire.MAX_MESSAGE, stream, SRC, link) for stream in (20, 21, 22)]
    for sender in unread:
        while sender.pump():
            pass
    assert [sender.whole is not None for sender in unread] == [True, True, False], "no more than that of its own"
    assert link.failed == ""
    _, other = child(books, OTHER, wire.MAX_MESSAGE, 20)
    assert other.whole is not None
    books.streams.consumed(SRC, unread[0].whole[2])
    while unread[2].pump():
        pass
    assert unread[2].whole is not None


def test_one_neighbour_leaves_room_for_a_largest_message_of_another(books: Books) -> None:
    link = Neighbour(SRC)
    for stream in range(20, 40):
        books.take(cut(wire.MAX_MESSAGE // 2, stream, SRC)[0], link)
    _, other = child(books, OTHER, wire.MAX_MESSAGE, 20)
    assert other.whole is not None


def test_a_small_message_of_a_neighbour_waits_for_no_other_neighbour(books: Books) -> None:
    fill(books, 0)
    _, small = child(books, OTHER, 3 * MIB, 20)
    assert small.whole is not None
    assert books.room == 0
    link, large = child(books, OTHER, 5 * MIB, 21)
    assert large.whole is None
    first, second = [Sender(books, 3 * MIB, stream, SRC) for stream in (30, 31)]
    first.link = second.link = Neighbour(SRC)
    first.pump()
    while second.pump():
        pass
    assert second.whole is None, "one at a time"
    while first.pump():
        pass
    while second.pump():
        pass
    assert second.whole is not None


def test_room_is_given_to_each_neighbour_in_turn(books: Books) -> None:
    fill(books, 0)
    many, one = Neighbour(SRC), Neighbour(OTHER)
    books.streams.large.own |= {many, one}
    for stream in range(20, 30):
        books.take(cut(10 * MIB, stream, SRC)[0], many)
    books.take(cut(10 * MIB, 20, OTHER)[0], one)
    give_back(books, 20 * MIB)
    assert books.streams.large.reserved == {many: 10 * MIB, one: 10 * MIB}


@pytest.mark.parametrize("how", ["abort", "forget"])
def test_what_one_neighbour_has_begun_makes_no_end_of_it_slower(books: Books, how: str) -> None:
    """Each looked at all that had been begun: tens of thousands of them took the time of all other targets."""

    def begin(stream: int, src: int) -> None:
        books.take(Frame(wire.MESSAGE, wire.FIRST | wire.MORE, stream, 0, src, payload=struct.pack(">I", 100 * MIB)))

    def seconds(begun: int) -> float:
        best = 1.0
        for stream in range(20, 20 + begun):
            begin(stream, SRC)
        for each in range(20):
            number = 200_000 + each
            begin(number, number)
            start = time.perf_counter()
            if how == "abort":
                books.take(Frame(wire.MESSAGE, wire.ABORT | wire.END, number, 0, number))
            else:
                books.streams.forget({number}, "gone")
            best = min(best, time.perf_counter() - start)
        return best

    few = seconds(10)
    assert seconds(30_000) < 20 * few + 0.0002
    books.streams.forget(None, "the end")
    large = books.streams.large
    assert not (large.incoming or large.of or large.waiting or large.ahead or large.reserved)


def test_neighbours_that_wait_make_no_message_of_another_slower(books: Books) -> None:
    """Each that was complete, and each that was read, looked at all neighbours: at a thousand 2 ms."""
    fill(books, 0)
    talking, streams, body = Neighbour(SRC), itertools.count(20), struct.pack(">I", 1) + b"x"

    def seconds(waiting: int) -> float:
        for number in range(waiting):
            link = Neighbour(100_000 + number)
            books.take(cut(10 * MIB, 20, link.context or 0)[0], link)
        best = 1.0
        for _ in range(20):
            frame = Frame(wire.MESSAGE, wire.FIRST | wire.END, next(streams), 0, SRC, payload=body)
            start = time.perf_counter()
            whole = books.take(frame, talking)
            books.streams.consumed(SRC, whole[2])
            best = min(best, time.perf_counter() - start)
        return best

    few = seconds(1)
    assert seconds(2_000) < 20 * few + 0.0005
