"""Timeouts, cancellation, concurrency and order of calls."""

from __future__ import annotations

import concurrent.futures
import datetime
import random
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.kernel import called, called_failing, called_output, called_waiting
from tests.kernel.contexts import LIMIT, appears, runs_out, until, usable
from tests.stopwatch import Stopwatch
from tests.threads import together

pytest_plugins = ("tests.kernel.call_fixtures",)


# -- timeouts and cancellation


def test_a_timeout_is_told_there_and_the_next_call_does_not_wait(context: Context, tmp_path: Path) -> None:
    assert context.call(called.add, 1, 2) == 3
    begun, watch = time.monotonic(), Stopwatch()
    with pytest.raises(remotesvc.CallTimeout) as caught:
        context.options(timeout=0.5).call(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    assert time.monotonic() - begun > 0.4
    assert watch.seconds < 5
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.call == "tests.kernel.called_waiting:wait_for_file"
    usable(context)
    (tmp_path / "go").touch()


def test_a_timeout_of_a_future(context: Context, tmp_path: Path) -> None:
    assert context.call(called.add, 1, 2) == 3

    def call(timeout: float) -> None:
        future = context.options(timeout=timeout).submit(
            called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told")
        )
        with pytest.raises(remotesvc.CallTimeout):
            future.result(timeout + LIMIT)
        assert not future.cancel()

    runs_out(call, tmp_path / "begun")
    appears(tmp_path / "told")


def test_a_call_that_gives_up_in_time_is_a_timeout_whose_clock_is_heard_first(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert context.call(called.add, 1, 2) == 3
    timers = context.tree.router.timers
    after = timers.after
    monkeypatch.setattr(timers, "after", lambda delay, run: after(delay + LIMIT, run))  # the clock here is late
    with pytest.raises(remotesvc.CallTimeout) as caught:
        context.options(timeout=0.5).submit(called_waiting.until_told).result(LIMIT)
    assert isinstance(caught.value.__cause__, remotesvc.CallError)


def test_a_timeout_of_nothing(context: Context) -> None:
    with pytest.raises(remotesvc.CallTimeout):
        context.options(timeout=0).call(called.add, 1, 1)
    assert context.call(called.add, 1, 1) == 2


def test_a_first_call_that_is_given_up_harms_no_other(router: Router) -> None:
    """It brings modules that the second needs, and both may be the first to import something."""
    for _ in range(20):
        with router.local() as context:
            with pytest.raises(remotesvc.CallTimeout):
                context.options(timeout=0).call(called.add, 1, 1)
            usable(context)


def test_calls_of_every_kind_at_once_on_a_fresh_context(router: Router) -> None:
    """Every part of the kernel that is fetched or compiled at its first use, at the same time."""
    for _ in range(8):
        with router.local() as plain:
            context = plain.options(timeout=LIMIT)
            futures = [
                context.submit(called.call_child, "tests.kernel.called:add", 1, 1),
                context.submit(called.double, 1),
                context.submit(called.count, 3),
                context.submit(called_output.log, 10, "x"),
                context.submit("json:dumps", 1),
                context.submit(called.echo, datetime.timezone.utc),
                context.submit(called.about_me),
                context.submit(called_failing.fail, "ValueError", 1),
                context.options(isolation="process").submit(called.add, 1, 1),
                context.chain().submit(called.add, 1, 1),
                context.submit(lambda: 1),
            ]
            context.cast(called_failing.fail, "ValueError", 1)
            errors = [future.exception(LIMIT) for future in futures]
            assert [type(error) for error in errors if not isinstance(error, ValueError)] == [type(None)] * 10
            assert futures[0].result()[1] == 2


@pytest.mark.parametrize("timeout", [-1, "5", float("nan"), True, [1]])
def test_bad_timeouts(context: Context, timeout: Any) -> None:
    with pytest.raises(remotesvc.UsageError):
        context.options(timeout=timeout)


def test_waiting_for_a_result_has_a_timeout_of_its_own(context: Context, tmp_path: Path) -> None:
    future = context.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    for wait in (future.result, future.exception):
        for known_as in (TimeoutError, concurrent.futures.TimeoutError):  # two classes before Python 3.11
            with pytest.raises(known_as):
                wait(0.05)
    (tmp_path / "go").touch()
    assert future.result(LIMIT) == "done"


def test_a_cancelled_call_that_waits_for_a_thread_never_runs(router: Router, tmp_path: Path) -> None:
    context = router.local(concurrency=1)
    first = context.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    appears(tmp_path / "begun")
    waiting = context.submit(called_waiting.touch, str(tmp_path / "never"))
    assert context.ping() < LIMIT  # it is there by now
    assert waiting.cancel()
    assert context.ping() < LIMIT  # and so is the word of that
    (tmp_path / "go").touch()
    assert first.result(LIMIT) == "done"
    assert context.call(called.add, 1, 1) == 2
    assert not (tmp_path / "never").exists()


def test_cancelling_at_every_moment(context: Context) -> None:
    """Sent, on its way, running, over: every future ends once, and the context stays usable."""
    chance = random.Random(7)
    for _ in range(300):
        future = context.submit(called.add, 1, 1)
        for _ in range(chance.randrange(200)):
            pass
        if future.cancel():
            assert future.cancelled()
            with pytest.raises(remotesvc.Cancelled):
                future.result(LIMIT)
        else:
            assert future.result(LIMIT) == 2
    usable(context)


# -- concurrency


def test_calls_run_at_the_same_time(context: Context, tmp_path: Path) -> None:
    names = [str(tmp_path / f"party{number}") for number in range(8)]
    futures = [context.submit(called_waiting.meet, names, name) for name in names]
    assert all(future.result(LIMIT) for future in futures)


def test_the_ninth_call_waits_for_one_of_eight(context: Context, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    futures = [context.submit(called_waiting.wait_for_file, str(tmp_path / f"begun{n}"), go) for n in range(8)]
    for n in range(8):
        appears(tmp_path / f"begun{n}")
    ninth = context.submit(called_waiting.touch, str(tmp_path / "ninth"))
    context.ping()
    assert not (tmp_path / "ninth").exists()
    (tmp_path / "go").touch()
    ninth.result(LIMIT)
    assert {future.result(LIMIT) for future in futures} == {"done"}


def test_concurrency_of_one_keeps_the_order(router: Router) -> None:
    context = router.local(concurrency=1)
    futures = [context.submit(called.note, number) for number in range(300)]
    assert [future.result(LIMIT) for future in futures] == list(range(300))
    assert context.call(called.noted) == list(range(300))


def test_many_threads_call_at_once(context: Context) -> None:
    results: list[int] = []

    def work(number: int) -> None:
        for other in range(50):
            results.append(context.call(called.add, number * 1000, other))

    together(partial(work, number) for number in range(20))
    assert sorted(results) == [number * 1000 + other for number in range(20) for other in range(50)]


def test_more_calls_are_submitted_than_may_be_unanswered(context: Context) -> None:
    futures = [context.submit(called.add, number) for number in range(12000)]
    assert [future.result(LIMIT) for future in futures] == list(range(12000))


def test_a_call_caused_by_a_call_never_waits_for_its_slot(router: Router) -> None:
    """f calls the code of another context, which calls g in the context of f; there is one thread for each."""
    outer = router.local(concurrency=1)
    inner = router.local(via=outer, concurrency=1)
    there = outer.call(called.call_context, inner, "tests.kernel.called:about_me")
    assert there["context"] == inner.id


def test_main_thread(context: Context, tmp_path: Path) -> None:
    on_main = context.options(thread="main")
    assert on_main.call(called.is_main_thread) is True
    until(lambda: context.call(called.is_main_thread))  # idle, so it is preferred
    blocked = on_main.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    appears(tmp_path / "begun")
    assert context.call(called.is_main_thread) is False
    waiting = [on_main.submit(called.is_main_thread) for _ in range(3)]
    assert context.call(called.add, 1, 1) == 2
    assert not any(future.done() for future in waiting)
    (tmp_path / "go").touch()
    assert [future.result(LIMIT) for future in waiting] == [True] * 3
    assert blocked.result(LIMIT) == "done"


def test_signals_and_asyncio_work_on_the_main_thread(context: Context) -> None:
    assert context.options(thread="main").call(called.set_handler_and_get_signal) is True
    assert context.options(thread="main").call(called.double, 4) == 8


# -- chains


def test_a_chain_keeps_the_order(context: Context) -> None:
    with context.chain() as chain:
        futures = [chain.submit(called.note, number) for number in range(200)]
        assert chain.call(called.note, "last") == "last"
    assert [future.result() for future in futures] == list(range(200))
    assert context.call(called.noted) == [*range(200), "last"]


def test_after_an_error_the_rest_of_a_chain_does_not_run(context: Context) -> None:
    chain, other = context.chain(), context.chain()
    futures = [chain.submit(called.note, 1), chain.submit(called.note_and_fail, 2), chain.submit(called.note, 3)]
    assert futures[0].result(LIMIT) == 1
    for future in futures[1:]:
        with pytest.raises(LookupError, match="2") as caught:
            future.result(LIMIT)
        assert isinstance(caught.value, remotesvc.CallError)
    with pytest.raises(LookupError, match="2"):
        chain.call(called.note, 4)
    assert other.call(called.note, 5) == 5
    chain.reset()
    assert chain.call(called.note, 6) == 6
    assert context.call(called.noted) == [1, 2, 5, 6]


def test_a_chain_calls_every_kind(context: Context) -> None:
    with context.chain() as chain:
        assert chain.call(called.double, 2) == 4
        assert list(chain.call(called.count, 3)) == [0, 1, 2]
        assert chain.call(lambda: 5) == 5
        with pytest.raises(remotesvc.EncodeError):
            chain.call(called_failing.lock)
        with pytest.raises(remotesvc.EncodeError):
            chain.call(called.add, 1)


def test_cancelling_what_runs_in_a_chain(context: Context, tmp_path: Path) -> None:
    """It is told, the rest of the chain goes on once it is over."""
    chain = context.chain()
    first = chain.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))
    appears(tmp_path / "begun")
    second = chain.submit(called_waiting.wait_cancelled, str(tmp_path / "begun2"), str(tmp_path / "told2"))
    third = chain.submit(called.add, 1, 1)
    assert first.cancel()
    appears(tmp_path / "told")
    appears(tmp_path / "begun2")
    assert second.cancel()
    appears(tmp_path / "told2")
    assert third.result(LIMIT) == 2


def test_cancelling_what_waits_in_a_chain(context: Context, tmp_path: Path) -> None:
    chain = context.chain()
    first = chain.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    second = chain.submit(called_waiting.touch, str(tmp_path / "never"))
    third = chain.submit(called.add, 1, 1)
    appears(tmp_path / "begun")
    context.ping()
    assert second.cancel()
    context.ping()
    (tmp_path / "go").touch()
    assert first.result(LIMIT) == "done"
    assert third.result(LIMIT) == 2
    assert not (tmp_path / "never").exists()


def test_abandoned_calls_of_a_chain_do_not_use_up_the_context(context: Context, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    chains = [context.chain() for _ in range(8)]
    futures = [
        chain.submit(called_waiting.wait_for_file, str(tmp_path / f"begun{n}"), go) for n, chain in enumerate(chains)
    ]
    later = [
        chain.submit(called_waiting.wait_for_file, str(tmp_path / f"later{n}"), go) for n, chain in enumerate(chains)
    ]
    for n in range(8):
        appears(tmp_path / f"begun{n}")
    assert all(future.cancel() for future in futures + later)
    usable(context)
    (tmp_path / "go").touch()
    assert [chain.call(called.add, n) for n, chain in enumerate(chains)] == list(range(8))


def test_a_timeout_in_a_chain(context: Context, tmp_path: Path) -> None:
    assert context.call(called.add, 1, 2) == 3

    def call(timeout: float) -> None:
        chain = context.options(timeout=timeout).chain()
        with pytest.raises(remotesvc.CallTimeout):
            chain.call(called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))

    runs_out(call, tmp_path / "begun")
    appears(tmp_path / "told")
    assert context.call(called.add, 1, 1) == 2


def test_a_value_that_cannot_be_sent_breaks_its_chain(context: Context) -> None:
    chain = context.chain()
    with pytest.raises(remotesvc.EncodeError):
        chain.submit(called.add, threading.Lock())
    assert isinstance(chain.submit(called.note, 1).exception(0), remotesvc.NotSent)
    chain.reset()
    assert chain.call(called.note, 2) == 2
    assert context.call(called.noted) == [2]
