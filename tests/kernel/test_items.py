"""Generators and coroutines of a target."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context
from remotesvc.bootstrap.calls.unfold import AHEAD, MAX_OPEN
from tests.kernel import called, called_processes
from tests.kernel.contexts import LIMIT, appears, until, usable

pytest_plugins = ("tests.kernel.call_fixtures",)


def test_a_generator_runs_ahead_by_its_credit_only(context: Context) -> None:
    items = context.call(called.big_items, 10000, 100_000)
    assert next(items) == bytes(100_000)
    until(lambda: context.call(called.how_many_produced) >= 2, what="it runs ahead")
    deadline = time.monotonic() + LIMIT
    seen = -1
    while (now := context.call(called.how_many_produced)) != seen:  # until it stands still
        seen = now
        assert time.monotonic() < deadline
        context.call("time:sleep", 0.1)
    assert 2 <= seen <= 1 + (1024 * 1024) // 100_000 + 2
    assert next(items) == bytes([1]) * 100_000
    items.close()


def test_a_generator_makes_few_items_before_the_first_are_taken(context: Context) -> None:
    before = context.call(called.how_many_produced)
    with context.call(called.big_items, 10000, 10) as items:
        assert next(items) == bytes(10)
        until(lambda: context.call(called.how_many_produced) - before >= AHEAD, what="it runs ahead")
        context.call("time:sleep", 0.1)
        assert context.call(called.how_many_produced) - before <= AHEAD + 1
        assert sum(map(len, items)) == 9999 * 10


def test_large_items_come_whole(context: Context) -> None:
    received = list(context.call(called.big_items, 12, 3_000_000))
    assert [len(item) for item in received] == [3_000_000] * 12
    assert [item[0] for item in received] == list(range(12))


@pytest.mark.parametrize("how", ["close", "forget", "break"])
def test_an_abandoned_generator_is_closed_there(context: Context, tmp_path: Path, how: str) -> None:
    closed = tmp_path / "closed"
    items = context.call(called.until_closed, str(closed))
    if how == "close":
        assert next(items) == 0
        items.close()
        items.close()
        assert list(items) == []
    elif how == "forget":
        assert next(items) == 0
        del items
        gc.collect()
    else:
        for number in items:
            if number == 5000:
                break
        del items
    appears(closed)
    assert context.call(called.add, 1, 1) == 2


def test_many_abandoned_generators_cost_nothing(context: Context) -> None:
    for _ in range(100):
        items = context.call(called.big_items, 1000, 200_000)
        next(items)
        items.close()
    assert len(context.call(called.many_bytes, 100 << 20)) == 100 << 20
    until(lambda: context.call("threading:active_count") < 20)


@pytest.mark.parametrize("number", [3, 10**9])
def test_one_open_generator_after_the_other(context: Context, number: int) -> None:
    for _ in range(5 * MAX_OPEN):
        assert next(context.call(called.count, number)) == 0


def test_what_finalisers_leave_to_others_may_fail(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    items = context.call(called.count, 10**9)
    told: list[BaseException] = []
    router = context.tree.router
    monkeypatch.setattr(router, "report", told.append)
    router.forgotten.extend([lambda: 1 / 0, items.close])
    assert context.call(called.add, 1, 1) == 2
    assert not router.forgotten
    assert list(items) == []
    assert [type(each) for each in told] == [ZeroDivisionError]


def test_many_open_generators(context: Context) -> None:
    many = [context.call(called.count, 10**9) for _ in range(64)]
    assert [next(items) for items in many] == [0] * 64
    with pytest.raises(remotesvc.Busy):
        context.call(called.count, 1)
    assert context.call(called.add, 1, 1) == 2
    for items in many:
        items.close()
    until(lambda: context.call("threading:active_count") < 20)
    assert list(context.call(called.count, 3)) == [0, 1, 2]


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_generator_returns_a_value(context: Context, isolation: str) -> None:
    returned = []

    def relayed(most: int, size: int) -> Iterator[int]:
        returned.append((yield from context.options(isolation=isolation).call(called.count_and_sum, most, size)))

    for most, size in ((0, 0), (3, 10), (2, 3_000_000)):
        assert list(relayed(most, size)) == list(range(most))
        assert returned.pop() == [sum(range(most)), bytes(size)]


def test_a_generator_returns_what_does_not_travel(context: Context) -> None:
    items = context.call(called.count_and_return_lock, 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(remotesvc.EncodeError, match="return value"):
        next(items)
    assert list(items) == []


def test_a_generator_that_fails(context: Context) -> None:
    items = context.call(called.count_then_fail, 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(FileNotFoundError) as caught:
        next(items)
    assert isinstance(caught.value, remotesvc.CallError)
    assert caught.value.filename == "/nowhere"
    assert "count_then_fail" in caught.value.render()
    assert list(items) == []
    items = context.call(called.yield_lock)
    assert next(items) == 1
    with pytest.raises(remotesvc.EncodeError):
        next(items)


def test_a_generator_through_a_future(context: Context) -> None:
    items = context.submit(called.count, 3).result(LIMIT)
    assert list(items) == [0, 1, 2]


def test_generators_of_a_lost_process(context: Context) -> None:
    items = context.call(called.until_closed, os.devnull)
    assert next(items) == 0
    os.kill(context.info["pid"], 9)
    with pytest.raises(remotesvc.Lost):
        for _ in items:
            pass
    assert list(items) == []


def test_a_timeout_limits_the_call_and_not_the_iteration(context: Context) -> None:
    usable(context)
    seconds, items = 0.5, None
    while items is None:
        try:
            items = context.options(timeout=seconds).call(called.count, 3)
        except remotesvc.CallTimeout:  # on a busy machine the call itself may take that long
            assert seconds < LIMIT
            seconds *= 4
    context.call("time:sleep", seconds + 0.2)
    assert list(items) == [0, 1, 2]


def test_coroutines(context: Context) -> None:
    assert context.call(called.double, 4) == 8
    with pytest.raises(ValueError, match="from a coroutine") as caught:
        context.call(called.async_fail)
    assert "async_fail" in caught.value.render()  # type: ignore[attr-defined]
    futures = [context.submit(called.double, number) for number in range(20)]
    assert [future.result(LIMIT) for future in futures] == [2 * number for number in range(20)]


def test_a_generator_that_finds_no_room_for_its_thread_is_not_counted_as_open(context: Context) -> None:
    assert len(list(context.call(called.big_items, 2, 10))) == 2
    context.call(called_processes.forbid_threads)
    for _ in range(MAX_OPEN + 1):
        with pytest.raises(RuntimeError, match="thread"):
            context.call(called.big_items, 2, 10)
    assert context.call(called.add, 1, 1) == 2
