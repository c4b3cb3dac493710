"""Arguments of functions whose classes the codec has no word for: below us, they arrive as themselves."""

from __future__ import annotations

import array
import collections
import copy
import datetime
import os
import sys
import threading
import zoneinfo
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_shapes, shapes
from tests.kernel.contexts import LIMIT

pytest_plugins = ("tests.kernel.call_fixtures",)

VALUES: list[tuple[Any, Any]] = [
    (shapes.Colour.RED, "red"),
    ([shapes.Colour.RED, {shapes.Colour.BLUE: 1}], ["red", {"another": "int of builtins"}]),
    (shapes.Point(1, 2), 2),
    (collections.Counter("aab"), [("a", 2)]),
    (collections.deque([1]), [0, 1]),
    (collections.OrderedDict(a=1, b=2), ["b", "a"]),
    (collections.defaultdict(int), 0),
    (os.stat("/"), os.stat("/").st_size),
]


def test_arguments_of_own_classes_arrive_as_themselves(interpreter: Interpreter, router: Router) -> None:
    context = router.local(interpreter.path)
    for value, result in VALUES:
        assert context.call(called_shapes.own, value) == result
        assert context.call("tests.kernel.called_shapes:own", value=value) == result
        assert context.options(strict_types=True).call(called_shapes.own, value) == result
    if interpreter.version >= (3, 7):
        assert context.call(called_shapes.field, shapes.Disk("sda", 7)) == 14


def test_a_text_of_a_class_of_its_own_is_a_text_unless_types_are_strict(context: Context) -> None:
    """Libraries have such texts, which hold all of a document: nobody means to send that."""
    name = called_shapes.Name("x")
    assert context.call(called_shapes.own, name) == "str of builtins"
    assert context.call(called_shapes.own, [name, shapes.Colour.RED]) == ["X!", "red"]  # the whole call is pickled
    assert context.options(strict_types=True).call(called_shapes.own, {name: 1}) == {"X!": "int of builtins"}


def test_arguments_of_registered_classes_arrive_as_themselves_too(router: Router) -> None:
    router.register(shapes.Colour, shapes.Point, shapes.Disk)
    context = router.local()
    assert context.call(called_shapes.own, shapes.Colour.RED) == "red"
    assert context.call(called_shapes.field, shapes.Disk("sda", 7)) == 14
    assert context.call(called.echo, shapes.Disk("sda", 7)) == shapes.Disk("sda", 7)


def test_arguments_of_own_classes_arrive_however_a_function_is_called(router: Router, context: Context) -> None:
    red, receiver = shapes.Colour.RED, remotesvc.Receiver(router)
    assert context.submit(called_shapes.own, red).result(LIMIT) == "red"
    with context.chain() as chain:
        assert chain.call(called_shapes.own, red) == "red"
    context.cast(called_shapes.send, receiver.sender(), red)
    assert receiver.get(timeout=LIMIT).value == "red"
    assert context.options(isolation="process").call(called_shapes.own, red) == "red"
    assert context.options(thread="main").call(called_shapes.own, [red]) == ["red"]
    job = context.detach(called_shapes.own, red)
    assert job.result(LIMIT) == "red"
    job.forget()


def test_arguments_of_own_classes_arrive_from_a_context_in_one_below(interpreter: Interpreter, router: Router) -> None:
    context = router.local(interpreter.path)
    assert context.call(called_shapes.below, [shapes.Colour.RED]) == [["red"], ["red"]]


def test_data_stays_data(context: Context) -> None:
    """What a pickle would make no better, and what it cannot hold."""
    assert context.call(called.echo, os.environ) == dict(os.environ)
    assert context.call(called.type_name, os.environ) == "dict"
    assert context.call(called.type_name, {"a": 1}.keys()) == "list"
    assert context.call("builtins:str", {"v": sys.version_info}).startswith("{'v': ")
    zone = datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC"))
    assert context.call("builtins:str", zone) == str(zone)
    numbers = called_shapes.Name("x")
    numbers.lock = threading.Lock()  # type: ignore[attr-defined]
    assert context.call(called.type_name, numbers) == "str"
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.options(strict_types=True).call(called.type_name, numbers)
    assert caught.value.where == "args[0].lock"


def test_what_pickle_does_not_make_again(interpreter: Interpreter, router: Router) -> None:
    context = router.local(interpreter.path)
    mapping, items = shapes.Frozen(a=1), shapes.FrozenList([1, 2])
    mapping.owner = items.owner = "us"
    indexed = shapes.Indexed()
    indexed["US"] = 1
    numbers = memoryview(array.array("d", [0.5, 2]))
    assert context.call(called_shapes.parts, mapping, items, shapes.Told(a=1), numbers, indexed) == [
        ["Frozen", {"a": 1}, "us"], ["FrozenList", [1, 2], "us"], ["Told", {"told": 1}, None],
        ["memoryview", [0.5, 2], None], ["Indexed", {"US": 1}, "us"],
    ]  # fmt: skip
    assert context.call(called_shapes.parts, os.environ, mapping)[0] == ["dict", dict(os.environ), None]


def test_the_argument_that_cannot_be_pickled_is_named(context: Context) -> None:
    lock = threading.Lock()
    thing = called.Thing(1)
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(called.keywords, thing, shapes.Colour.RED, x=[1, {"y": lock}])
    assert caught.value.where == "kwargs['x'][1]['y']"
    assert "lock" in caught.value.type_name
    with pytest.raises(remotesvc.EncodeError) as caught:
        context.call(lambda *_: None, thing, (2, lock))
    assert caught.value.where == "args[1][1]"
    assert context.call(called.add, 1, 1) == 2


def test_contexts_senders_and_secrets_arrive_beside_own_classes(router: Router, context: Context) -> None:
    below = router.local(via=context)
    assert context.call(called_shapes.ask, below, "tests.kernel.called_shapes:own", shapes.Colour.RED) == "red"
    assert context.call(lambda other: other.call("os:getpid"), below) == below.info["pid"]
    assert context.call(lambda: below.call("os:getpid")) == below.info["pid"]
    receiver = remotesvc.Receiver(router)
    context.call(called_shapes.send, receiver.sender(), shapes.Colour.RED)
    assert receiver.get(timeout=LIMIT).value == "red"
    first = router.local()
    assert first.call(called_shapes.revealed, remotesvc.Secret("abc"), shapes.Colour.RED) == (3, "red", 3)


def test_a_job_has_no_context_to_use(context: Context) -> None:
    job = context.detach(called_shapes.ask, context, "os:getpid", shapes.Colour.RED)
    with pytest.raises(remotesvc.CallError, match="do not go with a detached job"):
        job.result(LIMIT)
    job.forget()


def test_a_context_is_copied_with_its_options(context: Context) -> None:
    copied = copy.copy(context.options(timeout=5))
    assert copied == context
    assert copied.call_options.timeout == 5
    assert copied.call(called.add, 1, 1) == 2
