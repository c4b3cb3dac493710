"""A fleet as an executor: each task on one host, whatever becomes of hosts and tasks."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, as_completed, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, Fleet, Lost, UsageError
from tests.integration import fleet_tasks as tasks
from tests.kernel.contexts import appears, until
from tests.zones import ROOT

pytest_plugins = ("tests.integration.fleet_fixtures",)


def test_executor_runs_each_task_once_on_some_host(fleet: Fleet) -> None:
    with fleet.executor() as executor:
        futures = [executor.submit(tasks.square, number) for number in range(40)]
        values = [future.result()[0] for future in as_completed(futures)]
        assert sorted(values) == [number * number for number in range(40)]
        assert {future.host for future in futures} == {"web1", "web2", "web3", "db1"}
        assert [value[0] for value in executor.map(tasks.square, range(5), timeout=30)] == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("policy", ["round_robin", "sticky"])
def test_executor_policies(fleet: Fleet, policy: str) -> None:
    with fleet.executor(policy) as executor:
        futures = [executor.submit(tasks.square, number % 4) for number in range(16)]
        wait(futures)
    hosts = [future.host for future in futures]
    if policy == "round_robin":
        assert hosts[:4] * 4 == hosts and len(set(hosts)) == 4
    else:
        assert hosts[:4] * 4 == hosts


def test_executor_passes_errors_on_and_goes_on(fleet: Fleet) -> None:
    with fleet.executor() as executor:
        bad = executor.submit("os:listdir", "/nonexistent")
        assert isinstance(bad.exception(30), FileNotFoundError)
        assert executor.submit(tasks.add, 2).result(30) == 2


def test_executor_survives_the_loss_of_hosts_and_breaks_with_the_last(fleet: Fleet) -> None:
    with fleet.executor() as executor:
        lost = executor.submit("os:_exit", 3)
        assert isinstance(lost.exception(30), Lost)
        assert executor.submit(tasks.add, 2).result(30) == 2
        for _ in range(3):
            assert isinstance(executor.submit("os:_exit", 3).exception(30), Lost)
        with pytest.raises(BrokenExecutor, match="no host of the fleet is left"):
            executor.submit(tasks.add, 2)
    errors: list[BaseException | None] = []
    with fleet.executor() as executor:  # a new one finds no host either: the first task, and whatever follows
        for _ in range(8):
            try:
                errors.append(executor.submit(tasks.add, 2).exception(30))
            except BrokenExecutor as error:
                errors.append(error)
    assert {str(error).partition(";")[0] for error in errors} == {"no host of the fleet is left"}
    assert {type(error) for error in errors} == {BrokenExecutor}


def test_executor_is_broken_before_anybody_hears_of_the_last_loss(fleet: Fleet) -> None:
    refused: list[str] = []

    def submit_another(lost: Any) -> None:
        try:
            executor.submit(tasks.add, 2)
        except BrokenExecutor as error:
            refused.append(str(error))

    with fleet.filter("web1").executor() as executor:
        lost = executor.submit("os:_exit", 3)
        lost.add_done_callback(submit_another)
        assert isinstance(lost.exception(30), Lost)
    assert len(refused) == 1 and "no host of the fleet is left" in refused[0]


def test_executor_runs_an_idempotent_task_elsewhere(fleet: Fleet) -> None:
    with fleet.executor(idempotent=True) as executor:
        assert isinstance(executor.submit("os:_exit", 3).exception(60), BrokenExecutor | Lost)


def test_executor_gives_up_a_task_that_ends_its_hosts(inventory: Path, tmp_path: Path) -> None:
    with Fleet("all", inventory=inventory, reconnect=True) as fleet:
        with fleet.options(idempotent=True).executor() as executor:
            fatal = executor.submit(tasks.counted_and_exit, str(tmp_path / "runs"))
            others = list(executor.map(tasks.add, range(8)))
        assert isinstance(fatal.exception(0), Lost)
        assert others == list(range(8))
    assert (tmp_path / "runs").read_text() == "x" * 3


def test_executor_kills_a_generator(fleet: Fleet, tmp_path: Path) -> None:
    with fleet.executor() as executor:
        for task in (tasks.endless, tasks.stuck):
            begun, closed = tmp_path / f"{task.__name__}-begun", tmp_path / f"{task.__name__}-closed"
            future = executor.submit(task, str(closed), str(begun))
            appears(begun)
            assert not future.cancel() and future.kill()
            assert isinstance(future.exception(30), CancelledError)
            assert not future.kill()
            appears(closed)
        assert executor.submit(tasks.add, 1).result(30) == 1


def test_executor_cancel_kill_and_shutdown(fleet: Fleet, tmp_path: Path) -> None:
    executor = fleet.filter("web1").executor()
    running = executor.submit(tasks.said_and_sleep, str(tmp_path / "begun"), 600)
    waiting = executor.submit(tasks.add, 1)
    appears(tmp_path / "begun")
    assert running.running() and not running.cancel()
    assert waiting.cancel()
    assert running.kill()
    assert isinstance(running.exception(30), Exception)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(tasks.add, 1)


def test_executor_that_is_interrupted_kills_what_runs(fleet: Fleet, tmp_path: Path) -> None:
    begun, waiting = [tmp_path / f"begun{number}" for number in range(4)], []
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt), fleet.executor() as executor:
        running = [executor.submit(tasks.said_and_sleep, str(file), 600) for file in begun]
        waiting = [executor.submit(tasks.add, 1) for _ in range(3)]
        for file in begun:
            appears(file)
        raise KeyboardInterrupt
    assert all(isinstance(future.exception(0), CancelledError) for future in running)
    assert all(future.cancelled() for future in waiting)
    assert time.monotonic() - before < 60
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(tasks.add, 1)


def _is_interrupted(step: int, work: Callable[[], object]) -> bool:
    """Whether KeyboardInterrupt, raised where the `step`th function of the executor is entered or left, ended work."""
    steps = itertools.count()

    def look(frame: Any, event: str, arg: Any) -> Any:
        lock = frame.f_code.co_filename == threading.__file__  # not what the collector calls
        inside = "/fleet/" in (frame.f_back if lock else frame).f_code.co_filename
        if inside and event in ("call", "return") and next(steps) == step:
            sys.settrace(None)
            raise KeyboardInterrupt
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("policy", ["any", "round_robin", "sticky"])
def test_ctrl_c_in_the_middle_of_submit_leaves_an_executor_that_works_and_ends(fleet: Fleet, policy: str) -> None:
    fleet.run(tasks.pid)
    for step in itertools.count():
        executor = fleet.executor(policy)
        interrupted = _is_interrupted(step, functools.partial(executor.submit, tasks.add, 1))
        ending = threading.Thread(target=executor.shutdown, daemon=True)
        if step % 2:
            later = executor.submit(tasks.add, 2)
            assert later.result(30) == 2
        ending.start()
        ending.join(30)
        assert not ending.is_alive(), step
        if not interrupted:
            break
    assert step > 5


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_task_that_waits_for_a_second_host_ends_with_the_others(tmp_path: Path, interrupted: bool) -> None:
    inventory, over = tmp_path / "hosts", str(tmp_path / "over")
    inventory.write_text("gone ansible_host=127.0.0.1 ansible_port=1\nweb1 ansible_connection=local\n")
    with Fleet("all", inventory=inventory) as fleet, suppress(KeyboardInterrupt), fleet.executor() as executor:
        futures = [executor.submit(tasks.wait_for, over) for _ in range(2)]
        until(lambda: {future.host for future in futures} == {"gone", "web1"})
        until(lambda: executor._tasks.waiting == 1, what="the host is found to be gone")
        if interrupted:
            raise KeyboardInterrupt
        executor.shutdown(wait=False, cancel_futures=True)
        Path(over).touch()
    ends = {future.host: future.exception(30) for future in futures}
    assert isinstance(ends["gone"], CancelledError) and "before it ran" in str(ends["gone"])
    assert isinstance(ends["web1"], CancelledError) if interrupted else ends["web1"] is None


def test_executor_that_is_left_by_an_error_waits_for_what_runs(fleet: Fleet, tmp_path: Path) -> None:
    over = tmp_path / "over"
    with pytest.raises(LookupError), fleet.filter("web1").executor() as executor:
        running = executor.submit(tasks.wait_for, str(over))
        over.touch()
        raise LookupError
    assert running.result(0) == str(over)


def test_executor_in_a_generator_that_is_left_early_waits_for_what_runs(fleet: Fleet, tmp_path: Path) -> None:
    over = tmp_path / "over"

    def results() -> Generator[Any, None, None]:
        with fleet.filter("web1").executor() as executor:
            yield executor.submit(tasks.wait_for, str(over))

    generator = results()
    running = next(generator)
    over.touch()
    generator.close()
    assert running.result(0) == str(over)


def test_executor_shutdown_drops_what_has_not_begun(fleet: Fleet, tmp_path: Path) -> None:
    executor = fleet.filter("web1").executor()
    begun, over = tmp_path / "begun", tmp_path / "over"
    running = executor.submit(tasks.said_and_wait_for, str(begun), str(over))
    waiting = [executor.submit(tasks.add, 1) for _ in range(3)]
    appears(begun)
    waiting[-1].add_done_callback(lambda future: over.touch())  # the shutdown waits for the one, and drops the others
    executor.shutdown(cancel_futures=True)
    assert running.result(0) == str(over) and all(future.cancelled() for future in waiting)


def test_a_done_callback_cannot_wait_for_its_own_task(fleet: Fleet) -> None:
    refused: list[str] = []

    def end(done: Any) -> None:
        with suppress(RuntimeError):
            executor.shutdown()
            return
        refused.append("refused")

    executor = fleet.filter("web1").executor()
    executor.submit(tasks.add, 1).add_done_callback(end)
    until(lambda: refused)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(tasks.add, 1)


def test_a_done_callback_that_would_end_the_program_takes_no_slot(
    fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    over, told = tmp_path / "over", []
    with fleet.filter("web1").executor() as executor:
        first = executor.submit(tasks.wait_for, str(over))
        first.add_done_callback(lambda done: sys.exit(1))
        first.add_done_callback(lambda done: told.append(done))
        over.touch()
        assert executor.submit(tasks.add, 3).result(30) == 3
    assert told == [first] and "done-callback" in caplog.text


def test_a_done_callback_submits_although_many_tasks_wait(fleet: Fleet, monkeypatch: pytest.MonkeyPatch,
                                                          tmp_path: Path) -> None:
    monkeypatch.setattr("remotesvc.fleet.executor.MOST_WAITING", 2)
    over, more = tmp_path / "over", []
    with fleet.filter("web1").executor() as executor:
        first = executor.submit(tasks.wait_for, str(over))
        first.add_done_callback(lambda done: more.append(executor.submit(tasks.add, 3)))
        waiting = [executor.submit(tasks.add, number) for number in range(2)]
        over.touch()
        until(lambda: more)
    assert [future.result(0) for future in [*waiting, *more]] == [0, 1, 3]


@pytest.mark.parametrize("ending", ["", "executor.shutdown(wait=False)", "sys.exit(3)"])
def test_the_end_of_a_program_waits_for_its_tasks(tmp_path: Path, ending: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(f"""\
        import os, sys, remotesvc

        if __name__ == "__main__":
            executor = remotesvc.Fleet("local:").executor()
            assert executor.submit(abs, -1).result(60) == 1
            for number in range(3):
                executor.submit("time:sleep", 0.1).add_done_callback(lambda done: print("ended", flush=True))
            if os.fork() == 0:  # which has no tasks of its own to wait for
                sys.exit(0)
            os.wait()
            {ending}
        """))
    done = subprocess.run([sys.executable, "-W", "error::ResourceWarning", str(script)], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("ended\n" * 3, "", 3 if "exit" in ending else 0)


# -- many calls as one task


def test_executor_maps_in_chunks(fleet: Fleet) -> None:
    with fleet.executor() as executor:
        assert list(executor.map(tasks.add, range(1000), chunksize=64)) == list(range(1000))
        assert list(executor.map("operator:mul", range(7), itertools.count(2), chunksize=3)) == [
            number * (number + 2) for number in range(7)]
        assert list(executor.map(abs, [], chunksize=3)) == []


def test_a_chunk_is_one_task(fleet: Fleet) -> None:
    with fleet.executor(slots=3) as executor:
        hosts = [host for _, host in executor.map(tasks.square, range(40), chunksize=10)]
    for first in range(0, 40, 10):
        assert len(set(hosts[first:first + 10])) == 1


@pytest.mark.parametrize("fn", [functools.partial(tasks.add, 1000), lambda number: number + 1000],
                         ids=["partial", "lambda"])
def test_chunks_of_what_has_no_name(fleet: Fleet, fn: Any) -> None:
    with fleet.executor() as executor:
        assert list(executor.map(fn, range(10), chunksize=4)) == [number + 1000 for number in range(10)]


def test_a_call_that_raises_takes_its_chunk_along(fleet: Fleet) -> None:
    with fleet.executor() as executor:
        values = executor.map(os.listdir, ["/", "/", "/nonexistent", "/"], chunksize=2)
        assert [next(values), next(values)] == [os.listdir("/")] * 2
        with pytest.raises(FileNotFoundError) as caught:
            next(values)
        assert "/nonexistent" in str(caught.value)


def test_chunks_whose_values_nobody_wants_are_not_begun(fleet: Fleet, tmp_path: Path) -> None:
    ran, gate = str(tmp_path / "ran"), tmp_path / "gate"
    with fleet.filter("web1").executor() as executor:
        values = executor.map(tasks.noted, [ran] * 100, itertools.chain(["/"] * 2, itertools.repeat(str(gate))),
                              chunksize=2)
        assert next(values) == 1
        values.close()  # type: ignore[attr-defined]
        gate.touch()
    assert len((tmp_path / "ran").read_text()) <= 4


@pytest.mark.parametrize("chunksize", [1, 3])
def test_a_buffer_bounds_what_is_submitted_ahead_of_its_reader(fleet: Fleet, chunksize: int) -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    with fleet.executor() as executor:
        values = executor.map(tasks.add, endless(), buffersize=5, chunksize=chunksize)
        assert len(taken) == 5 * chunksize
        for number in range(4 * chunksize):
            assert next(values) == number
            assert len(taken) == (5 + number // chunksize) * chunksize
        values.close()  # type: ignore[attr-defined]
        assert list(executor.map(tasks.add, range(4), buffersize=9)) == [0, 1, 2, 3]
        with pytest.raises(UsageError, match="buffersize must be at least 1"):
            executor.map(abs, [1], buffersize=0)


def test_arguments_that_have_ended_are_not_asked_again(fleet: Fleet) -> None:
    numbers = iter(range(10))
    with fleet.executor() as executor:
        assert list(executor.map(tasks.add, numbers, [1, 2])) == [1, 3]
    assert list(numbers) == list(range(3, 10)), "one more than were used, as zip takes it"


def test_values_that_do_not_come_in_time_are_given_up(fleet: Fleet) -> None:
    with fleet.filter("web1").executor() as executor:
        values = executor.map(tasks.sleep, [0, 600, 600], timeout=2)
        assert next(values) == 0
        with pytest.raises(TimeoutError):
            next(values)
        for future in list(executor._running):
            future.kill()  # the other has not begun, and will not


def test_what_cannot_go_in_chunks(fleet: Fleet) -> None:
    with fleet.executor() as executor, pytest.raises(UsageError, match="chunksize must be at least 1"):
        executor.map(abs, [1], chunksize=0)
    with fleet.executor("sticky") as executor, pytest.raises(UsageError, match="no chunks"):
        executor.map(abs, [1], chunksize=2)
    with fleet.executor() as executor, pytest.raises(CallError, match="fleet_tasks:later is a coroutine function"):
        list(executor.map(tasks.later, [1], chunksize=2))
