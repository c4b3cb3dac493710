"""Who reads a child's link: its main thread, one call after the other, and others as soon as it does not get on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import Context, Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_output, called_waiting
from tests.kernel.contexts import LIMIT, Heard, appears, until

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture(params=interpreters.found(), ids=str)
def ready(router: Router, request: pytest.FixtureRequest) -> Context:
    """A child of each interpreter that has its whole kernel: its main thread reads from now on."""
    interpreter: Interpreter = request.param
    context = router.local(python=interpreter.path)
    until(lambda: "remotesvc.bootstrap.calls.reader_handover" in context.call(called.modules),
          what="the whole kernel is there")
    context.call("builtins:len", ())
    return context


def test_short_calls_are_run_by_the_main_thread(ready: Context) -> None:
    main = [ready.call(called.is_main_thread) for _ in range(300)]
    assert main.count(True) > 100  # others only where the machine kept it from getting on


def test_many_calls_at_once_are_answered_in_their_order(ready: Context) -> None:
    futures = [ready.submit(called.note, number) for number in range(5000)]
    assert [future.result(LIMIT) for future in futures] == list(range(5000))
    noted = ready.call(called.noted)
    assert sorted(noted) == list(range(5000))


def test_calls_that_came_together_can_wait_for_each_other(ready: Context, tmp_path: Path) -> None:
    names = [str(tmp_path / str(number)) for number in range(8)]
    futures = [ready.submit(called_waiting.meet, names, name) for name in names]
    assert [future.result(LIMIT) for future in futures] == [True] * 8


def test_calls_that_wait_a_little_run_at_once(ready: Context) -> None:
    """Each is over before anybody could think that it hangs; yet one thread alone would be idle most of the time."""
    futures = [ready.submit(called.nap, 0.0015) for _ in range(400)]
    assert len({future.result(LIMIT) for future in futures}) > 1


def test_answers_do_not_wait_for_the_call_behind_them(ready: Context, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    quick = [ready.submit(called.add, number) for number in range(10)]
    long = ready.submit(called_waiting.wait_for_file, str(begun), str(go))
    behind = ready.submit(called.add, 10)
    assert [future.result(LIMIT) for future in [*quick, behind]] == list(range(11))
    appears(begun)
    assert not long.done()
    go.touch()
    long.result(LIMIT)


def test_while_the_main_thread_is_busy_the_link_is_read(ready: Context, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    long = ready.submit(called_waiting.wait_for_file, str(begun), str(go))
    appears(begun)
    assert ready.ping() < LIMIT
    assert [ready.call(called.add, number) for number in range(20)] == list(range(20))
    go.touch()
    long.result(LIMIT)
    until(lambda: ready.call(called.is_main_thread), what="the main thread is back")


def test_output_of_calls_that_came_together_comes_first(ready: Context, heard: Heard) -> None:
    futures = [ready.submit(called_output.say, f"line {number}\n") for number in range(300)]
    for number, future in enumerate(futures):
        future.result(LIMIT)
        assert f"line {number}\n" in heard.text()


@pytest.mark.parametrize("end", ["close", "die"])
def test_the_end_meets_a_main_thread_that_reads(ready: Context, end: str) -> None:
    pid = ready.info["pid"]
    ends: dict[str, Callable[[], object]] = {
        "close": ready.close,
        "die": lambda: ready.cast("os:_exit", 3),
    }
    ends[end]()
    until(lambda: not Path(f"/proc/{pid}").exists(), what="the process is gone")


def switches(context: Context) -> int:
    """How often threads of a child have gone to sleep."""
    tasks = Path(f"/proc/{context.info['pid']}/task")
    texts = [(task / "status").read_text() for task in tasks.iterdir()]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def test_a_child_with_nothing_to_do_sleeps(ready: Context) -> None:
    """The stand-in looks round only while there is something to do."""
    def rests() -> bool:
        seen = switches(ready)
        threading.Event().wait(0.2)  # what is measured: how often it wakes in that time, looking round a hundred times
        return switches(ready) - seen <= 5

    until(rests, what="all its threads sleep")


def test_a_call_now_and_then_wakes_hardly_anybody_else(ready: Context) -> None:
    """Where hundreds of children are called in turn, the stand-ins' looks would cost more than the calls."""
    woken = []
    for number in range(9):
        seen = switches(ready)
        assert ready.call(called.add, number) == number
        threading.Event().wait(0.15)  # so long, nothing else is asked of it
        woken.append(switches(ready) - seen)
    assert sorted(woken)[4] <= 8
