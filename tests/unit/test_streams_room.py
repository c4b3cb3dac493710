"""The room that large messages take, and who has to wait for it."""

from __future__ import annotations

import itertools
import random
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.links import assembly, patience, wire
from remotesvc.bootstrap.links.assembly import LEAST_RATE
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.bootstrap.links.wire import Frame
from tests.unit.stream_books import MIB, OTHER, SRC, Books, Neighbour, Sender, cost, cut

pytest_plugins = ("tests.unit.stream_fixtures",)


def fill(books: Books, left: int) -> int:
    """Have messages of other neighbours under way that leave so much room; returns how much they take."""
    taken = books.room - left
    books.streams.large.budget = left
    return taken


def give_back(books: Books, size: int) -> None:
    """Some of them are complete."""
    books.streams.large.budget += size
    books.streams.forget({OTHER + 1000}, "nobody: whoever leaves has room given to those who wait")


def test_what_fits_into_its_window_waits_for_no_room(books: Books) -> None:
    fill(books, 0)
    sender = Sender(books, 900_000, 20)
    while sender.pump():
        pass
    assert sender.whole is not None
    assert (books.room, books.unread) == (0, 900_000)
    books.streams.consumed(SRC, sender.whole[2])
    assert (books.room, books.unread) == (0, 0)


def test_a_large_message_waits_for_room_and_goes_on(books: Books) -> None:
    filled = fill(books, MIB)
    sender = Sender(books, 5 * MIB, 20)
    while sender.pump():
        pass
    assert sender.frames != [], "it must not have been granted anything"
    assert sender.out <= WINDOW
    give_back(books, filled)
    while sender.pump():
        pass
    assert sender.whole is not None


@pytest.mark.parametrize("below", [True, False])
def test_what_comes_before_there_is_room_is_bounded(
    books: Books, monkeypatch: pytest.MonkeyPatch, below: bool
) -> None:
    """A child may begin any number of large messages, each of which brings a window; our parent sends what it must."""
    monkeypatch.setattr(assembly, "MAX_AHEAD", 8 * MIB)
    books.link.context = SRC if below else None
    fill(books, 0)
    for number in range(8):
        sender = Sender(books, 4 * MIB, 20 + number)
        while sender.pump():
            pass
    assert books.link.failed == ""
    for number in range(8):
        sender = Sender(books, 4 * MIB, 40 + number)
        while sender.pump():
            pass
    assert bool(books.link.failed) is below
    books.streams.forget({SRC}, "gone")
    assert books.streams.large.ahead == {}


def test_messages_that_wait_for_room_go_in_their_order(books: Books) -> None:
    fill(books, MIB)
    first, second = Sender(books, 30 * MIB, 20), Sender(books, 2 * MIB, 21, OTHER)
    while first.pump() or second.pump():
        pass
    give_back(books, 25 * MIB)
    while first.pump() or second.pump():
        pass
    assert (first.whole, second.whole) == (None, None), "the small one must not overtake for ever"
    give_back(books, 10 * MIB)
    while first.pump() or second.pump():
        pass
    assert first.whole is not None
    assert second.whole is not None


@pytest.mark.parametrize("how", ["abort", "forget"])
def test_who_waits_behind_a_message_that_is_given_up_goes_on(books: Books, how: str) -> None:
    fill(books, 10 * MIB)
    large, small = Sender(books, 100 * MIB, 20), Sender(books, 5 * MIB, 21, OTHER)
    while large.pump() or small.pump():
        pass
    assert small.whole is None
    if how == "abort":
        assert books.take(Frame(wire.MESSAGE, wire.ABORT | wire.END, 20, 0, SRC)) is None
    else:
        books.streams.forget({SRC}, "gone")
    while small.pump():
        pass
    assert small.whole is not None


@pytest.mark.parametrize("how", ["abort", "forget"])
def test_who_waits_for_the_room_of_a_message_that_is_given_up_gets_it(books: Books, how: str) -> None:
    holder = Sender(books, wire.MAX_MESSAGE, 20)
    assert holder.pump()
    books.streams.large.budget -= MIB
    waiter = Sender(books, wire.MAX_MESSAGE, 21, OTHER)
    while waiter.pump():
        pass
    if how == "abort":
        books.take(Frame(wire.MESSAGE, wire.ABORT | wire.END, 20, 0, SRC))
    else:
        books.streams.forget({SRC}, "gone")
    assert books.grants, "nobody will ever wake it again"
    while waiter.pump():
        pass
    assert waiter.whole is not None


def test_an_abort_needs_no_credit(books: Books) -> None:
    fill(books, 0)
    sender = Sender(books, 50 * MIB, 20)
    while sender.pump():
        pass
    with pytest.raises(WireError, match="window"):
        books.take(sender.frames[0])
    assert books.take(Frame(wire.MESSAGE, wire.ABORT | wire.END, 20, 0, SRC)) is None
    assert books.room == 0
    assert not books.streams.large.waiting
    assert books.streams.large.incoming == {}
    assert books.streams.large.ahead == {}


@pytest.mark.parametrize("room", [True, False])
def test_a_message_that_does_not_add_up_at_its_end_gives_its_room_back(books: Books, room: bool) -> None:
    before = books.room
    if not room:
        fill(books, 0)
        before = 0
    first, *_rest, last = cut(4 * MIB)
    assert books.take(first) is None
    with pytest.raises(WireError, match="brought"):
        books.take(last)
    assert books.room == before
    assert not (books.streams.large.waiting or books.streams.large.ahead or books.streams.large.incoming)


def test_forgetting_gives_the_room_back(books: Books) -> None:
    before = books.room
    for stream in range(20, 25):
        Sender(books, 40 * MIB, stream).pump()
    Sender(books, 40 * MIB, 20, OTHER).pump()
    books.streams.forget({SRC}, "gone")
    assert books.room == before - 40 * MIB
    books.streams.forget({OTHER}, "gone")
    assert books.room == before
    assert not books.streams.large.waiting


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


