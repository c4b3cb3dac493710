"""What goes wrong during calls: errors that misbehave, values that are too much, calls that are given up, output past
Python."""

from __future__ import annotations

import builtins
import decimal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing, called_nested, called_odd, called_output, called_waiting
from tests.kernel.contexts import LIMIT, Heard, appears, gone, until, usable

pytest_plugins = ("tests.kernel.call_fixtures",)

LARGE = r"200\.0 MiB; a message has at most 128 MiB"
"""What is said of 200 MiB: how much it is, and how much it may be."""


# -- errors that misbehave


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"])
def test_what_would_end_a_process_ends_the_call_only(context: Context, kind: str) -> None:
    with pytest.raises(remotesvc.CallError, match=kind) as caught:
        context.call(called_failing.fail, kind, 3)
    assert isinstance(caught.value, Exception)
    assert caught.value.type_name == kind
    with pytest.raises(remotesvc.CallError, match=kind):
        context.options(thread="main").call(called_failing.fail, kind, 3)
    usable(context)


@pytest.mark.parametrize("kind", ["StopIteration", "StopAsyncIteration", "MemoryError", "RecursionError"])
def test_errors_with_a_meaning_of_their_own(context: Context, kind: str) -> None:
    with pytest.raises(remotesvc.CallError) as caught:
        context.call(called_failing.fail, kind, "x")
    assert caught.value.type_name == kind
    assert isinstance(caught.value, (MemoryError, RecursionError)) == (kind in ("MemoryError", "RecursionError"))


def test_every_builtin_exception(context: Context) -> None:
    names = context.call(called_failing.exception_names)
    assert len(names) > 60
    for name in names:
        with pytest.raises(remotesvc.CallError) as caught:
            context.call(called_failing.fail_every, name)
        assert caught.value.type_name == name
        assert (caught.value.host, caught.value.call) == ("local", "tests.kernel.called_failing:fail_every")
        assert "fail_every" in caught.value.render()
    usable(context)


@pytest.mark.parametrize("count", [10, 5000])
def test_an_error_with_a_record_of_many_fields_is_answered(context: Context, count: int) -> None:
    """More than the codec takes of one: then a text says so."""
    with pytest.raises(ValueError) as caught:
        context.options(timeout=LIMIT).call(called_failing.fail_with_fields, count)
    (what,) = caught.value.args
    assert len(what.fields) == count if count == 10 else "does not travel" in what


def test_an_error_without_a_text(context: Context) -> None:
    with pytest.raises(remotesvc.CallError) as caught:
        context.call(called_failing.fail_unprintable)
    assert caught.value.type_name == "tests.kernel.called_failing.Unprintable"
    assert str(caught.value)


WAYS: dict[str, Callable[[Context, str], Any]] = {
    "a call": lambda context, kind: context.call(called_odd.fail, kind),
    "a chain": lambda context, kind: context.chain().call(called_odd.fail, kind),
    "a process": lambda context, kind: context.options(isolation="process").call(called_odd.fail, kind),
    "a generator": lambda context, kind: list(context.call(called_odd.items, kind)),
    "an asynchronous generator": lambda context, kind: list(context.call(called_odd.async_items, kind)),
    "a coroutine": lambda context, kind: context.call(called_odd.slowly, kind),
    "a service": lambda context, kind: context.call_service(called_odd.Side, "fail", kind),
    "a service that yields": lambda context, kind: list(context.call_service(called_odd.Side, "items", kind)),
    "a service that awaits": lambda context, kind: context.call_service(called_odd.Side, "slowly", kind),
    "one after the other": lambda context, kind: context.call_service(called_odd.Turns, "fail", kind),
    "one for many": lambda context, kind: context.call_service(called_odd.Once, "fail", kind),
    "making a service": lambda context, kind: context.call_service(called_odd.Unmade, "ping"),
    "comparing calls": lambda context, kind: context.call_service(called_odd.Uncompared, "ping"),
}


