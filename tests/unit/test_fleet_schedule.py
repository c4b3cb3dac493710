"""The schedule, simulated: thousands of hosts, no thread, no clock."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import UsageError
from remotesvc.fleet.schedule import Limits, Schedule, Wait, batch_size


@dataclass
class Simulation:
    """Carries a schedule out: `result(host, try)` is (seconds, "ok" | "failed" | "unreachable")."""

    count: int
    limits: Limits
    results: list[tuple[float, str]]
    ended: dict[int, str] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    begun: list[tuple[float, int]] = field(default_factory=list)
    most: int = 0
    turns: int = 0

    def run(self) -> Simulation:
        schedule = Schedule(self.count, self.limits, jitter=lambda: 0.5)
        now, running = 0.0, list[tuple[float, int, str]]()
        while True:
            self.turns += 1
            turn = None if schedule.stopped else schedule.take(now)
            if isinstance(turn, int):
                self.tries[turn] = self.tries.get(turn, 0) + 1
                seconds, status = self.results[(turn * 7 + self.tries[turn]) % len(self.results)]
                self.begun.append((now, turn))
                heapq.heappush(running, (now + seconds, turn, status))
                self.most = max(self.most, len(running))
                continue
            until = turn.until if isinstance(turn, Wait) else None
            if running and (until is None or running[0][0] <= until):
                now, host, status = heapq.heappop(running)
                if schedule.ended(host, status != "ok", status == "unreachable", now):
                    assert host not in self.ended
                    self.ended[host] = status
            elif until is not None:
                assert until > now
                now = until
            else:
                break
        for host in schedule.stop():
            assert host not in self.ended
            self.ended[host] = "not_run"
        assert not schedule.stop() and schedule.take(now) is None and schedule.running == 0
        self.stopped = schedule.stopped
        return self


STATUSES = st.tuples(st.floats(0.001, 5), st.sampled_from(["ok", "ok", "ok", "failed", "unreachable"]))


@settings(max_examples=60)
@given(
    count=st.integers(0, 2000),
    forks=st.integers(1, 300),
    serial=st.lists(st.one_of(st.integers(1, 500), st.sampled_from(["1%", "10%", "33%", "100%"])), max_size=3),
    share=st.one_of(st.none(), st.floats(0, 100)),
    fail_fast=st.booleans(),
    retries=st.integers(0, 3),
    results=st.lists(STATUSES, min_size=1, max_size=20),
)
def test_every_host_ends_exactly_once_within_the_limits(
    count: int, forks: int, serial: list[int | str], share: float | None, fail_fast: bool, retries: int,
    results: list[tuple[float, str]],
) -> None:  # fmt: skip
    limits = Limits(forks, tuple(serial), share, fail_fast, retries, 0.5)
    simulation = Simulation(count, limits, results).run()
    assert sorted(simulation.ended) == list(range(count))
    assert simulation.most <= forks
    assert max(simulation.tries.values(), default=0) <= retries + 1
    if not simulation.stopped:
        assert "not_run" not in simulation.ended.values()
    elif fail_fast:
        assert any(status not in ("ok", "not_run") for status in simulation.ended.values())
    # Work is in proportion to hosts and tries: nothing spins.
    assert simulation.turns <= 3 * (len(simulation.begun) + count) + 10


def test_batches_do_not_overlap() -> None:
    simulation = Simulation(10, Limits(serial=(1, 3)), [(1.0, "ok")]).run()
    assert [(when, host) for when, host in simulation.begun] == [
        (0.0, 0), (1.0, 1), (1.0, 2), (1.0, 3), (2.0, 4), (2.0, 5), (2.0, 6), (3.0, 7), (3.0, 8), (3.0, 9)]  # fmt: skip


def test_a_canary_that_fails_stops_the_rest() -> None:
    simulation = Simulation(100, Limits(serial=("1%", "100%"), max_fail_percentage=0), [(1.0, "failed")]).run()
    assert list(simulation.ended.values()).count("not_run") == 99
    assert simulation.stopped == "1 of 1 hosts failed, more than 0 %"


def test_the_share_is_of_the_batch_and_may_be_reached() -> None:
    half = [(1.0, "ok"), (1.0, "failed")]
    assert not Simulation(10, Limits(max_fail_percentage=50), half).run().stopped
    assert Simulation(10, Limits(max_fail_percentage=49), half).run().stopped


def test_delays_grow_and_stay_bounded() -> None:
    simulation = Simulation(1, Limits(retries=12, retry_delay=1), [(0.0, "unreachable")]).run()
    gaps = [later - sooner for (sooner, _), (later, _) in zip(simulation.begun, simulation.begun[1:], strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@pytest.mark.parametrize(("size", "hosts", "expected"), [(3, 10, 3), ("3", 10, 3), ("25%", 10, 2), ("1%", 10, 1)])
def test_batch_sizes(size: str | int, hosts: int, expected: int) -> None:
    assert batch_size(size, hosts) == expected


@pytest.mark.parametrize("size", [0, "0", "0%", "101%", "-1", "a", "", "5 %"])
def test_bad_batch_sizes(size: str | int) -> None:
    with pytest.raises(UsageError, match="number of hosts or a percentage"):
        Limits(serial=(size,))


@pytest.mark.parametrize("bad", [{"forks": 0}, {"retries": -1}, {"retry_delay": -1}, {"max_fail_percentage": 101}])
def test_bad_limits(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Limits(**bad)  # type: ignore[arg-type]
