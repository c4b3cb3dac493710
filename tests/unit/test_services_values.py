"""Arguments of services: keys of calls that are the same, kinds of values, classes that annotations name."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Optional, Protocol, Union

import pytest

from remotesvc.bootstrap.data.record import Record
from remotesvc.service.keys import NoKey, key_of
from remotesvc.service.kinds import classes_in, fits, shown


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    a: int
    b: int


@dataclass
class Point:
    x: int
    y: int


# -- keys


DIFFERENT: list[Any] = [
    None, True, False, 0, 1, 1.0, -1, 1 << 80, 0.1, float("inf"), 1j, "", "1", b"1", bytearray(b"1"), (), [], {}, set(),
    frozenset(), (1,), [1], [[1], [2]], [[1, 2]], [1, [2]], {1: 2}, {2: 1}, {"1": 2}, {1}, {1, 2}, {(1, 2)}, range(3),
    "ab", ["a", "b"], [["a"], "b"], datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), decimal.Decimal("1.0"),
    decimal.Decimal("1.00"), pathlib.PurePosixPath("/x"), Colour.RED, Colour.BLUE, Pair(1, 2), (1, 2), Point(1, 2),
    Point(2, 1), Record("m.P", {"x": 1}), Record("m.Q", {"x": 1}), "\udcff", "x" * 5000, "x" * 5001, {"a": {}, "b": []},
]  # fmt: skip


def test_different_arguments_have_different_keys() -> None:
    keys = [key_of("m", {"x": value}) for value in DIFFERENT]
    assert len(set(keys)) == len(DIFFERENT)
    assert max(map(len, keys)) <= 1024
    assert key_of("m", {"x": 1}) != key_of("n", {"x": 1})
    assert key_of("m", {"x": 1}) != key_of("m", {"y": 1})


def test_flags_have_keys_however_they_go_together() -> None:
    flags = [Access(0), Access.READ, Access.WRITE, Access.READ | Access.WRITE]
    assert len({key_of("m", {"x": flag}) for flag in flags}) == len(flags)
    assert key_of("m", {"x": Access.WRITE | Access.READ}) == key_of("m", {"x": flags[-1]})


def test_the_order_of_names_does_not_matter_to_keys() -> None:
    assert key_of("m", {"a": 1, "b": 2}) == key_of("m", {"b": 2, "a": 1})
    assert key_of("m", {"x": {"a": [1], "b": {3, 1}}}) == key_of("m", {"x": {"b": {1, 3}, "a": [1]}})
    assert key_of("m", {"x": [1, 2]}) != key_of("m", {"x": [2, 1]})


@pytest.mark.parametrize(
    "value", [object(), lambda: 0, [object()], {"a": object()}], ids=["object", "function", "list", "dict"])
def test_what_has_no_value_has_no_key(value: Any) -> None:
    with pytest.raises(NoKey):
        key_of("m", {"x": value})


def test_a_circle_has_no_key() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NoKey):
        key_of("m", {"x": circle})


# -- kinds


class Speaks(Protocol):
    def speak(self) -> str: ...


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, int, True), ("1", int, False), (True, int, False), (True, bool, True), (1, float, True), (1.0, int, False),
        (None, None, True), (0, None, False), (1, (str, None), False), (None, (str, None), True),
        (None, Optional[int], True), ("x", Optional[int], False), (1, Union[int, str], True),  # noqa: UP007, UP045
        (1.5, int | str, False), ([1], tuple[int, ...], False),
        ([1], list[str], True), ((1,), list[str], False), ({}, dict[str, int], True), (1, Any, True),
        ("a", Literal["a", "b"], True), ("c", Literal["a", "b"], False), (True, Literal[1], False), (1, Speaks, True),
        (Point(1, 2), Point, True), (Record("x.Point", {}), Point, False), ([], "text", True),
    ],
)  # fmt: skip
def test_kinds(value: Any, kind: Any, expected: bool) -> None:
    assert fits(value, kind) is expected


def test_classes_that_annotations_name() -> None:
    assert classes_in(Optional[list[Point]]) == [Point]  # noqa: UP045
    assert classes_in(dict[str, Colour]) == [Colour]
    assert classes_in(Pair) == [Pair]
    assert classes_in(int) == classes_in(Any) == classes_in(Literal["x"]) == []
    assert shown((int, None)) == "int or None"
