"""Values that are unlike others of their type: they arrive as what they are, or are refused where they are sent."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import EncodeError

pytestmark = pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])


def through(implementation: ModuleType, value: Any) -> Any:
    encoded = implementation.encode(value)
    return implementation.decode(encoded.data, encoded.blobs, encoded.tagged)


@pytest.mark.parametrize("name", ["", "ü" * 80, "€" * 80, "\U0001f600" * 64, "\U0001f600" * 80, "\udcff" * 90])
def test_a_time_zones_name_is_cut_to_what_may_arrive(implementation: ModuleType, name: str) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1), name)
    for value in zone, datetime.datetime(2024, 1, 1, tzinfo=zone), datetime.time(1, tzinfo=zone):
        arrived = through(implementation, value)
        assert arrived == value
        assert name.startswith(arrived.tzname(None) if arrived == zone else arrived.tzname())


def test_decimals_whatever_the_context(implementation: ModuleType) -> None:
    values = [decimal.Decimal(text) for text in ("1E+30", "-1E-30", "sNaN12", "-Infinity", "NaN", "1.50")]
    for capitals in 0, 1:
        with decimal.localcontext() as context:
            context.capitals = capitals
            encoded = implementation.encode(values)
        for capitals_there in 0, 1:
            with decimal.localcontext() as context:
                context.capitals = capitals_there
                arrived = implementation.decode(encoded.data)
            assert [each.as_tuple() for each in arrived] == [each.as_tuple() for each in values]


class Number(enum.IntEnum):
    THREE = 3


def test_slices_and_ranges(implementation: ModuleType) -> None:
    arrived = through(implementation, [slice(True, Number.THREE), range(Number.THREE)])
    assert arrived == [slice(1, 3), range(3)]
    assert (type(arrived[0].start), type(arrived[0].stop)) == (int, int)
    for wrong in slice("a", "b"), slice(1.0), slice(None, None, b""):
        with pytest.raises(EncodeError, match="slice of .*only those of integers") as caught:
            implementation.encode({"a": [wrong]}, None, False, "args[0]")
        assert caught.value.where == "args[0]['a'][0]"


@dataclass
class Options(dict):  # type: ignore[type-arg]
    depth: int = 0


@dataclass
class Names(list):  # type: ignore[type-arg]
    depth: int = 0


def test_a_dataclass_that_is_a_container_is_refused_unless_its_fields_are_all_it_holds(
    implementation: ModuleType,
) -> None:
    options, names = Options(1), Names(1)
    assert through(implementation, options).depth == 1
    options["depth"] = 1
    assert through(implementation, options).depth == 1
    options["more"] = names[:] = [2]
    for value, kind in (options, "dict"), (names, "list"):
        with pytest.raises(EncodeError, match=f"a dataclass that is a {kind}, too"):
            implementation.encode(value)


class Untrue(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("no", 0)]


class Ordered(collections.OrderedDict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("no", 0)]


def test_a_relative_of_dict_arrives_as_what_it_holds(implementation: ModuleType) -> None:
    assert through(implementation, Untrue(a=1)) == {"a": 1}
    ordered = Ordered(a=1, b=2)
    ordered.move_to_end("a")
    assert list(through(implementation, ordered)) == ["b", "a"]
