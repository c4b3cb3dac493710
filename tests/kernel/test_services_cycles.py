"""A service that runs one call at a time, and is called by what such a call waits for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.service import Pool
from tests import interpreters
from tests.kernel import served_cycles
from tests.kernel.contexts import LIMIT, until

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def pool(router: Router) -> Iterator[Pool]:
    with Pool(router, services=[served_cycles.Turns]) as pool:
        yield pool


@pytest.fixture(params=[interpreters.found()[0], interpreters.found()[-1]], ids=str)
def asking(request: pytest.FixtureRequest, router: Router, pool: Pool) -> Context:
    return router.local(python=request.param.path).options(timeout=LIMIT)


@pytest.mark.parametrize("how", ["call", "submit"])
def test_a_call_that_would_wait_for_itself_is_refused(asking: Context, pool: Pool, how: str) -> None:
    assert asking.call(served_cycles.ask, how, 1) == 1
    with pytest.raises(remotesvc.CallError, match="ServiceRefused") as caught:
        asking.call(served_cycles.ask, how, 3)
    name = "tests.kernel.served_cycles.Turns:answer"
    assert f"{name} would wait for its turn for ever: {name} has it" in str(caught.value)
    assert f"contexts 0 -> {asking.id} -> 0" in str(caught.value)
    assert asking.call(served_cycles.ask, how, 1) == 1


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
