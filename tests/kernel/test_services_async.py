"""Services whose methods await: they share one event loop."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.service import Pool
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, served_async
from tests.kernel.contexts import LIMIT, appears, until

pytest_plugins = ("tests.kernel.call_fixtures",)

KEEPER = served_async.Keeper
ENDS = [interpreters.found()[0], interpreters.found()[-1]]


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_a_service_may_keep_what_asyncio_binds_to_a_loop(router: Router, interpreter: Interpreter) -> None:
    context = router.local(interpreter.path).options(timeout=LIMIT)
    futures = [context.call_service_async(KEEPER, "locked", 0.1) for _ in range(3)]
    assert [future.result() for future in futures] == [True] * 3
    got = context.call_service_async(KEEPER, "get")
    context.call_service(KEEPER, "put", 5)
    assert got.result() == 5
    items = context.call_service(KEEPER, "drain", 2)
    context.call_service(KEEPER, "put", 1)
    context.call_service(KEEPER, "put", 2)
    assert list(items) == [1, 2]
    assert context.call_service(KEEPER, "thread") == context.call_service(KEEPER, "thread") == "remotesvc-loop"


def test_a_coroutine_and_its_tasks_know_their_call(context: Context) -> None:
    names = [context.call_service_async(KEEPER, name) for name in ("names", "other") * 3]
    for future, name in zip(names, ("names", "other") * 3, strict=True):
        assert set(future.result(LIMIT)) == {f"tests.kernel.served_async.Keeper:{name}"}


def test_who_gives_up_is_no_longer_waited_for(context: Context) -> None:
    with pytest.raises(remotesvc.CallTimeout):
        context.options(timeout=0.3).call_service(KEEPER, "get")
    got = context.call_service_async(KEEPER, "get")
    context.call_service(KEEPER, "put", 7)
    assert got.result(LIMIT) == 7  # the one that was given up takes nothing
    assert not context.call_service(KEEPER, "waits")


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_an_async_generator_that_is_closed_tidies_up(
    router: Router, interpreter: Interpreter, tmp_path: Path
) -> None:
    context = router.local(interpreter.path).options(timeout=LIMIT)
    for number, items in enumerate((
        context.call(called.async_tidies_up, str(tmp_path / "0")),
        context.call_service(KEEPER, "tidies_up", str(tmp_path / "1")),
    )):
        next(items)
        items.close()
        appears(tmp_path / str(number))


def test_an_async_method_that_blocks_for_another_of_its_service_is_refused(context: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="would wait for itself"):
        context.options(timeout=LIMIT).call_service(KEEPER, "blocks")


def test_async_methods_of_two_services_that_block_for_one_another_are_refused(context: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="would wait for itself"):
        context.options(timeout=LIMIT).call_service(served_async.Left, "outer")
    assert context.call_service(served_async.Left, "inner") == "fine"


@pytest.mark.parametrize("how", ["stop", "exit"])
@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_a_task_that_ends_the_loop_ends_no_call(router: Router, interpreter: Interpreter, how: str) -> None:
    context = router.local(interpreter.path).options(timeout=LIMIT)
    waiting = context.call_service_async(KEEPER, "get")
    context.call_service(KEEPER, "ends_its_loop", how)
    context.call_service(KEEPER, "put", 3)
    assert waiting.result() == 3


def test_a_pool_closes_after_a_task_that_ended_the_loop(router: Router) -> None:
    with Pool(router, services=[KEEPER]) as pool:
        pool.call(KEEPER, "ends_its_loop", "stop")
        pool.call(KEEPER, "locked", 0.0)
        pool.close()
        assert pool.join(LIMIT)


def test_what_an_async_method_calls_of_its_service_is_part_of_its_turn(context: Context) -> None:
    assert context.options(timeout=LIMIT).call_service(served_async.InTurn, "outer") == "part of it"


def test_an_async_method_that_ctrl_c_ends_has_its_turn_until_its_end(router: Router) -> None:
    told: list[str] = []

    def interrupt() -> None:
        until(lambda: told == ["begun"])
        os.kill(os.getpid(), signal.SIGINT)

    with Pool(router, services=[served_async.InTurn]) as pool:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            pool.call(served_async.InTurn, "tidies_up", told)
        assert told == ["begun", "ended"]
        thread.join()


def test_a_fork_of_an_async_method_ends_where_that_does(context: Context) -> None:
    assert context.options(timeout=LIMIT).call_service(KEEPER, "forks") == 0
    assert context.options(timeout=LIMIT).call_service(KEEPER, "locked", 0.0)


def test_the_loop_ends_with_the_pool_after_an_async_on_shutdown(router: Router) -> None:
    keeper = KEEPER()
    with Pool(router, services=[keeper]) as pool:
        assert pool.call(KEEPER, "locked", 0.0)
        assert "remotesvc-loop" in {thread.name for thread in threading.enumerate()}
    assert keeper.ended == "remotesvc-loop"
    until(lambda: "remotesvc-loop" not in {thread.name for thread in threading.enumerate()})
