"""Invokers on real processes: what overlaps, what waits its turn, what runs once for many."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.service import Pool
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import served, served_above, served_invokers
from tests.kernel.contexts import LIMIT, appears, until
from tests.kernel.serving import statistics, until_busy, until_inside
from tests.threads import together

pytest_plugins = ("tests.kernel.call_fixtures",)

ENDS = [interpreters.found()[0], interpreters.found()[-1]]


def async_(context: Context, service: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    return context.call_service_async(service, method, *args, **kwargs)


def results(futures: Any) -> list[Any]:
    return [future.result(LIMIT) for future in futures]


def test_as_many_calls_overlap_as_there_are_threads(router: Router, tmp_path: Path) -> None:
    """Check 53, and what is beyond that waits."""
    context = router.local(concurrency=4)
    flag = tmp_path / "flag"
    futures = [async_(context, served_invokers.Concurrent, "hold", str(flag)) for _ in range(6)]
    until_busy(context, served_invokers.Concurrent, 4, 2)
    until_inside(context, served_invokers.Concurrent, 4)
    flag.touch()
    assert results(futures) == [True] * 6
    report = context.call_service(served_invokers.Concurrent, "report")
    assert report["most"] == 4


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_serialized_calls_run_in_the_order_of_their_arrival(router: Router, interpreter: Interpreter) -> None:
    """Check 54: each reply reaches its caller, nothing overlaps."""
    context = router.local(interpreter.path)
    futures = [async_(context, served_invokers.Serialized, "run", number, 0.001) for number in range(50)]
    assert results(futures) == list(range(50))
    report = context.call_service(served_invokers.Serialized, "report")
    assert report["most"] == 1
    assert report["order"] == list(range(50))


def test_a_serialized_call_that_raises_is_its_callers_affair(context: Context) -> None:
    """Check 55."""
    futures = []
    for number in range(20):
        futures.append(async_(context, served_invokers.Serialized, "fail" if number % 2 else "run", number))
    for number, future in enumerate(futures):
        if number % 2:
            with pytest.raises(KeyError) as caught:
                future.result(LIMIT)
            assert caught.value.args == (number,) or str(number) in str(caught.value)
        else:
            assert future.result(LIMIT) == number
    assert context.call_service(served_invokers.Serialized, "report")["order"] == list(range(20))


def test_a_serialized_generator_keeps_its_turn(context: Context) -> None:
    items = context.service(served_invokers.Serialized).stream(3)
    assert next(items) == 0
    future = async_(context, served_invokers.Serialized, "run", 7)
    assert list(items) == [1, 2]
    assert future.result(LIMIT) == 7
    report = context.call_service(served_invokers.Serialized, "report")
    assert (report["order"], report["most"]) == (["stream", 7], 1)


def test_ten_thousand_queued_calls_keep_their_order(router: Router, tmp_path: Path) -> None:
    """The memory of the child is bounded: it grows by less than 3 KiB a queued call."""
    context = router.local()
    flag = tmp_path / "flag"
    held = async_(context, served_invokers.Serialized, "hold", str(flag))
    until_busy(context, served_invokers.Serialized, 1, 0)
    before = context.call(served.resident)
    futures = [async_(context, served_invokers.Serialized, "run", number) for number in range(9990)]
    until_busy(context, served_invokers.Serialized, 1, 9990)
    assert context.call(served.resident) - before < 30 * 1024
    flag.touch()
    assert held.result(LIMIT)
    assert results(futures) == list(range(9990))
    assert context.call_service(served_invokers.Serialized, "report")["order"][1:] == list(range(9990))


def test_a_queue_has_an_end(router: Router, tmp_path: Path) -> None:
    """What is large counts for more: beyond the bound callers are told, and the queue goes on."""
    context = router.local()
    flag = tmp_path / "flag"
    held = async_(context, served_invokers.Serialized, "hold", str(flag))
    until_busy(context, served_invokers.Serialized, 1, 0)
    futures = [async_(context, served_invokers.Serialized, "length", "x" * 60000) for _ in range(100)]
    until(lambda: sum(future.done() for future in futures) > 20)
    flag.touch()
    assert held.result(LIMIT)
    outcomes = [future.exception(LIMIT) for future in futures]
    refused = [error for error in outcomes if isinstance(error, remotesvc.Busy)]
    assert 20 < len(refused) < 50
    assert "calls wait for tests.kernel.served_invokers.Serialized already" in str(refused[0])
    assert outcomes.count(None) == 100 - len(refused)
    assert context.call_service(served_invokers.Serialized, "length", "x" * 1000000) == 1000000


def test_cancelled_calls_leave_the_queue(context: Context, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    held = async_(context, served_invokers.Serialized, "hold", str(flag))
    futures = [async_(context, served_invokers.Serialized, "run", number) for number in range(10)]
    until_busy(context, served_invokers.Serialized, 1, 10)
    for future in futures[::2]:
        assert future.cancel()
    context.call_service(served.Open, "who")  # it arrives behind the word of all these
    flag.touch()
    assert held.result(LIMIT)
    assert results(futures[1::2]) == [1, 3, 5, 7, 9]
    assert context.call_service(served_invokers.Serialized, "report")["order"][1:] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_equal_calls_run_once(router: Router, tmp_path: Path, interpreter: Interpreter) -> None:
    """Check 56: 20 equal replies, one thread, and an unrelated method is answered meanwhile."""
    context = router.local(interpreter.path)
    flag = tmp_path / "flag"
    futures = [async_(context, served_invokers.Deduplicated, "compute", 1, path=str(flag)) for _ in range(20)]
    assert context.call_service(served_invokers.Deduplicated, "privileged", 5) == 5
    until_inside(context, served_invokers.Deduplicated, 1)
    assert context.call_service(served_invokers.Deduplicated, "compute", 2) == [2, 2]
    flag.touch()
    assert results(futures) == [[1, 2]] * 20
    report = context.call_service(served_invokers.Deduplicated, "report")
    assert report == {"order": ["1", "2"], "most": 2, "threads": 2}


def test_what_makes_calls_equal(context: Context) -> None:
    """Check 57: order of keywords, dicts and sets does not matter; values, types and defaults do."""
    service = context.service(served_invokers.Deduplicated)
    first = service.compute({"a": 1, "b": {2, 3}}, other="x")
    assert service.compute(other="x", path="", value={"b": {3, 2}, "a": 1}) == first
    seen = set()
    values = [1, 1.0, True, "1", b"1", [1], (1,), {1}, frozenset([1]), {1: 1}, {"1": 1}, None, [[1], []], [[], [1]]]
    for value in values:
        seen.add(service.compute(value)[1])
    assert len(seen) == 14


def test_an_error_goes_to_all_who_wait_and_is_forgotten(context: Context, tmp_path: Path) -> None:
    """Check 58."""
    flag = tmp_path / "flag"
    futures = [async_(context, served_invokers.Deduplicated, "compute", "raise", path=str(flag)) for _ in range(5)]
    assert context.call_service(served_invokers.Deduplicated, "privileged", 1) == 1  # all have arrived
    flag.touch()
    for future in futures:
        with pytest.raises(KeyError):
            future.result(LIMIT)
    for _ in range(2):
        with pytest.raises(KeyError):
            context.call_service(served_invokers.Deduplicated, "compute", "raise", path=str(flag))
    assert len(context.call_service(served_invokers.Deduplicated, "report")["order"]) == 3


def test_kept_results_have_bounds_and_can_be_invalidated(context: Context) -> None:
    """Check 58."""
    service = context.service(served_invokers.Deduplicated)
    assert [service.compute(number)[1] for number in range(4)] == [1, 2, 3, 4]
    assert [service.compute(number)[1] for number in range(4)] == [1, 2, 3, 4]
    service.compute(4)  # pushes the least recently used out
    assert service.compute(1)[1] == 2
    assert service.compute(0)[1] == 6
    assert service.forget("compute", 1) == 1
    assert service.compute(1)[1] == 7
    assert service.forget("compute") >= 3
    assert service.compute(1)[1] == 8
    assert service.forget() >= 1
    with pytest.raises(remotesvc.CallError, match="no method 'nothing'"):
        service.forget("nothing")


def test_results_are_kept_within_limits_of_time_and_bytes(context: Context) -> None:
    """Check 58: by time, by bytes, and errors only where that was asked for."""
    each_time = context.service(served_invokers.CountedEachTime)
    assert [each_time.count()[0] for _ in range(3)] == [1, 2, 3]
    passing = context.service(served_invokers.CountedForAWhile)
    assert passing.count()[0] == 1
    until(lambda: passing.count()[0] > 1, what="what was kept is too old")

    small = context.service(served_invokers.CountedInLittleRoom)
    assert [small.count(1, 1000)[0] for _ in range(2)] == [1, 1]
    assert [small.count(2, 3000)[0] for _ in range(2)] == [2, 3], "more than a quarter of the room"
    assert [small.count(name, 1000)[0] for name in range(3, 12)] == list(range(4, 13))
    assert small.count(11, 1000)[0] == 12
    assert small.count(1, 1000)[0] == 13, "others have pushed it out"

    for service, runs in ((small, ("14", "15")), (context.service(served_invokers.CountedWithErrors), ("1", "1"))):
        for run in runs:
            with pytest.raises(KeyError, match=f"KeyError: {run}\n"):
                service.fail()


def test_a_policy_is_asked_for_each_caller(context: Context, router: Router) -> None:
    """Check 59: a reply that is kept is none for whom a policy would not let in."""
    with Router(siblings=True) as siblings:
        one, two = siblings.local(), siblings.local()
        assert one.call_service(served_invokers.Deduplicated, "privileged", 3) == 3
        name = served_invokers.Deduplicated.name()
        assert two.call(served_above.ask, one, name, "privileged", 3)[0] == "ServiceForbidden"
        assert two.call(served_above.ask, one, name, "report")["order"] == []


def test_the_computing_caller_may_give_up(context: Context, tmp_path: Path) -> None:
    """Check 60: what runs belongs to all who wait; it is cancelled when the last of them has gone."""
    path = tmp_path / "flag"
    first = async_(context, served_invokers.Deduplicated, "patient", str(path))
    until_busy(context, served_invokers.Deduplicated, 1, 0)
    second = async_(context, served_invokers.Deduplicated, "patient", str(path))
    third = async_(context, served_invokers.Deduplicated, "patient", str(path))
    assert context.call_service(served_invokers.Deduplicated, "privileged", 1) == 1  # both have arrived
    assert first.cancel()
    assert context.call_service(served_invokers.Deduplicated, "privileged", 2) == 2
    path.touch()
    assert results([second, third]) == [1, 1]
    assert not (tmp_path / "flag.cancelled").exists()
    assert context.call_service(served_invokers.Deduplicated, "forget") >= 1
    path.unlink()
    futures = [async_(context, served_invokers.Deduplicated, "patient", str(path)) for _ in range(3)]
    assert context.call_service(served_invokers.Deduplicated, "privileged", 3) == 3
    until_inside(context, served_invokers.Deduplicated, 1)
    for future in futures:
        assert future.cancel()
    appears(f"{path}.cancelled")


def test_the_computing_caller_may_be_lost(tmp_path: Path) -> None:
    """Check 60, with a process that is killed."""
    flag = tmp_path / "flag"
    with Router(siblings=True) as router:
        host, one, two = router.local(), router.local(), router.local()
        host.call_service(served.Open, "who")
        host.call_service(served_invokers.Shared, "compute", "")
        one.cast(served_above.ask, host, served_invokers.Shared.name(), "compute", str(flag))
        until_busy(host, served_invokers.Shared, 1, 0)
        waiting = two.submit(served_above.ask, host, served_invokers.Shared.name(), "compute", str(flag))
        until(lambda: statistics(host, served_invokers.Shared)["calls"] == 3, what="the second has come, too")
        host.call_service(served.Open, "who")  # it is taken in behind that
        one.close()
        flag.touch()
        assert waiting.result(LIMIT) == 2


def test_a_value_that_does_not_travel_is_the_same_error_for_all_who_wait(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "flag"
    futures = [async_(context, served_invokers.Deduplicated, "lock", str(path)) for _ in range(3)]
    until_inside(context, served_invokers.Deduplicated, 1)
    path.touch()
    for future in futures:
        with pytest.raises(remotesvc.EncodeError, match=r"return value\[0\]"):
            future.result(LIMIT)


@pytest.mark.parametrize("strict_first", [True, False])
def test_who_wants_values_strictly_shares_no_reply_with_who_does_not(
    context: Context, tmp_path: Path, strict_first: bool
) -> None:
    path = tmp_path / "flag"
    strict = context.options(strict_types=True)
    callers = [strict, context, strict, context][not strict_first :]
    futures = [async_(each, served_invokers.Deduplicated, "status", str(path)) for each in callers]
    until_inside(context, served_invokers.Deduplicated, 2)
    path.touch()
    for each, future in zip(callers, futures, strict=True):
        if each is strict:
            with pytest.raises(remotesvc.EncodeError, match="strict_types"):
                future.result(LIMIT)
        else:
            assert future.result(LIMIT).type_name == "os.stat_result"
    assert context.call_service(served_invokers.Deduplicated, "status", str(path)).type_name == "os.stat_result"
    with pytest.raises(remotesvc.EncodeError, match="strict_types"):
        strict.call_service(served_invokers.Deduplicated, "status", str(path))


@pytest.mark.parametrize("how", ["exhausted", "closed", "dropped"])
def test_a_generator_called_in_its_own_process_has_its_turn_until_its_end(context: Context, how: str) -> None:
    first, own, early, rest, later = context.call(served_invokers.seen_between, how)
    assert (first, own, early) == (0, ["begun", "seen"], [])
    assert rest == ([1, 2] if how == "exhausted" else [])
    assert later == ["ended", "seen"]
    assert list(context.call_service(served_invokers.Steps, "items", 2)) == [0, 1]


def test_what_a_generator_calls_of_its_service_is_part_of_its_turn_on_any_thread(context: Context) -> None:
    asked = context.options(timeout=LIMIT).call(served_invokers.asked_elsewhere)
    assert asked == ([["seen"]], ["seen"] * 3)


def test_a_generator_of_a_pool_that_closes_is_over(router: Router) -> None:
    steps = served_invokers.Steps()
    with Pool(router, services=[steps]) as pool:
        items = pool.call(served_invokers.Steps, "items", 3)
        assert next(items) == 0
    assert steps.log == ["begun", "ended"]
    with pytest.raises(remotesvc.Lost, match="closing"):
        next(items)


def test_what_a_generator_of_ones_own_process_returns_can_be_had(router: Router) -> None:
    with Pool(router, services=[served_invokers.Steps]) as pool:

        def all_of_it() -> Any:
            return (yield from pool.call(served_invokers.Steps, "items", 2))

        items = all_of_it()
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(StopIteration) as caught:
            next(items)
        assert caught.value.value == 2


@pytest.mark.parametrize("method", ["items", "async_items"])
def test_what_has_its_turn_here_is_iterated_in_either_way(router: Router, method: str) -> None:
    with Pool(router, services=[served_invokers.Steps]) as pool:

        async def all_of_it() -> list[int]:
            return [number async for number in pool.call(served_invokers.Steps, method, 3)]

        assert asyncio.run(all_of_it()) == list(pool.call(served_invokers.Steps, method, 3)) == [0, 1, 2]


def test_a_generator_cannot_be_shared(context: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="yields: .* must return its value"):
        context.service(served_invokers.Deduplicated).generate()
    with pytest.raises(remotesvc.CallError, match="answers later: .* must return its value"):
        context.service(served_invokers.Deduplicated).promise()


def test_all_first_calls_at_once_have_one_instance_and_one_invoker(router: Router) -> None:
    """Check 61: 32 threads, each with a service that nobody has called before; in the end 100 races."""
    context = router.local()
    context.wait_ready()
    for name in served.RACED:
        gate = threading.Barrier(32)
        answers: list[Any] = []

        def race(name: str = name, gate: Any = gate, answers: list[Any] = answers) -> None:
            gate.wait()
            answers.append(context.call_service(f"tests.kernel.served.{name}", "identity"))

        together(race for _ in range(32))
        assert len(answers) == 32
        assert len(set(map(tuple, answers))) == 1
        assert answers[0][2] == 1