# -- a generator that is faster than its reader


class Generator:
    """Items of one size on one stream, as far as credit lets them; ``unread`` are those that nobody has taken."""

    def __init__(self, books: Books, size: int) -> None:
        self.books = books
        self.size = size
        self.out = 0
        self.sent = 0
        self.frames: list[Frame] = []
        self.unread: list[Any] = []

    def pump(self) -> None:
        """Send as much as may be sent now."""
        while True:
            self.out -= self.books.grants.pop((SRC, 20), 0)
            self.frames = self.frames or cut(self.size, flags=wire.STREAM)
            if self.out and self.out + cost(self.frames[0]) > WINDOW:
                return
            self.out += cost(self.frames[0])
            self.sent += cost(self.frames[0])
            whole = self.books.take(self.frames.pop(0))
            if whole is not None:
                self.unread.append(whole[2])

    def read(self) -> None:
        """Take one item and be done with it."""
        self.books.streams.consumed(SRC, self.unread.pop(0))


@pytest.mark.parametrize("size", [200_000, MIB - 100, 3 * MIB, 100 * MIB])
def test_a_generator_runs_ahead_by_one_large_item_and_a_window(books: Books, size: int) -> None:
    before = books.room
    generator = Generator(books, size)
    for count in range(1, 8 if size > 10 * MIB else 60):
        generator.pump()
        assert generator.unread, "its reader would wait for ever"
        assert generator.sent <= (count + 1) * (size + 100 * wire.SIZE) + WINDOW
        assert before - books.room + books.unread <= size + WINDOW
        generator.read()
    generator.pump()
    for owed in generator.unread:
        books.streams.consumed(SRC, owed)
    books.streams.forget({SRC}, "the end")
    assert (books.room, books.unread, len(books.streams.large.waiting), books.link.held) == (before, 0, 0, 0)


def test_there_is_room_for_a_large_reply_beside_a_generator_that_nobody_reads(books: Books) -> None:
    """A loop over large items that calls for something as large in its body."""
    generator = Generator(books, wire.MAX_MESSAGE)
    for _ in range(3):
        generator.pump()
        generator.read()
        generator.pump()
        nested = Sender(books, wire.MAX_MESSAGE, 30 + generator.sent)
        while nested.pump():
            pass
        assert nested.whole is not None
        books.streams.consumed(SRC, nested.whole[2])


def test_an_item_given_up_half_way_leaves_its_stream_usable(books: Books) -> None:
    generator = Generator(books, 5 * MIB)
    generator.pump()
    assert len(generator.unread) == 1
    books.take(Frame(wire.MESSAGE, wire.ABORT, 20, 0, SRC))
    generator.frames = []
    for _ in range(3):
        generator.read()
        generator.pump()
        assert generator.unread


messages = st.lists(
    st.tuples(st.sampled_from([SRC, OTHER]), st.sampled_from([200_000, MIB, 3 * MIB, 9 * MIB])), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=40)
@given(messages, st.randoms(use_true_random=False), st.integers(10, 14))
def test_whatever_the_order_all_messages_arrive_and_the_room_is_whole(
    sizes: list[tuple[int, int]], chance: random.Random, room: int
) -> None:
    """No deadlock as long as what arrives is used, in whatever order; and the room is never overdrawn by more than
    what fits into windows."""
    books = Books()
    books.streams.large.budget = room * MIB
    senders = [Sender(books, size, 20 + index, src) for index, (src, size) in enumerate(sizes)]
    unused: list[tuple[int, Any]] = []
    todo = list(senders)
    idle = 0
    while todo or unused:
        assert idle < 10_000, "nothing moves any more"
        sender = chance.choice(senders)
        moved = sender.pump()
        if sender in todo and sender.whole is not None:
            todo.remove(sender)
            unused.append((sender.key[0], sender.whole[2]))
        if unused and (not moved or chance.random() < 0.1):
            books.streams.consumed(*unused.pop(chance.randrange(len(unused))))
            moved = True
        idle = 0 if moved else idle + 1
        assert books.room >= -len(sizes) * WINDOW
    assert books.room == room * MIB
    assert books.link.held == 0
    assert not books.streams.large.waiting
    assert books.streams.large.incoming == {}
    assert books.streams.large.ahead == {}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["pump", "abort", "forget", "use"])), max_size=60))
def test_whatever_happens_the_room_comes_back(sequence: list[tuple[int, str]]) -> None:
    books = Books()
    books.streams.large.budget = 6 * MIB
    senders: dict[int, Sender] = {}
    unused: list[tuple[int, Any]] = []
    numbers = itertools.count(20)
    for who, what in sequence:
        if who not in senders or not senders[who].frames:
            senders[who] = Sender(books, 4 * MIB, next(numbers), 100 + who)
        sender = senders[who]
        if what == "pump":
            for _ in range(6):
                sender.pump()
            if sender.whole is not None:
                unused.append((sender.key[0], sender.whole[2]))
        elif what == "use" and unused:
            books.streams.consumed(*unused.pop())
        elif what == "abort":
            src, stream = sender.key
            books.take(Frame(wire.MESSAGE, wire.ABORT | wire.END, stream, 0, src))
            del senders[who]
        elif what == "forget":
            books.streams.forget({100 + who}, "gone")
            del senders[who]
    for entry in unused:
        books.streams.consumed(*entry)
    books.streams.forget({100 + who for who in range(4)}, "the end")
    assert books.room == 6 * MIB
    assert not books.streams.large.waiting
    assert books.streams.large.ahead == {}


# -- several neighbours


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
