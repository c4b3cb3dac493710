"""Classes that come back as themselves: registered with the router, or named for a call."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import pytest

import remotesvc
from remotesvc import Record, Router, UsageError
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import shapes

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_registered_classes_come_back_as_themselves(router: Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path)
    before = context.call(shapes.values)
    assert all(type(value) is Record for value in before)
    with pytest.raises(remotesvc.CallError) as plain:
        context.call(shapes.trouble)
    assert not isinstance(plain.value, shapes.Trouble)

    router.register(shapes.Point, shapes.Colour, shapes.Disk, shapes.Trouble)
    point, colour, *disks = context.call(shapes.values)
    assert type(point) is shapes.Point and point == (1, 2) and colour is shapes.Colour.BLUE
    assert disks == [shapes.Disk("sda", 7)][: len(disks)] and len(before) == 2 + len(disks)
    with pytest.raises(shapes.Trouble, match="no room") as caught:
        context.call(shapes.trouble)
    assert isinstance(caught.value, remotesvc.CallError)
    items = context.call(shapes.stream)
    assert next(items) is shapes.Colour.RED
    with pytest.raises(shapes.Trouble, match="later"):
        next(items)


def test_classes_named_for_one_call_come_back_as_themselves(router: Router) -> None:
    context = router.local()
    named = context.options(returns=[shapes.Point], raises=shapes.Trouble)
    point, colour, _disk = named.call(shapes.values)
    assert type(point) is shapes.Point and type(colour) is Record
    with pytest.raises(shapes.Trouble):
        named.call(shapes.trouble)
    with pytest.raises(shapes.Trouble):
        named.submit(shapes.trouble).result(30)
    assert type(context.call(shapes.values)[0]) is Record


def test_a_registered_class_that_the_value_does_not_fit(router: Router) -> None:
    class Colour(enum.Enum):
        GREEN = 3

    Colour.__module__, Colour.__qualname__ = shapes.Colour.__module__, shapes.Colour.__qualname__
    router.register(Colour)
    with pytest.raises(remotesvc.DecodeError, match="Colour"):
        router.local().call(shapes.values)


@pytest.mark.parametrize("wrong", [int, object, "Point", dataclasses, None])
def test_what_cannot_be_registered(router: Router, wrong: Any) -> None:
    with pytest.raises(UsageError, match="register takes exception classes and dataclasses, namedtuples and Enums"):
        router.register(wrong)
    for option in ("raises", "returns"):
        with pytest.raises(UsageError, match=f"{option}= takes"):
            router.local().options(**{option: [wrong]})
