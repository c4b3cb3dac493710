"""Calls to services on a child's main thread: those that are known to be quick, while it reads what comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotesvc import Context, Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_waiting, served, served_invokers
from tests.kernel.contexts import LIMIT, appears, until

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture(params=interpreters.found(), ids=str)
def brisk(router: Router, request: pytest.FixtureRequest) -> Context:
    """A child of each interpreter whose main thread runs calls of the service."""
    interpreter: Interpreter = request.param
    context = router.local(python=interpreter.path)
    brisk = served_invokers.Brisk
    until(lambda: context.call_service(brisk, "on_main"), what="the main thread has a call of the service")
    return context


def test_the_first_call_is_not_run_by_the_main_thread(router: Router) -> None:
    """Nobody knows yet how long it takes."""
    context = router.local()
    assert context.call_service(served_invokers.Brisk, "on_main") is False


def test_quick_calls_are_run_by_the_main_thread(brisk: Context) -> None:
    main = [brisk.call_service(served_invokers.Brisk, "on_main") for _ in range(300)]
    assert main.count(True) > 100  # others only where the machine kept it from getting on


def test_a_slow_method_stays_off_the_main_thread_for_a_while(brisk: Context) -> None:
    until(lambda: brisk.call_service(served_invokers.Brisk, "nap", seconds=0.0), what="the main thread has naps")

    def slow_for_a_while() -> bool:
        brisk.call_service(served_invokers.Brisk, "nap", seconds=0.02)
        return [brisk.call_service(served_invokers.Brisk, "nap", seconds=0.0) for _ in range(8)] == [False] * 8

    until(slow_for_a_while)  # how long a run took is noted once its answer has left: the next call may come before that
    until(lambda: brisk.call_service(served_invokers.Brisk, "nap", seconds=0.0), what="the main thread has naps again")


def test_quick_calls_and_plain_ones_take_turns(brisk: Context) -> None:
    futures = []
    for number in range(2000):
        futures.append(brisk.submit(called.add, number))
        futures.append(brisk.call_service_async(served_invokers.Brisk, "nap", seconds=0.0))
    answers = [future.result(LIMIT) for future in futures]
    assert answers[::2] == list(range(2000))


def test_calls_that_came_together_can_wait_for_each_other(brisk: Context, tmp_path: Path) -> None:
    """Each was quick until now; now each waits for all others, services and plain calls alike."""
    for number in range(20):
        name = str(tmp_path / f"alone {number}")
        assert brisk.call_service(served_invokers.Brisk, "meet", names=[name], own=name)
    names = [str(tmp_path / str(number)) for number in range(8)]
    futures = [brisk.call_service_async(served_invokers.Brisk, "meet", names=names, own=name) for name in names[:4]]
    futures += [brisk.submit(called_waiting.meet, names, name) for name in names[4:]]
    assert [future.result(LIMIT) for future in futures] == [True] * 8


def test_while_the_main_thread_is_busy_services_answer(brisk: Context, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    # It says so itself: where the stand-in happens to have read it, another thread could have it.
    long = brisk.options(thread="main").submit(called_waiting.wait_for_file, str(begun), str(go))
    appears(begun)
    assert [brisk.call_service(served_invokers.Brisk, "on_main") for _ in range(20)] == [False] * 20
    go.touch()
    long.result(LIMIT)
    until(lambda: brisk.call_service(served_invokers.Brisk, "on_main"), what="the main thread is back")


def test_a_serialized_service_keeps_its_order(brisk: Context) -> None:
    """Wherever each call runs: quick ones on the main thread, slow ones between them on others."""
    futures = []
    for number in range(3000):
        futures.append(brisk.call_service_async(served_invokers.BriskInTurn, "note", number=number))
        if number % 500 == 250:
            brisk.call_service_async(served_invokers.BriskInTurn, "nap", seconds=0.01)
    noted = [future.result(LIMIT) for future in futures]
    assert noted == [[0]] + [[number - 1, number] for number in range(1, 3000)]


def test_a_pool_that_closes_lets_the_main_thread_go(brisk: Context) -> None:
    futures = [brisk.call_service_async(served_invokers.Brisk, "nap", seconds=0.0) for _ in range(500)]
    brisk.call(served.close_pool)
    for future in futures:
        future.exception(LIMIT)  # each is answered
    assert brisk.call_service(served_invokers.Brisk, "on_main") in (True, False)
