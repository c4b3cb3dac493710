"""A service that runs one call at a time, and is called by what such a call waits for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import remotesvc
from remotesvc import Context, Latch, Router
from remotesvc.service import Pool
from tests import interpreters
from tests.kernel import served_cycles
from tests.kernel.contexts import LIMIT, until

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def pool(router: Router) -> Iterator[Pool]:
    services = [served_cycles.Turns, served_cycles.Values, served_cycles.Left, served_cycles.Right,
                served_cycles.Helper, served_cycles.Patient, served_cycles.Relay, served_cycles.OnMain]  # fmt: skip
    with Pool(router, services=services) as pool:
        yield pool


@pytest.fixture(params=[interpreters.found()[0], interpreters.found()[-1]], ids=str)
def asking(request: pytest.FixtureRequest, router: Router, pool: Pool) -> Context:
    return router.local(python=request.param.path).options(timeout=LIMIT)


@pytest.mark.parametrize("how", ["call", "submit", "items", "select", "select all"])
def test_a_call_that_would_wait_for_itself_is_refused(asking: Context, pool: Pool, how: str) -> None:
    assert asking.call(served_cycles.ask, how, 1) == 1
    with pytest.raises(remotesvc.CallError, match="ServiceRefused") as caught:
        asking.call(served_cycles.ask, how, 3)
    name = "tests.kernel.served_cycles.Turns:answer"
    assert f"{name} would wait for its turn for ever: {name} has it" in str(caught.value)
    assert f"contexts 0 -> {asking.id} -> 0" in str(caught.value)
    assert asking.call(served_cycles.ask, how, 1) == 1


def test_so_is_one_that_comes_back_by_way_of_another_service(asking: Context, pool: Pool) -> None:
    with pytest.raises(remotesvc.CallError, match="ServiceRefused.*Turns:reports would wait for its turn for ever"):
        asking.call(served_cycles.ask, "relay", 2)


def test_so_is_one_that_the_program_itself_has_caused(asking: Context, pool: Pool) -> None:
    with pytest.raises(remotesvc.CallError, match=f"ServiceRefused.*contexts 0 -> {asking.id} -> 0"):
        pool.call(served_cycles.Turns, "answer", "call", 1, there=asking)
    assert pool.call(served_cycles.Turns, "answer", "call", 0, there=asking) == 0


def test_so_is_one_that_an_event_has_caused(asking: Context, pool: Pool) -> None:
    latch, turns = Latch(), pool.get_service(served_cycles.Turns)
    assert isinstance(turns, served_cycles.Turns)
    turns.select.add(latch)
    latch.put(asking)
    until(lambda: turns.reported)
    assert "Turns:on_message has it, and waits for this call" in str(turns.reported[0])


@pytest.mark.parametrize("method", ["below", "here"])
def test_what_is_computed_does_not_wait_for_itself(asking: Context, pool: Pool, method: str) -> None:
    name = f"tests.kernel.served_cycles.Values:{method}"
    with pytest.raises(remotesvc.CallError) as caught:
        asking.call(served_cycles.ask_for, 1, method)
    assert f"{name} would wait for its value for ever: {name} computes it, and waits for this call" in str(caught.value)
    with pytest.raises(remotesvc.CallError, match="ServiceRefused"):
        asking.call(served_cycles.ask_for, 1, method)


@pytest.mark.parametrize("method", ["below", "here"])
def test_of_two_that_wait_for_each_others_turn_one_is_refused(asking: Context, pool: Pool, method: str) -> None:
    futures = [asking.submit(served_cycles.cross, service, method) for service in ("Left", "Right")]
    ends = sorted(str(future.exception(LIMIT)) for future in futures)
    assert ends[0] == "None", ends
    assert "would wait for its turn for ever" in ends[1] and "waits for a call that waits for this one" in ends[1]
    assert asking.call(served_cycles.cross, "Left", "one") == 1


def test_what_makes_a_service_does_not_wait_for_it(asking: Context, pool: Pool) -> None:
    with pytest.raises(remotesvc.CallError) as caught:
        asking.call_service(served_cycles.Made, "ready")
    assert "Made:ready would wait for its turn for ever: tests.kernel.served_cycles.Made:__init__ has it" in str(
        caught.value)  # fmt: skip


def test_two_that_need_each_other_to_be_made_are_not(asking: Context) -> None:
    futures = [asking.call_service_async(cls, "ready") for cls in (served_cycles.One, served_cycles.Other)]
    for future in futures:
        assert "needs itself to be made" in str(future.exception(LIMIT))


@pytest.mark.parametrize("how", ["turn", "future"])
def test_who_waits_for_a_turn_ends_with_its_caller(asking: Context, pool: Pool, how: str) -> None:
    patient = pool.get_service(served_cycles.Patient)
    assert isinstance(patient, served_cycles.Patient)
    turn = asking.submit(served_cycles.cross, "Left", "here")  # waits for the other, which never comes
    until(lambda: served_cycles.Left.both.n_waiting)
    with pytest.raises(remotesvc.CallTimeout):
        asking.options(timeout=0.5).call(served_cycles.ask_patient, how)
    until(lambda: patient.ended == [how])
    served_cycles.Left.both.wait(LIMIT)
    assert turn.result(LIMIT) == 2


@pytest.mark.parametrize("how", ["select", "future"])
def test_a_call_that_is_not_waited_for_for_ever_has_its_turn(asking: Context, pool: Pool, how: str) -> None:
    assert asking.call(served_cycles.impatient, how) == 0
    until(lambda: pool.call(served_cycles.Turns, "reports") == [3])


@pytest.mark.parametrize("how", ["cast", "submit"])
def test_a_call_that_nobody_waits_for_has_its_turn(asking: Context, pool: Pool, how: str) -> None:
    assert asking.call(served_cycles.begin, how) == 0
    until(lambda: pool.call(served_cycles.Turns, "reports") == [3])


def test_calls_of_others_wait_for_their_turn(asking: Context, pool: Pool) -> None:
    futures = [asking.submit(served_cycles.ask, "call", 1) for _ in range(20)]
    assert [future.result(LIMIT) for future in futures] == [1] * 20


@pytest.mark.parametrize("how", ["cast", "submit"])
def test_what_a_call_in_turn_waits_for_may_report_without_waiting(asking: Context, pool: Pool, how: str) -> None:
    assert asking.call(served_cycles.told, how) == 0
    until(lambda: pool.call(served_cycles.Turns, "reports") == [3])


@pytest.mark.parametrize("how", ["call", "submit"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_call_that_would_wait_for_the_main_thread_for_ever_is_refused(router: Router, pool: Pool, how: str,
                                                                        concurrency: int) -> None:
    asking = router.local(concurrency=concurrency).options(timeout=LIMIT)
    with pytest.raises(remotesvc.CallError) as caught:
        asking.options(thread="main").call(served_cycles.ask_on_main, how, 2)
    assert "served_cycles:ask_on_main would wait for the main thread for ever: a call that" in str(caught.value)
    assert f"contexts {asking.id} -> 0 -> {asking.id}" in str(caught.value)
    assert asking.options(thread="main").call("os:getpid") == asking.call("os:getpid")


def test_a_call_that_nobody_waits_for_has_the_main_thread(router: Router, pool: Pool) -> None:
    asking = router.local().options(timeout=LIMIT, thread="main")
    assert asking.call(served_cycles.ask_on_main, "begin", 2) == 1
