"""The steps of the smoke suite: what is tried on every host, one after the other."""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import CallError, Context
from tests.integration import shop
from tests.integration.shop import desk
from tests.kernel import called, called_failing, called_processes, called_waiting
from tests.kernel.contexts import Heard, until
from tests.stopwatch import Stopwatch

MIB = 1024 * 1024
HERE = sys.version_info[:2]
DEBIANS = {"bullseye": (3, 9), "bookworm": (3, 11), "trixie": (3, 13)}
"""The hosts with Debian's python3-minimal, and their Python."""


def version(context: Context) -> tuple[int, int]:
    major, minor = context.info["version"][:2]
    return major, minor


def is_whole(context: Context) -> bool:
    """Whether the host has more of the standard library than Debian's minimum, which never has this."""
    return bool(context.call(desk.has_of_its_own, "shutil"))


def calls_of_every_kind(context: Context, heard: Heard) -> None:
    assert context.call(called.add, 1, b=2) == 3
    assert context.call("os:getpid") == context.info["pid"]
    assert context.call(functools.partial(called.add, 1), b=2) == 3
    assert context.call(called.Thing.of_class, 5) == 15
    assert context.call(called.Thing.static, 5) == 6
    assert context.call(len, "four") == 4
    assert list(context.call(called.count, 1000)) == list(range(1000))
    assert context.submit(called.add, 20, 22).result() == 42
    context.cast(called.add, 1, 1)
    with context.chain() as chain:
        first, second = chain.submit(called.add, 1), chain.submit(called_failing.fail, "KeyError", 1)
        third = chain.submit(called.add, 3)
    assert first.result() == 1
    assert isinstance(second.exception(), KeyError)
    assert isinstance(third.exception(), KeyError)
    on_main = context.options(thread="main")
    assert on_main.call(called.is_main_thread) is True
    there = context.options(cwd="/usr", env={"REMOTESVC_TEST_OPTION": "x"}).call(called_processes.surroundings)
    assert (there["cwd"], there["env"]) == ("/usr", "x")
    assert there["pid"] != context.info["pid"]
    assert context.ping() < 5


def values_and_errors(context: Context, heard: Heard) -> None:
    value = {"a": [1, (2.5, None)], b"k": {3, "x"}, (1, 2): "grün \U0001f600 \udcff", "big": 1 << 100}
    assert context.call(called.echo, value) == value
    with pytest.raises(FileNotFoundError) as caught:
        context.call("os:stat", "/no/such/file")
    assert isinstance(caught.value, CallError)
    assert (caught.value.errno, caught.value.filename) == (2, "/no/such/file")
    with pytest.raises(ValueError, match="outer") as chained:
        context.call(called_failing.fail_chained)
    assert isinstance(chained.value.__cause__, KeyError)
    with pytest.raises(CallError, match="SystemExit"):
        context.call(called_failing.fail, "SystemExit", 3)
    with pytest.raises(FileNotFoundError):
        list(context.call(called.count_then_fail, 3))
    with pytest.raises(remotesvc.EncodeError, match=r"\['deep'\]\[1\]\['er'\]\[1\]"):
        context.call(called_failing.lock)
    with pytest.raises(ModuleNotFoundError):
        context.call("no_such_module_anywhere:f")
    assert context.call(called.add, 1, 1) == 2


def output(context: Context, heard: Heard) -> None:
    mark = "mark%d" % len(heard.output)  # noqa: UP031
    context.call(desk.say, mark)
    heard.wait_until(lambda: f"{mark} as an error\n" in heard.text("stderr"))
    lines = [line for line in heard.text().splitlines() if line.startswith(mark)]
    assert lines == [f"{mark} by print", f"{mark} by write", f"{mark} by a process"]
    assert {event.host for event in heard.output} == {context.name}


def package_with_resources(context: Context, heard: Heard) -> None:
    text = Path(shop.__file__).with_name("greeting.txt").read_text(encoding="utf-8")
    read, table, total, currency, place = context.call(desk.greet)
    assert (read.decode(), table, total, currency) == (text, b"\x00\x01\x02\xff", "3 EUR", "EUR")
    assert place == "/proc/remotesvc:/tests/integration/shop/desk.py"
    if version(context) == HERE or (is_whole(context) and version(context) >= (3, 9)):
        assert context.call(desk.greet_by_resources) == text


def what_a_minimal_python_lacks(context: Context, heard: Heard) -> None:
    steps: tuple[tuple[str, Any, Any, object], ...] = (
        ("json", desk.as_json, {"a": [1, None]}, '{"a": [1, null]}'),
        ("shutil", desk.copy, b"data" * 1000, b"data" * 1000),
    )
    for name, function, argument, expected in steps:
        own = context.call(desk.has_of_its_own, name)
        if own or version(context) == HERE:
            assert context.call(function, argument) == expected
            place = context.call(desk.loaded_from, name)
            assert place.startswith("/proc/remotesvc:/") is not own
        else:
            # A standard library of another version does not fit: the error says what to install.
            with pytest.raises(ModuleNotFoundError, match="libpython{}.{}-stdlib".format(*version(context))):
                context.call(function, argument)


def cancel_and_timeout(context: Context, heard: Heard) -> None:
    begun = f"/dev/shm/remotesvc-{time.monotonic_ns()}"
    future = context.submit(called_waiting.loop_until_cancelled, begun)
    until(lambda: context.call("os.path:exists", begun))
    context.call("os:unlink", begun)
    assert future.cancel()
    with pytest.raises(remotesvc.Cancelled):
        future.result()
    started, watch = time.monotonic(), Stopwatch()
    with pytest.raises(remotesvc.CallTimeout):
        context.options(timeout=0.5).call(time.sleep, 2)
    assert time.monotonic() - started > 0.4
    assert watch.seconds < 1.9
    assert context.call(called.add, 2, 2) == 4


def much_data(context: Context, heard: Heard) -> None:
    data = bytes(range(256)) * (64 * MIB // 256)
    assert context.call(called.echo, data) == data


def many_calls(context: Context, heard: Heard) -> None:
    futures = [context.submit(called.add, number, 1) for number in range(200)]
    assert [future.result() for future in futures] == list(range(1, 201))


STEPS = (calls_of_every_kind, values_and_errors, output, package_with_resources, what_a_minimal_python_lacks,
         cancel_and_timeout, much_data, many_calls)