@pytest.mark.parametrize("kind", ["Odd", "Closed", "Unshown"])
@pytest.mark.parametrize("way", WAYS)
def test_an_error_that_cannot_be_asked_what_it_is_is_answered(context: Context, way: str, kind: str) -> None:
    for _ in range(2):  # what it left behind would be seen by the next
        with pytest.raises(remotesvc.CallError) as caught:
            WAYS[way](context.options(timeout=LIMIT), kind)
        assert caught.value.type_name.startswith("tests.kernel.called_odd.")
    usable(context)
    assert context.options(timeout=LIMIT).call_service(called_odd.Side, "ping") == "pong"


def test_an_error_that_cannot_be_asked_what_it_is_ends_a_cast_only(context: Context, heard: Heard) -> None:
    context.cast(called_odd.fail, "Odd")
    until(lambda: any("cast of tests.kernel.called_odd:fail failed" in event.msg for event in heard.logs))
    usable(context)


def test_an_error_that_cannot_be_shown_spoils_no_later_coroutine(context: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="Unshown"):
        context.call(called_odd.slowly, "Unshown")
    assert [context.call(called_odd.fine) for _ in range(3)] == [5, 5, 5]


@pytest.mark.parametrize("kind", ["open", "shut", "mock"])
def test_a_value_with_every_attribute_is_neither_a_coroutine_nor_a_generator(context: Context, kind: str) -> None:
    with pytest.raises(remotesvc.EncodeError):
        context.call(called_odd.value, kind)
    with pytest.raises(remotesvc.EncodeError):
        context.call_service(called_odd.Side, "value", kind)
    usable(context)


def test_an_error_with_a_text_of_1_mb(context: Context) -> None:
    with pytest.raises(ValueError, match="xxx") as caught:
        context.call(called_failing.fail_long, 1 << 20)
    assert 10_000 < len(str(caught.value)) < 200_000


def test_an_error_with_a_cause(context: Context) -> None:
    with pytest.raises(ValueError, match="outer") as caught:
        context.call(called_failing.fail_chained)
    assert isinstance(caught.value, remotesvc.CallError)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "direct cause" in caught.value.render()
    assert 'raise ValueError("outer") from error' in caught.value.render()


def test_a_group_with_notes(router: Router) -> None:
    context = router.local(interpreters.found()[-1].path)  # the newest: groups came with Python 3.11
    with pytest.raises(remotesvc.CallError) as caught:
        context.call(called_failing.fail_group)
    group: Any = caught.value
    if hasattr(builtins, "ExceptionGroup"):
        assert isinstance(group, builtins.ExceptionGroup)
        assert group.exceptions == group.members
    first, second = group.members
    assert isinstance(first, ValueError)
    assert isinstance(second, FileNotFoundError)
    assert second.filename == "/nowhere"
    text = group.render()
    for note in ("a note on all", "a note on one"):
        assert note in text
    usable(context)


# -- values that are too much


