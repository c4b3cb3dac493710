"""Calls to real processes on this machine: functions, values, casts, logs, and the life of a context.

A part runs in every interpreter found, the rest in the one the tests run on.
"""

from __future__ import annotations

import datetime
import fractions
import functools
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, LogEvent, Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing, called_output, called_processes, called_waiting
from tests.kernel.contexts import LIMIT, Heard, appears, gone, runs_out

pytest_plugins = ("tests.kernel.call_fixtures",)

UTC = datetime.timezone.utc

# -- in every interpreter


def test_functions_of_all_kinds_in_every_interpreter(interpreter: Interpreter, router: Router) -> None:
    context = router.local(interpreter.path)
    assert context.call(called.add, 1, b=2) == 3
    assert tuple(context.info["version"][:2]) == interpreter.version
    assert context.call(called.process) == context.info["pid"]
    assert context.call("os:getpid") == context.call(os.getpid) == context.info["pid"]
    for function in (Path.is_dir, os.path.lexists, os.path.normpath):  # their modules are others in newer Pythons
        assert context.call(function, Path("/"))
    assert context.call(functools.partial(called.add, 1), b=2) == 3
    assert context.call(called.Thing.of_class, 5) == 15
    assert context.call(called.Thing.static, 5) == 6
    assert list(context.call(called.count, 1000)) == list(range(1000))
    assert context.call(called.double, 21) == 42
    assert list(context.call(called.async_count, 5)) == list(range(5))
    on_main = context.options(thread="main")
    assert on_main.call(called.is_main_thread) is True
    assert on_main.call(called.set_handler_and_get_signal) is True


def test_who_gives_up_cancels_what_asyncio_waits_for(
    interpreter: Interpreter, router: Router, tmp_path: Path
) -> None:
    context = router.local(interpreter.path)
    future = context.submit(called.async_wait, str(tmp_path / "begun"), str(tmp_path / "told"))
    appears(tmp_path / "begun")
    assert future.cancel()
    appears(tmp_path / "told")

    items = context.call(called.async_wait_for_more, str(tmp_path / "waits"), str(tmp_path / "closed"))
    assert next(items) == 1
    appears(tmp_path / "waits")
    items.close()
    appears(tmp_path / "closed")
    assert context.call(called.double, 21) == 42


def test_errors_and_output_in_every_interpreter(interpreter: Interpreter, router: Router, heard: Heard) -> None:
    context = router.local(interpreter.path, name="there")
    with pytest.raises(FileNotFoundError) as caught:
        context.call("os:stat", "/no/such/file")
    assert isinstance(caught.value, remotesvc.CallError)
    assert caught.value.errno == 2
    assert caught.value.filename == "/no/such/file"
    with pytest.raises(remotesvc.CallError, match="SystemExit"):
        context.call(called_failing.fail, "SystemExit", 3)
    iterator = context.call(called.count_then_fail, 3)
    with pytest.raises(FileNotFoundError):
        list(iterator)
    context.call(called_output.say_in_all_ways)
    heard.wait_until(lambda: "its errors" in heard.text("stderr") and "no newline" in heard.text("stderr"))
    heard.wait_until(lambda: heard.text().count("\n") == 3)
    assert sorted(heard.text().split("\n")) == ["", "by a process", "by print", "by write"]
    assert {event.host for event in heard.output} == {"there"}
    context.call(called_output.log_exception)
    heard.wait_until(lambda: bool(heard.logs))
    assert heard.logs[0].msg == "it failed"
    assert "KeyError: 'gone'" in heard.logs[0].exc


def test_a_tree_in_every_interpreter(interpreter: Interpreter, router: Router, tmp_path: Path) -> None:
    context = router.local(interpreter.path)
    there = context.options(cwd=str(tmp_path), env={"REMOTESVC_TEST_OPTION": "x"}).call(called_processes.surroundings)
    assert (there["cwd"], there["env"]) == (str(tmp_path), "x")
    assert there["pid"] != context.info["pid"]
    parent, child = context.call(called.call_child, "tests.kernel.called:process")
    assert parent == context.info["pid"] != child
    below = router.local(via=context)
    assert below.call(called.add, 1, 2) == 3
    assert below.info["version"] == context.info["version"]
    with context.chain() as chain:
        first, second = chain.submit(called.note, 1), chain.submit(called.note_and_fail, 2)
        third = chain.submit(called.note, 3)
    assert first.result() == 1
    assert isinstance(second.exception(), LookupError)
    assert isinstance(third.exception(), LookupError)


