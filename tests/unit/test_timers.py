"""The timer thread: order, cancelling, what a broken timer costs, and what a stopped process finds out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from remotesvc.bootstrap.links import timers as module
from remotesvc.bootstrap.links.timers import Timers

LIMIT = 20.0


class Clock:
    """Stands in for the module's clock, so that a process can be stopped for seconds in no time."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._real: Callable[[], float] = time.monotonic

    def monotonic(self) -> float:
        return self._real() + self.ahead


class Happened:
    """What the timers did, in order; ``wait`` until it was so much."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.what: list[object] = []

    def __call__(self, what: object) -> None:
        with self._changed:
            self.what.append(what)
            self._changed.notify_all()

    def wait(self, count: int) -> list[object]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.what) >= count, LIMIT), self.what
            return list(self.what)


@pytest.fixture
def happened() -> Happened:
    return Happened()


@pytest.fixture
def timers(happened: Happened) -> Iterator[Timers]:
    timers = Timers(lambda: happened("late"), lambda error: happened(error))
    yield timers
    timers.close()


def hold(timers: Timers) -> threading.Event:
    """Have the timer thread wait for this event; it does when this returns."""
    begun, event = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        event.wait(LIMIT)

    timers.after(0, wait)
    assert begun.wait(LIMIT)
    return event


def flush(timers: Timers, happened: Happened) -> list[object]:
    """Everything that was due has run."""
    done = threading.Event()
    timers.after(0, done.set)
    assert done.wait(LIMIT)
    return happened.what


def test_timers_run_in_the_order_of_their_time(timers: Timers, happened: Happened) -> None:
    held = hold(timers)
    for delay in (0.03, 0.01, 0.02, 0.0):
        timers.after(delay, lambda delay=delay: happened(delay))  # type: ignore[misc]
    held.set()
    assert happened.wait(4) == [0.0, 0.01, 0.02, 0.03]


def test_a_timer_that_is_due_first_does_not_wait_for_a_later_one(timers: Timers, happened: Happened) -> None:
    timers.after(3600, lambda: happened("much later"))
    timers.after(0, lambda: happened("now"))
    assert happened.wait(1) == ["now"]


def test_one_thread_runs_all_timers_and_none_is_there_before_the_first(timers: Timers, happened: Happened) -> None:
    before = threading.active_count()
    for _ in range(20):
        timers.after(0, lambda: happened(threading.get_ident()))
    assert len(set(happened.wait(20))) == 1
    assert happened.what[0] != threading.get_ident()
    assert threading.active_count() <= before + 1


def test_a_cancelled_timer_never_runs(timers: Timers, happened: Happened) -> None:
    held = hold(timers)
    timer = timers.after(0, lambda: happened("cancelled"))
    timer.cancel()
    timer.cancel()
    held.set()
    assert flush(timers, happened) == []


def test_cancelling_a_timer_that_ran_costs_nothing(timers: Timers, happened: Happened) -> None:
    timer = timers.after(0, lambda: happened("ran"))
    happened.wait(1)
    timer.cancel()
    assert flush(timers, happened) == ["ran"]


def test_cancelled_timers_do_not_fill_memory(timers: Timers, happened: Happened) -> None:
    """Calls with a long timeout that are answered at once."""
    kept = [timers.after(3600 + number, lambda: None) for number in range(100)]
    timers.after(0.05, lambda: happened("kept"))
    for number in range(20_000):
        timers.after(1800 + number, lambda: None).cancel()
    assert len(timers._heap) < 2000
    assert set(kept) <= set(timers._heap)
    assert happened.wait(1) == ["kept"]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_broken_timer_is_reported_and_ends_nothing(
    timers: Timers, happened: Happened, error: BaseException
) -> None:
    def broken() -> None:
        raise error

    timers.after(0, broken)
    timers.after(0, lambda: happened("next"))
    assert happened.wait(2) == [error, "next"]


def test_a_timer_may_start_another(timers: Timers, happened: Happened) -> None:
    timers.after(0, lambda: timers.after(0, lambda: happened("inner")))
    assert happened.wait(1) == ["inner"]


def test_a_process_that_was_stopped_finds_out_first(
    timers: Timers, happened: Happened, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    held = hold(timers)
    timers.after(1, lambda: happened("beat"))
    timers.after(1.5, lambda: happened("beat of another"))
    clock.ahead = 100
    held.set()
    assert happened.wait(3)[:2] == ["late", "beat"]


def test_a_timer_that_is_a_little_late_runs_as_any_other(
    timers: Timers, happened: Happened, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    held = hold(timers)
    timers.after(10, lambda: happened("beat"))
    clock.ahead = 10.5
    held.set()
    assert happened.wait(1) == ["beat"]


def test_closing_drops_the_timers_left_and_ends_the_thread(happened: Happened) -> None:
    before = set(threading.enumerate())
    timers = Timers(lambda: None, happened)
    pending = timers.after(3600, lambda: happened("never"))
    timers.close()
    timers.close()
    assert set(threading.enumerate()) <= before
    after = timers.after(0, lambda: happened("never"))
    assert (pending.when < after.when, after.run) == (False, None)
    assert happened.what == []


def test_closing_from_a_timer_does_not_wait_for_itself(happened: Happened) -> None:
    timers = Timers(lambda: None, happened)

    def close() -> None:
        timers.close()
        happened("closed")

    timers.after(0, close)
    assert happened.wait(1) == ["closed"]


def test_closing_timers_that_were_never_used() -> None:
    Timers(lambda: None, lambda error: None).close()


def test_where_no_thread_can_be_started_nothing_is_left(
    timers: Timers, happened: Happened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(threading.Thread, "start", refused)
        timers.after(0, lambda: happened("what was refused"))
    timers.after(0, lambda: happened("what came then"))
    assert happened.wait(1) == ["what came then"]
    assert flush(timers, happened) == ["what came then"]


def test_cancelled_timers_wake_nobody(timers: Timers, happened: Happened) -> None:
    """A call with a timeout leaves one behind when it is answered, and there are many calls."""
    for number in range(50):
        timers.after(0.2 + 0.001 * number, lambda: happened("never")).cancel()
    slept: list[float | None] = []
    wait = timers._wake.wait

    def noted(timeout: float | None = None) -> bool:
        slept.append(timeout)
        return wait(timeout)

    timers._wake.wait = noted  # type: ignore[method-assign]
    timers.after(0, lambda: happened("first"))  # it looks at the others when it has run this
    timers.after(0.5, lambda: happened("beat"))
    assert happened.wait(2) == ["first", "beat"]
    assert len(slept) < 10, slept