@pytest.mark.parametrize(
    ("function", "argument", "says"),
    [
        (called_failing.lock, None, "lock"),
        (called_failing.give_lambda, None, "function"),
        (called.nest, 100_000, "deep"),
        (called.many_bytes, 200 << 20, LARGE),
        (called.power, 1_000_000, "bits"),
        (called.decimal, "1E3000000", "Decimal"),
        (called.make_adder, 1, "function"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_results_that_cannot_travel(context: Context, function: Any, argument: Any, says: str) -> None:
    with pytest.raises(remotesvc.EncodeError, match=says) as caught:
        context.call(function, *([] if argument is None else [argument]))
    assert caught.value.where.startswith("return value") or caught.value.where == "call"
    usable(context)


@pytest.mark.parametrize(
    ("value", "says"),
    [(threading.Lock(), "lock"), (called.nest(100_000), "deep"), (bytes(200 << 20), LARGE), (called.count(3), "gener")],
    ids=["lock", "deep", "large", "generator"],
)
def test_arguments_that_cannot_travel(context: Context, value: Any, says: str) -> None:
    for method in (context.call, context.submit, context.cast, context.options(strict_types=True).call):
        with pytest.raises(remotesvc.EncodeError, match=says):
            method(called.echo, value)
    usable(context)


@pytest.mark.parametrize("value", [1 << 1_000_000, decimal.Decimal("1E3000000")], ids=["int", "decimal"])
def test_numbers_beyond_the_limits_only_go_down(context: Context, value: Any) -> None:
    """They travel as a pickle, which only a parent may send; on the way back they are refused."""
    assert context.call(called.type_name, value) == type(value).__name__
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called.echo, value)
    assert caught.value.where == "return value"
    assert context.options(strict_types=True).call(called.type_name, value) == type(value).__name__
    usable(context)


@pytest.mark.parametrize("how", ["call", "submit", "push"])
@pytest.mark.parametrize("size", [0, 1 << 20])
def test_the_master_runs_nothing_and_says_why(context: Context, how: str, size: int) -> None:
    with pytest.raises(remotesvc.CallError, match="NotSent: .*only a parent may call functions here"):
        context.call(called.ask_the_master, how, bytes(size))
    usable(context)


# -- calls that are given up


def test_eight_abandoned_calls_and_a_ninth(context: Context, tmp_path: Path) -> None:
    futures = [
        context.submit(called_waiting.wait_for_file, str(tmp_path / f"begun{n}"), str(tmp_path / "go"))
        for n in range(8)
    ]
    for n in range(8):
        appears(tmp_path / f"begun{n}")
    assert all(future.cancel() for future in futures)
    usable(context)
    names = [str(tmp_path / f"party{n}") for n in range(8)]
    party = [context.submit(called_waiting.meet, names, name) for name in names]
    assert all(future.result(LIMIT) for future in party)
    (tmp_path / "go").touch()
    until(lambda: context.call("threading:active_count") < 20)
    usable(context)


def test_forty_abandoned_calls(context: Context, tmp_path: Path) -> None:
    for n in range(40):
        future = context.submit(called_waiting.wait_for_file, str(tmp_path / f"begun{n}"), str(tmp_path / "go"))
        appears(tmp_path / f"begun{n}")
        assert future.cancel()
    until(lambda: refused(context), what="a call is refused")
    with pytest.raises(remotesvc.Busy, match=r"40 calls.*tests\.kernel\.called_waiting:wait_for_file") as caught:
        context.call(called.add, 1, 1)
    assert caught.value.host == "local"
    with pytest.raises(remotesvc.Busy):
        context.submit(called.add, 1, 1).result(LIMIT)
    assert context.ping() < LIMIT
    (tmp_path / "go").touch()
    until(lambda: not refused(context), what="calls are taken again")
    usable(context)


def refused(context: Context) -> bool:
    try:
        context.options(timeout=LIMIT).call(called.add, 1, 1)
    except remotesvc.Busy:
        return True
    return False


# -- output past Python


def test_a_stray_write_from_c(context: Context, heard: Heard) -> None:
    assert context.call(called_output.write_from_c, b"from C\n") == 7
    heard.wait_until(lambda: "from C\n" in heard.text())
    assert context.call(called_output.write_from_c, b"RV\x01\x00 looks like a frame") > 0
    heard.wait_until(lambda: "looks like a frame" in heard.text())
    usable(context)


def test_foreign_bytes_on_the_link_itself_end_it_and_are_quoted(context: Context, tmp_path: Path) -> None:
    """What is printed is kept off the link. Code that finds its descriptor all the same gets no further."""
    waiting = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    streaming = context.call(called.until_closed, str(tmp_path / "closed"))
    assert next(streaming) == 0
    context.cast(called_output.write_onto_the_link, b"Segmentation fault (core dumped)\n")
    error = waiting.exception(LIMIT)
    assert isinstance(error, remotesvc.Lost)
    assert "Segmentation fault" in str(error)
    with pytest.raises(remotesvc.Lost, match="Segmentation fault"):
        for _ in streaming:
            pass
    with pytest.raises(remotesvc.NotSent, match="Segmentation fault"):
        context.call(called.add, 1, 1)
    gone(context.info["pid"])


@pytest.mark.parametrize("fd", [1, 2])
def test_a_burst_of_output_arrives_whole(context: Context, heard: Heard, fd: int) -> None:
    line = b"0123456789abcde\n"
    assert context.call(called_output.burst, line, 1 << 16, fd) == 1 << 20
    stream = ("stdout", "stderr")[fd - 1]
    heard.wait_until(lambda: len(heard.text(stream)) >= 1 << 20)
    assert heard.text(stream) == line.decode() * (1 << 16)
    assert all(event.data == line.decode() for event in heard.output)


def test_bursts_of_many_calls_at_once(context: Context, heard: Heard) -> None:
    lines = [bytes([65 + number]) * 31 + b"\n" for number in range(8)]
    futures = [context.submit(called_output.say, line.decode() * 32768) for line in lines]
    for future in futures:
        future.result(LIMIT)
    text = [event.data for event in heard.output]
    assert sorted(text) == sorted(line.decode() for line in lines for _ in range(32768))
    calls = {event.data[0]: event.call for event in heard.output}
    assert len(set(calls.values())) == 8
    assert 0 not in calls.values()


def test_a_line_of_a_megabyte(context: Context, heard: Heard) -> None:
    context.call(called_output.say, "y" * (1 << 20))
    heard.wait_until(lambda: len(heard.text()) == 1 << 20)
    assert max(len(event.data) for event in heard.output) <= 64 * 1024


def test_output_that_is_not_utf_8(context: Context, heard: Heard) -> None:
    context.call(called_output.burst, b"gr\xfcn \xff\xfe\n", 1, 1)
    heard.wait_until(lambda: "\n" in heard.text())
    assert heard.text() == "gr\ufffdn \ufffd\ufffd\n"
    context.call(called_output.say, "undecodable \udcff\n")
    heard.wait_until(lambda: "undecodable" in heard.text())


def test_output_comes_before_the_result(context: Context, heard: Heard, tmp_path: Path) -> None:
    future = context.submit(called_waiting.say_and_wait, "Password: ", str(tmp_path / "go"))
    heard.wait_until(lambda: heard.text() == "Password: ")
    (tmp_path / "go").touch()
    future.result(LIMIT)
    for number in range(50):
        context.call(called_output.say, f"line {number}\n")
        assert heard.text().endswith(f"line {number}\n")


def test_a_callback_for_output_that_raises_hurts_nobody() -> None:
    def bad(event: object) -> None:
        raise ValueError("from a callback")

    with Router(on_output=bad, on_log=bad) as router:
        context = router.local()
        for _ in range(5):
            context.call(called_output.say, "text\n")
        context.call(called_output.log, 30, "text")
        usable(context)


def test_what_fails_when_a_call_is_given_up_is_told_and_ends_nothing_else(
    context: Context, heard: Heard, tmp_path: Path
) -> None:
    begun, after = tmp_path / "begun", tmp_path / "after"
    future = context.submit(called_waiting.fail_when_cancelled, str(begun), str(after))
    appears(begun)
    future.cancel()
    appears(after)
    until(lambda: "ZeroDivisionError" in heard.text("stderr"))
    usable(context)


@pytest.mark.parametrize("wait", [called_nested.plainly, called_nested.by_a_future, called_nested.for_an_item,
                                  called_nested.for_items_without_end])  # fmt: skip
def test_who_waits_for_a_call_of_its_own_ends_with_its_caller(
    wait: Callable[..., None], interpreter: Interpreter, router: Router, tmp_path: Path
) -> None:
    context = router.local(interpreter.path)
    below = router.local(via=context)
    future = context.submit(wait, below, *(str(tmp_path / name) for name in ("begun", "told", "ended")))
    appears(tmp_path / "begun")
    assert future.cancel()
    appears(tmp_path / "ended")
    appears(tmp_path / "told")
    assert below.call(called.add, 1, 2) == 3
