"""Values that travel to real processes and back, in every interpreter and in many sizes."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import math
import os
import pathlib
import platform
import pwd
import random
import shutil
import threading
import time
import uuid
from array import array
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing
from tests.kernel.contexts import LIMIT, Heard
from tests.kernel.programs import start

pytest_plugins = ("tests.kernel.call_fixtures",)

CEST = datetime.timezone(datetime.timedelta(hours=2), "CEST")
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1 << 63,
    -(1 << 64),
    (1 << 65536) - 1,
    1.5,
    -0.0,
    math.inf,
    5e-324,
    complex(1, -0.0),
    "",
    "grün \0 \U0001f600",
    "undecodable \udcff\udc80",
    "x" * 70000,
    b"",
    b"\0\xff" * 50000,
    bytearray(b"mutable"),
    [],
    [1, [2, [3]]],
    (),
    (1, ("two",)),
    {},
    {"a": 1, 2: "b", (3, 4): [5], None: None, b"k": 1.0, frozenset([1]): 2},
    set(),
    {1, "two", (3,)},
    frozenset([b"x"]),
    datetime.date(2024, 2, 29),
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=CEST, fold=1),
    datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.time(12, 30, tzinfo=CEST),
    datetime.timedelta(days=-1, microseconds=1),
    CEST,
    decimal.Decimal("1.10"),
    decimal.Decimal("-Infinity"),
    decimal.Decimal("1E+1000"),
    fractions.Fraction(-1, 3),
    uuid.UUID(int=42),
    pathlib.Path("/tmp/grün \udcff"),
    pathlib.PurePosixPath("a/b"),
    pathlib.PureWindowsPath("c:/b"),
    range(3, 100, 7),
    array("d", [1.5, -2.5]),
    array("i", range(40000)),
    memoryview(b"seen"),
]


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and made of the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return all(map(same, left.items(), right.items()))
    return bool(left == right)


def test_values_in_every_interpreter(interpreter: Interpreter, router: Router) -> None:
    context = router.local(interpreter.path)
    for value in VALUES:
        assert same(context.call(called.echo, value), value), value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_equal(context: Context, value: Any) -> None:
    assert same(context.call(called.echo, value), value)
    assert same(context.call(called.keywords, [value], x=(value,)), [[[value]], {"x": (value,)}])


def test_nan_comes_back(context: Context) -> None:
    assert math.isnan(context.call(called.echo, math.nan))
    assert context.call(called.echo, decimal.Decimal("NaN")).is_nan()


def test_random_nested_values(context: Context) -> None:
    chance = random.Random(5)
    leaves = [value for value in VALUES if not isinstance(value, (memoryview, array, list, dict, set, bytearray))]

    def value(depth: int) -> Any:
        kind = chance.randrange(6) if depth else 0
        if kind < 2:
            return chance.choice(leaves)
        items = [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 2:
            return items
        if kind == 3:
            return tuple(items)
        return {chance.choice(["a", "b", 1, (2, 3)]): item for item in items}

    for _ in range(200):
        whole = value(5)
        assert same(context.call(called.echo, whole), whole), whole


def test_the_one_liners(context: Context, tmp_path: Path) -> None:
    usage = context.call("shutil:disk_usage", "/")
    assert usage.total == usage[0] == shutil.disk_usage("/").total
    uname = context.call("os:uname")
    assert (uname.sysname, uname[1], len(uname)) == (os.uname().sysname, os.uname().nodename, 5)
    stat = context.call("os:stat", "/")
    assert (stat.st_ino, stat.st_mode, stat[0]) == (os.stat("/").st_ino, os.stat("/").st_mode, os.stat("/")[0])
    assert stat.type_name == "os.stat_result"
    assert context.call("platform:uname").node == platform.uname().node
    now = context.call("time:localtime")
    assert abs(time.mktime(tuple(now)) - time.time()) < 3600
    assert now.tm_year == now[0]
    assert context.call("pwd:getpwnam", "root").pw_dir == pwd.getpwnam("root").pw_dir
    assert context.call("os:statvfs", "/").f_bsize == os.statvfs("/").f_bsize
    name = os.fsdecode(b"latin-\xe9")
    (tmp_path / name).touch()
    assert context.call("os:listdir", str(tmp_path)) == [name]


def test_relatives_of_standard_types(context: Context) -> None:
    assert same(context.call(collections.OrderedDict, [("b", 1), ("a", 2)]), {"b": 1, "a": 2})
    assert same(context.call(collections.Counter, "aab"), {"a": 2, "b": 1})
    assert same(context.call(collections.deque, [1, 2]), [1, 2])
    assert context.call("builtins:eval", "__import__('os').environ")["PATH"] == os.environ["PATH"]
    strict = context.options(strict_types=True)
    with pytest.raises(remotesvc.EncodeError):
        strict.call(collections.Counter, "aab")
    with pytest.raises(remotesvc.EncodeError):
        strict.call("os:uname")
    assert strict.call(called.echo, [{1}, (2,)]) == [{1}, (2,)]


def test_contexts_and_secrets_travel(router: Router, context: Context, heard: Heard) -> None:
    below = router.local(via=context)
    assert context.call(called.call_context, below, "os:getpid") == below.info["pid"]
    assert context.call(called.echo, below) == below
    secret = remotesvc.Secret("hunter2")
    assert context.call(called.type_name, secret) == "Secret"
    again = context.call(called.echo, secret)
    assert isinstance(again, remotesvc.Secret)
    assert again.reveal() == "hunter2"
    with pytest.raises(remotesvc.CallError) as caught:
        context.call(called.add, secret, 1)
    assert "hunter2" not in str(caught.value) + caught.value.render()


@pytest.mark.parametrize("size", [65535, 65536, 130776, 130777, 1 << 20, 10_000_000, 100 << 20])
def test_bytes_of_many_sizes_both_ways(context: Context, size: int) -> None:
    data = random.Random(size).randbytes(min(size, 1 << 20)) * (size >> 20 or 1)
    assert context.call(called.echo, data) == data


def test_what_large_values_take(tmp_path: Path) -> None:
    """There and back: beside what the caller holds already, less than four times as much on either side."""
    size = 40 << 20
    script = f"""
        from tests.kernel import called_files

        context = router.local()
        context.call(called.echo, b"x" * 300_000)
        data = os.urandom({size})
        before = called_files.peak_memory(), context.call(called_files.peak_memory)
        assert context.call(called.echo, data) == data
        after = called_files.peak_memory(), context.call(called_files.peak_memory)
        say(after[0] - before[0], after[1] - before[1])
        """
    with start(tmp_path, script) as program:
        here, there = (int(word) << 10 for word in program.line().split())
        assert program.process.wait(LIMIT) == 0, program.errors()
    assert here < 3.5 * size
    assert there < 3.5 * size


def test_the_first_calls_may_be_large(router: Router, interpreter: Interpreter) -> None:
    """What puts large messages together follows the first flight: those in it wait for that."""
    context = router.local(python=interpreter.path)
    futures = [context.submit("builtins:len", b"x" * (size << 20)) for size in (1, 9, 3)]
    assert [future.result(LIMIT) >> 20 for future in futures] == [1, 9, 3]


def test_a_value_that_cannot_travel_names_its_place(context: Context) -> None:
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called_failing.lock)
    assert caught.value.where == "return value['deep'][1]['er'][1]"
    assert "lock" in caught.value.type_name
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called_failing.give_lambda)
    assert caught.value.where == "return value"
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called.echo, 0, {"x": [1, threading.Lock()]})  # type: ignore[call-overload]
    assert caught.value.where == "args[1]['x'][1]"
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called.keywords, x=[threading.Lock()])
    assert caught.value.where == "kwargs['x'][0]"
    assert context.call(called.add, 1, 1) == 2
