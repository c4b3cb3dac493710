"""Lanes: which call of which service runs next, and how many may wait."""

from __future__ import annotations

import pytest

from remotesvc.bootstrap.errors import Busy
from remotesvc.service.lanes import MAX_ABANDONED, MAX_CALLS, MAX_COST, MAX_LANES, Lanes, Work


class Made(Work):
    """Work of any kind."""

    __slots__ = ("begun", "local")

    def __init__(self, payer: int = 0, cost: int = 0, caused: bool = False, local: bool = False) -> None:
        super().__init__(None, payer)
        self.cost, self.caused, self.local = cost, caused, local
        self.begun = False

    def begin(self) -> None:
        self.begun = True


def test_lanes_take_turns() -> None:
    lanes = Lanes(2)
    one, two = lanes.add("one"), lanes.add("two")
    works = [Made() for _ in range(6)]
    for work in works[:4]:
        lanes.put(one, work)
    for work in works[4:]:
        lanes.put(two, work)
    assert [lanes.take(), lanes.take()] == [works[0], works[4]]
    assert lanes.take() is None
    lanes.done(works[0])
    assert lanes.take() is works[1]
    lanes.done(works[4])
    assert lanes.take() in (works[2], works[5])


def test_a_lane_where_nothing_runs_may_always_begin() -> None:
    lanes = Lanes(1)
    one, two = lanes.add("one"), lanes.add("two")
    first, second, third, fourth = Made(), Made(), Made(), Made()
    for lane, work in ((one, first), (one, second), (two, third), (two, fourth)):
        lanes.put(lane, work)
    assert {lanes.take(), lanes.take()} == {first, third}
    assert not lanes.ready()
    assert lanes.take() is None
    lanes.done(third)
    assert lanes.take() is fourth


def test_a_limited_lane_keeps_its_order() -> None:
    lanes = Lanes(8)
    lane = lanes.add("one", 1)
    works = [Made() for _ in range(3)]
    for work in works:
        lanes.put(lane, work)
    for work in works:
        assert lanes.take() is work
        assert lanes.take() is None
        lanes.done(work)
    assert not lanes.running()


def test_own_threads_begin_in_their_turn() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one", 1)
    first, mine, last = Made(), Made(local=True), Made()
    for work in (first, mine, last):
        work.lane = lane
        lanes.put(lane, work)
    assert lanes.take() is first
    assert not mine.begun
    lanes.done(first)
    assert mine.begun
    assert lanes.take() is None
    lanes.done(mine)
    assert lanes.take() is last


def test_abandoned_work_makes_room_up_to_a_limit() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one")
    running = []
    for _ in range(MAX_ABANDONED + 2):
        work = Made()
        lanes.put(lane, work)
        taken = lanes.take()
        if taken is None:
            break
        running.append(taken)
        lanes.abandon(taken)
        lanes.abandon(taken)
    assert len(running) == MAX_ABANDONED + 1
    assert lanes.abandoned == MAX_ABANDONED
    for work in running:
        lanes.done(work)
    assert (lanes.busy, lanes.abandoned, lane.running) == (0, 0, 0)


def test_what_a_running_call_waits_for_needs_no_free_thread() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one")
    first, plain, caused = Made(), Made(), Made(caused=True)
    lanes.put(lane, first)
    assert lanes.take() is first
    lanes.put(lane, caused)
    assert lanes.take() is caused
    lanes.put(lane, plain)
    assert lanes.take() is None


def test_a_lane_is_bounded_by_callers_number_and_cost() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one", 0)
    for _ in range(MAX_CALLS // 2):
        lanes.put(lane, Made(payer=1))
    with pytest.raises(Busy, match="10000 of them of context 1"):
        lanes.put(lane, Made(payer=1))
    for _ in range(MAX_CALLS // 2):
        lanes.put(lane, Made(payer=2))
    with pytest.raises(Busy):
        lanes.put(lane, Made(payer=3))
    costly = lanes.add("two", 0)
    lanes.put(costly, Made(payer=1, cost=MAX_COST))  # one is always taken
    with pytest.raises(Busy):
        lanes.put(costly, Made(payer=1, cost=1))
    with pytest.raises(Busy):
        lanes.put(costly, Made(payer=2, cost=1))
    assert len(lanes.drop_waiting()) == MAX_CALLS + 1
    lanes.put(costly, Made(payer=2, cost=1))


def test_there_are_only_so_many_lanes() -> None:
    lanes = Lanes(1)
    for number in range(MAX_LANES):
        lanes.add(str(number))
    with pytest.raises(Busy, match="256 services"):
        lanes.add("one more")
