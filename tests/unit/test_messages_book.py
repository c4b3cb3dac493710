"""The books of a receiver: which senders lead to it, who writes, and when they have ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remotesvc.messages import book as book_module
from remotesvc.messages.book import MAX_LINES, MAX_WRITERS, Book

LINE, OTHER = 1, 2


def test_a_receiver_is_over_only_when_all_that_was_handed_out_has_ended() -> None:
    book = Book()
    assert not book.over
    assert book.open(LINE)
    assert book.open(OTHER)
    assert book.left(LINE, (5, 9), closes=True)
    assert not book.over
    assert book.left(OTHER, (5, 10), closes=True)
    assert book.over
    assert book.open(LINE)
    assert not book.over


def test_a_line_that_others_write_to_outlives_the_first_to_close() -> None:
    book = Book()
    book.open(LINE)
    assert book.wrote(LINE, (5, 1)) is True
    assert book.wrote(LINE, (6, 1)) is True
    assert not book.left(LINE, (5, 1), closes=True)
    assert not book.writes(5)
    assert book.left(LINE, (6, 1), closes=True)
    assert book.over


def test_a_copy_that_was_forgotten_ends_nothing() -> None:
    book = Book()
    book.open(LINE)
    book.wrote(LINE, (5, 1))
    assert not book.left(LINE, (5, 1), closes=False)
    assert not book.over
    assert not book.writes(5)


def test_the_first_message_of_each_context_is_told() -> None:
    book = Book()
    book.open(LINE)
    book.open(OTHER)
    assert book.wrote(LINE, (5, 1)) is True
    assert book.wrote(LINE, (5, 1)) is False
    assert book.wrote(OTHER, (5, 2)) is False
    book.left(LINE, (5, 1), closes=True)
    assert book.writes(5)
    book.left(OTHER, (5, 2), closes=False)
    assert book.wrote(OTHER, (5, 2)) is True


def test_a_lost_context_ends_what_only_it_wrote_to() -> None:
    book = Book()
    for line in (LINE, OTHER, 3):
        book.open(line)
    book.wrote(LINE, (5, 1))
    book.wrote(OTHER, (5, 2))
    book.wrote(OTHER, (6, 1))
    assert book.lost(5) == [LINE]
    assert sorted(book.lines) == [OTHER, 3]
    assert book.lost(7) == []


def test_lines_and_writers_of_a_receiver_have_limits() -> None:
    book = Book()
    book.open(LINE)
    for number in range(MAX_WRITERS):
        assert book.wrote(LINE, (5, number)) is not None
    assert book.wrote(LINE, (6, 1)) is None
    assert not book.writes(6)
    assert book.wrote(LINE, (5, 0)) is False
    assert len(book.close(LINE)) == MAX_WRITERS
    assert not book.writes(5)
    assert all(book.open(number) for number in range(MAX_LINES))
    assert not book.open(MAX_LINES)


contexts, handles, lines = st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)
steps = st.lists(st.tuples(st.sampled_from(["open", "wrote", "close", "leave", "lost"]), lines, contexts, handles))


@given(steps)
def test_the_books_of_a_receiver_agree_with_a_plain_model(taken: list[tuple[str, int, int, int]]) -> None:
    """Whatever happens in whatever order: the counts are those of the sets."""
    book, model = Book(), dict[int, set[tuple[int, int]]]()
    for step, line, context, handle in taken:
        writer = (context, handle)
        if step == "open" and line not in model:
            book.open(line)
            model[line] = set()
        elif step == "lost":
            ended = {each for each, writers in model.items() if writers and {src for src, _ in writers} == {context}}
            assert set(book.lost(context)) == ended
            model = {each: {one for one in writers if one[0] != context}
                     for each, writers in model.items() if each not in ended}
        elif line in model and step == "wrote":
            assert book.wrote(line, writer) == (not any(src == context for all_ in model.values() for src, _ in all_))
            model[line].add(writer)
        elif line in model and step in ("close", "leave"):
            model[line].discard(writer)
            ends = step == "close" and not model[line]
            assert book.left(line, writer, step == "close") == ends
            if ends:
                del model[line]
        assert book.lines == model
        assert [book.writes(each) for each in (1, 2, 3)] == [
            any(src == each for writers in model.values() for src, _ in writers) for each in (1, 2, 3)]
        assert book._writing == sum(map(len, model.values()))
    assert book_module.MAX_WRITERS < book_module.MAX_LINES
