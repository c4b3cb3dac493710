"""Futures of calls, as the standard library and asyncio use them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import signal
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.kernel import called, called_failing, called_waiting
from tests.kernel.contexts import LIMIT, appears, until
from tests.threads import beside

pytest_plugins = ("tests.kernel.call_fixtures",)


def test_as_completed_and_wait(context: Context, tmp_path: Path) -> None:
    futures = [context.submit(called.add, number) for number in range(20)]
    slow = context.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "go"))
    assert sorted(future.result() for future in concurrent.futures.as_completed(futures, LIMIT)) == list(range(20))
    done, pending = concurrent.futures.wait([*futures, slow], 0.1)
    assert done == set(futures)
    assert pending == {slow}
    (tmp_path / "go").touch()
    assert next(concurrent.futures.as_completed([slow], LIMIT)) is slow


def test_whoever_waits_for_a_future_learns_that_it_was_cancelled(context: Context, tmp_path: Path) -> None:
    future = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))
    appears(tmp_path / "begun")
    seen: list[object] = []
    ready = [threading.Event() for _ in range(3)]

    def completed() -> None:
        ready[0].set()
        seen.extend(concurrent.futures.as_completed([future], LIMIT))

    def waited() -> None:
        ready[1].set()
        seen.extend(concurrent.futures.wait([future], LIMIT).done)

    def result() -> None:
        ready[2].set()
        try:
            future.result(LIMIT)
        except concurrent.futures.CancelledError as error:
            seen.append(error)

    with beside((completed, waited, result)):
        for event in ready:
            assert event.wait(LIMIT)
        assert future.cancel()
        assert future.cancel()
    assert len(seen) == 3
    assert future.cancelled()
    assert future.done()
    assert concurrent.futures.wait([future], 0).done == {future}
    assert list(concurrent.futures.as_completed([future], 0)) == [future]
    appears(tmp_path / "told")


def test_a_callback_may_call_again(context: Context) -> None:
    results: list[Any] = []
    finished = threading.Event()

    def again(future: concurrent.futures.Future[Any]) -> None:
        results.append(future.result())
        if len(results) == 10:
            finished.set()
            return
        results[-1] += context.call(called.add, 0, 0)
        context.submit(called.add, results[-1], 1).add_done_callback(again)

    context.submit(called.add, 0, 1).add_done_callback(again)
    assert finished.wait(LIMIT)
    assert results == list(range(1, 11))


def test_a_callback_that_raises_hurts_nobody(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    def bad(future: object) -> None:
        raise ValueError("from a callback")

    future = context.submit(called.add, 1, 1)
    future.add_done_callback(bad)
    called_too = threading.Event()
    future.add_done_callback(lambda future: called_too.set())
    assert called_too.wait(LIMIT)
    assert any("of tests.kernel.called:add failed" in record.getMessage() for record in caplog.records)
    assert any("from a callback" in str(record.exc_info) for record in caplog.records)
    assert future.result() == 2
    assert context.submit(called.add, 1, 1).result(LIMIT) == 2


def test_asyncio(context: Context, tmp_path: Path) -> None:
    async def main() -> list[Any]:
        futures = [asyncio.wrap_future(context.submit(called.add, number)) for number in range(20)]
        numbers = await asyncio.gather(*futures)
        failing = asyncio.wrap_future(context.submit(called_failing.fail, "KeyError", "k"))
        with pytest.raises(KeyError):
            await failing
        waiting = asyncio.wrap_future(
            context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))
        )
        appears(tmp_path / "begun")  # one that is cancelled before it begins is told nothing
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waiting, 0.3)
        return list(numbers)

    assert asyncio.run(main()) == list(range(20))
    appears(tmp_path / "told")


def test_asyncio_waits_for_no_callback(context: Context) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    def block(future: object) -> None:
        blocked.set()
        go_on.wait(LIMIT)

    context.submit("time:sleep", 0.1).add_done_callback(block)

    async def main() -> int:
        waiting = asyncio.wrap_future(context.submit("time:sleep", 0.5))
        await asyncio.to_thread(blocked.wait, LIMIT)
        await waiting
        return await asyncio.wrap_future(context.submit(called.add, 1, 1))

    try:
        assert asyncio.run(main()) == 2
        assert not go_on.is_set()
    finally:
        go_on.set()


def test_a_future_ends_with_the_error_of_the_call(context: Context) -> None:
    future = context.submit(called_failing.fail, "ZeroDivisionError", "no")
    error = future.exception(LIMIT)
    assert isinstance(error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        future.result()
    assert not future.cancelled()
    assert not future.cancel()


def test_results_are_not_kept(context: Context) -> None:
    future = context.submit(called.echo, {1, 2})
    future.result(LIMIT)
    known = weakref.ref(future)
    del future
    gc.collect()
    until(lambda: known() is None)


def test_a_context_lost_while_arguments_are_written_is_told_by_the_future(context: Context) -> None:
    pid = context.call("os:getpid")
    os.kill(pid, signal.SIGSTOP)
    futures: list[Any] = []
    data = b"x" * (64 << 20)
    writing = threading.Thread(target=lambda: futures.append(context.submit(called.echo, data)))
    writing.start()
    link = context.tree.router.links[context.id]
    until(lambda: link.queued, what="it has begun")
    os.kill(pid, signal.SIGKILL)
    writing.join(LIMIT)
    assert isinstance(futures[0].exception(LIMIT), (remotesvc.Lost, remotesvc.NotSent))


def test_a_timeout_while_arguments_are_written_is_told_by_the_future(context: Context) -> None:
    pid = context.call("os:getpid")
    os.kill(pid, signal.SIGSTOP)
    try:
        future = context.options(timeout=0.3).submit(called.echo, b"x" * (64 << 20))
        assert isinstance(future.exception(LIMIT), remotesvc.CallTimeout)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert context.call(called.add, 1, 1) == 2


def test_a_process_that_cannot_be_started_is_told_by_the_future(router: Router) -> None:
    context = router.local("/bin/false")
    with pytest.raises(remotesvc.BootstrapError):
        context.wait_ready()
    assert isinstance(context.submit(called.add, 1, 1).exception(0), remotesvc.BootstrapError)


def test_callbacks_of_futures_that_wait_for_output_while_the_router_closes(tmp_path: Path) -> None:
    shown, gate, told = threading.Event(), threading.Event(), threading.Event()

    def show(event: remotesvc.OutputEvent) -> None:
        shown.set()
        assert gate.wait(LIMIT)

    router = Router(on_output=show)
    context = router.local()
    future = context.submit(called_waiting.say_and_wait, "a line\n", str(tmp_path / "never"))
    future.add_done_callback(lambda future: told.set())
    assert shown.wait(LIMIT)
    closing = threading.Thread(target=router.close)
    closing.start()
    # The future is in line behind the output, and whoever closes waits for that, or has given the callbacks up.
    until(lambda: router._root.events.waiting >= 2 or router._tree.callbacks._closed, what="the router is closing")
    gate.set()
    closing.join(LIMIT)
    assert told.is_set()
    assert isinstance(future.exception(0), remotesvc.Lost)


def test_no_thread_wakes_for_a_call_whose_timeout_was_not_needed(context: Context) -> None:
    """Its timer is cancelled where the call is settled, by whoever reads the link, here and on a child."""
    for number in range(3):
        assert context.options(timeout=LIMIT).submit(called.add, number).result() == number
    context.ping()  # what was settled before is done with by now
    assert "remotesvc-callbacks" not in {thread.name for thread in threading.enumerate()}
    assert "remotesvc-callbacks" not in context.call(called.threads_after_calls_below, LIMIT)