def test_timeouts_and_cancellation_in_every_interpreter(
    interpreter: Interpreter, router: Router, tmp_path: Path
) -> None:
    context = router.local(interpreter.path)
    assert context.call(called.add, 1, 2) == 3  # what the next call takes is its own time only

    def call(timeout: float) -> None:
        with pytest.raises(remotesvc.CallTimeout):
            context.options(timeout=timeout).call(
                called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))

    runs_out(call, tmp_path / "begun")
    appears(tmp_path / "told")
    future = context.submit(called_waiting.loop_until_cancelled, str(tmp_path / "looping"))
    appears(tmp_path / "looping")
    assert future.cancel()
    with pytest.raises(remotesvc.Cancelled):
        future.result()
    assert context.call(called.add, 1, 2) == 3


# -- every kind of function


def test_lambda_closure_bound_method_and_callable_object(context: Context) -> None:
    extra = 40
    assert context.call(lambda x: x + extra, 2) == 42
    assert context.call(called.make_adder(40), 2) == 42
    assert context.call(called.Thing(40).method, 2) == 42
    assert context.call(called.Thing(21), 2) == 42
    assert context.call(functools.partial(lambda a, b: a - b, 44), b=2) == 42


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (fractions.Fraction, (1, 3), fractions.Fraction(1, 3)),
        (len, ("four",), 4),
        ("builtins:sorted", ([3, 1, 2],), [1, 2, 3]),
        (os.path.join, ("a", "b"), "a/b"),
        (math.hypot, (3, 4), 5.0),
        (str.upper, ("x",), "X"),
        (dict.fromkeys, ("ab",), {"a": None, "b": None}),
        (datetime.datetime.fromtimestamp, (0, UTC), datetime.datetime.fromtimestamp(0, UTC)),
        (called.Thing.Inner.deep, (), "Thing.Inner"),
        ("tests.kernel.called:Thing.Inner.deep", (), "Thing.Inner"),
        ("tests.kernel.called:Thing.static", (1,), 2),
        (functools.partial(functools.partial(called.keywords, 1), 2, x=3), (4,), [[1, 2, 4], {"x": 3}]),
        (functools.partial(called.double), (4,), 8),
    ],
)
def test_kinds_of_functions(context: Context, function: Any, arguments: tuple[Any, ...], expected: Any) -> None:
    assert context.call(function, *arguments) == expected


def test_keywords_never_collide_with_ours(context: Context) -> None:
    ours = {"self": 1, "fn": 2, "timeout": 3, "args": 4, "kwargs": 5, "thread": 6, "context": 7, "call": 8}
    assert context.call(called.keywords, 0, **ours) == [[0], ours]
    assert context.submit(called.keywords, **ours).result() == [[], ours]
    with context.chain() as chain:
        assert chain.call(called.keywords, **ours) == [[], ours]


@pytest.mark.parametrize(
    "function", [42, None, "no colon", ":f", "m:", "m:a b", "a..b:c", "m:f:g", "", ["os:getpid"], b"os:getpid"]
)
def test_what_cannot_be_called_is_refused_here(context: Context, function: Any) -> None:
    with pytest.raises(remotesvc.UsageError):
        context.call(function)
    with pytest.raises(remotesvc.UsageError):
        context.submit(function)
    with pytest.raises(remotesvc.UsageError):
        context.cast(function)
    assert context.call(called.add, 1, 1) == 2


