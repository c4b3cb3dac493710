"""The room that large messages take, and who has to wait for it."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.links import assembly, wire
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.bootstrap.links.wire import Frame
from tests.unit.stream_books import MIB, OTHER, SRC, Books, Sender, cost, cut, fill, give_back

pytest_plugins = ("tests.unit.stream_fixtures",)


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


@settings(max_examples=40)
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


@settings(max_examples=30)
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
