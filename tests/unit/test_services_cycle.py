"""Which of the calls that wait would wait for ever."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from remotesvc.service.cycle import Wait, Waits, one_of_a_circle


def waits(*given: tuple[set[int], set[int]]) -> list[Wait]:
    """Waits by their tokens and what their holders need."""
    made = []
    for tokens, needs in given:
        made.append(Wait(None, None, None, sorted(tokens)))
        made[-1].needs = frozenset(needs)
    return made


@pytest.mark.parametrize(("given", "found"), [
    ([], None),
    ([({1}, set())], None),  # its holder waits for nothing
    ([({1}, {2})], None),
    ([({1}, {1})], 0),
    ([({1, 2}, {2})], 0),
    ([({1}, {1, 2})], None),  # the other will do for its holder
    ([({1}, {1, 2}), ({2}, {1, 2})], 0),
    ([({1}, {2}), ({2}, {1})], 0),
    ([({1}, {2}), ({2}, set())], None),
    ([({1}, {2}), ({2}, {3}), ({3}, {1})], 0),
    ([({9}, {1}), ({1}, {2}), ({2}, {1})], 1),  # the first waits behind a circle, and is not in it
    ([({9}, {8}), ({1}, {1})], 1),
])  # fmt: skip
def test_one_of_those_that_wait_for_each_other(given: Any, found: int | None) -> None:
    made = waits(*given)
    assert one_of_a_circle(made) is (None if found is None else made[found])


class Request:
    lane = None

    def __init__(self, number: int) -> None:
        self.name = str(number)
        self.call = SimpleNamespace(lineage=[0, -number, 5, 0])
        self.refused = False

    def refuse(self, error: BaseException) -> None:
        assert "contexts 0 -> 5 -> 0" in str(error)
        self.refused = True


class Place:
    held = "for ever: %s has it"

    def __init__(self) -> None:
        self.holder: Any = SimpleNamespace(name="holder", waits_for=())
        self.waiting: list[Request] = []

    def withdraw(self, request: Request) -> None:
        self.waiting.remove(request)


def test_looks_at_thousands_cost_little_and_go_on_only_while_some_wait() -> None:
    """Each had a look of its own, for which the whole queue was searched with the pool's lock held."""
    later: list[Any] = []
    pool: Any = SimpleNamespace(
        kernel=SimpleNamespace(id=0, timers=SimpleNamespace(after=lambda seconds, run: later.append(run))),
        defer=lambda run: later.append(run))  # fmt: skip
    known, place, lock = Waits(pool), Place(), threading.Lock()
    place.waiting = [Request(number) for number in range(1, 3001)]
    for request in place.waiting:
        known.caused(place, lock, request)
    assert len(later) == 1
    begun = time.thread_time()
    later.pop()()
    assert time.thread_time() - begun < 0.5
    assert len(later) == 1
    last = place.waiting[-1]
    place.holder.waits_for = (3000,)
    later.pop()()  # the timer's
    later.pop()()  # the pool's
    assert last.refused and last not in place.waiting and not place.waiting[0].refused
    place.waiting.clear()
    later.pop()()
    later.pop()()
    assert later == []
    known.caused(place, lock, Request(7))
    assert len(later) == 1