def test_no_function_at_all(context: Context) -> None:
    for method in (context.call, context.submit, context.cast):
        with pytest.raises(remotesvc.UsageError):
            method()  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        ("os:no_such_function", AttributeError, "no_such_function"),
        ("no_such_module_anywhere:f", ModuleNotFoundError, "no_such_module_anywhere"),
        ("os.no_such_part:f", ModuleNotFoundError, "os"),
        ("tests.kernel.called:Thing.nothing", AttributeError, "nothing"),
    ],
)
def test_what_is_not_there_is_an_error_of_the_call(
    context: Context, function: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        context.call(function)
    assert isinstance(caught.value, remotesvc.CallError)
    assert context.call(called.add, 1, 1) == 2


def test_what_is_there_and_cannot_be_called(context: Context) -> None:
    with pytest.raises(remotesvc.Error, match="os:sep is str, which cannot be called"):
        context.call("os:sep")


def test_wrong_arguments_are_a_type_error(context: Context) -> None:
    with pytest.raises(TypeError, match="add") as caught:
        context.call(called.add)  # type: ignore[call-overload]
    assert isinstance(caught.value, remotesvc.CallError)


# -- current()


def test_current_tells_a_call_about_itself(context: Context) -> None:
    told = context.options(timeout=40).call(called.about_me)
    assert told["name"] == "tests.kernel.called:about_me"
    assert told["context"] == context.id
    assert 0 < told["remaining"] <= 40
    assert told["cancelled"] is False
    assert context.call(called.about_me)["remaining"] is None
    assert "no call runs on this thread" in context.call(called.current_in_thread)
    with pytest.raises(remotesvc.UsageError):
        remotesvc.current()


# -- casts


def test_a_cast_runs_and_its_failure_is_logged_here(router: Router, heard: Heard, tmp_path: Path) -> None:
    context = router.local(name="web1")
    assert context.cast(called_waiting.touch, str(tmp_path / "done")) is None  # type: ignore[func-returns-value]
    appears(tmp_path / "done")
    context.cast(called.note_and_fail, "apples")
    heard.wait_until(lambda: bool(heard.logs))
    event: LogEvent = heard.logs[0]
    assert event.host == "web1"
    assert "note_and_fail" in event.msg
    assert "LookupError: apples" in event.exc
    assert "called.py" in event.exc
    context.cast("tests.kernel.called:not_there")
    heard.wait_until(lambda: len(heard.logs) == 2)
    assert "AttributeError" in heard.logs[1].exc
    assert context.call(called.add, 1, 1) == 2


def test_a_cast_of_a_generator_runs_nothing_forever(context: Context) -> None:
    context.cast(called.count, 3)
    assert context.call(called.add, 1, 1) == 2


# -- logs


def test_log_records_come_with_everything(heard: Heard) -> None:
    with Router(log_level="INFO", on_log=heard.on_log) as router:
        context = router.local(name="web1")
        context.call(called_output.log, 10, "filtered at the source")
        context.call(called_output.log, 30, "a warning")
        heard.wait_until(lambda: bool(heard.logs))
        context.call(called_output.log, 20, "the last")
        heard.wait_until(lambda: len(heard.logs) == 2)
    assert [event.msg for event in heard.logs] == ["a warning", "the last"]
    event = heard.logs[0]
    assert (event.host, event.name, event.levelno, event.extra["colour"]) == ("web1", "tests.called", 30, "green")


# -- the life of a context


def test_closing_a_context_ends_its_process_and_its_calls(router: Router, tmp_path: Path) -> None:
    context = router.local()
    pid = context.call(called.process)
    future = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    context.close()
    assert isinstance(future.exception(LIMIT), remotesvc.Lost)
    gone(pid)
    context.close()
    for method in (context.call, context.cast):
        with pytest.raises(remotesvc.NotSent):
            method(called.add, 1, 1)
    assert isinstance(context.submit(called.add, 1, 1).exception(LIMIT), remotesvc.NotSent)
    with pytest.raises(remotesvc.NotSent):
        context.ping()
    router.close()
    router.close()
    with pytest.raises(remotesvc.RouterClosed):
        router.local()
    with pytest.raises(remotesvc.RouterClosed):
        context.call(called.add, 1, 1)


def test_closing_the_router_releases_everybody(tmp_path: Path) -> None:
    router = Router()
    contexts = [router.local() for _ in range(3)]
    futures = [
        context.submit(called_waiting.wait_cancelled, str(tmp_path / f"begun{context.id}")) for context in contexts
    ]
    for context in contexts:
        appears(tmp_path / f"begun{context.id}")
    router.close()
    assert [type(future.exception(LIMIT)) for future in futures] == [remotesvc.Lost] * 3


def test_context_managers(heard: Heard) -> None:
    with Router() as router, router.local() as context:
        pid = context.call(called.process)
    gone(pid)


def test_two_routers_know_nothing_of_each_other(router: Router) -> None:
    with Router() as other:
        first, second = router.local(), other.local()
        assert first != second
        assert first.call(called.process) != second.call(called.process)


def test_user_errors_come_back_as_themselves(context: Context) -> None:
    with pytest.raises(called_failing.OwnError) as caught:
        context.options(raises=[called_failing.OwnError]).call(called_failing.fail_own)
    assert isinstance(caught.value, remotesvc.CallError)
    assert caught.value.args == ("mine", 7)
    with pytest.raises(remotesvc.CallError) as other:
        context.call(called_failing.fail_own)
    assert not isinstance(other.value, called_failing.OwnError)
    assert other.value.type_name == "tests.kernel.called_failing.OwnError"


def test_arguments_of_user_classes(context: Context) -> None:
    """A class that its module brings along is that class there."""
    assert context.call(called.type_name, called.Thing(1)) == "Thing"


def test_several_contexts_at_once(router: Router) -> None:
    contexts = [router.local() for _ in range(4)]
    functions: list[Callable[[], Any]] = [context.submit(called.process).result for context in contexts]
    pids = {function() for function in functions}
    assert len(pids) == 4
    assert sys.modules["tests.kernel.called"].order == []
