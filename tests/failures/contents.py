"""Arguments and attributes that are more than a text or a number."""

import datetime
import decimal
import enum
import pathlib
import sys
from collections import OrderedDict, namedtuple

from remotesvc.bootstrap.data.codec import decode, encode
from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.failures import contents
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import rebuild
from tests.failures.common import round_trip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


class Rude(object):  # noqa: UP004
    """One whose code fails wherever it is asked."""

    def __getattr__(self, name: str) -> "Any":
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit


class RudeList(list):  # type: ignore[type-arg]
    def __iter__(self) -> "Any":
        raise SystemExit

    def __len__(self) -> int:
        raise SystemExit


def sent(value: "Any") -> "Any":
    """The argument of an exception that was there, over the codec and over a pickle."""
    data = encode(describe(ValueError("x", value)))
    exc = rebuild(decode(data.data, data.blobs, data.tagged))
    assert round_trip(ValueError("x", value)).args == exc.args
    return exc.args[1]


def case_containers() -> None:
    for value in ([1, [2, "x"]], (1, (None,)), {"a": [1], 2: {"b": b"c"}}, {1, "x"}, frozenset([2]), [], {}, ()):
        assert sent(value) == value and type(sent(value)) is type(value), value
    assert sent(OrderedDict(a=1)) == {"a": 1}
    assert sent(RudeList([1, 2])) == [1, 2]


def case_values_of_the_standard_library() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    for value in (datetime.datetime(2026, 1, 2, tzinfo=zone), datetime.date(2026, 1, 2), datetime.timedelta(1),
                  decimal.Decimal("1.5"), pathlib.PurePosixPath("/x"), 1j):  # fmt: skip
        assert sent([value]) == [value], value
    assert round_trip(OSError(2, "no", pathlib.PurePosixPath("/x"))).filename == pathlib.PurePosixPath("/x")


def case_records() -> None:
    assert sent(Point(1, [2])) == (1, [2]) and sent(Point(1, 2)).x == 1
    colour = sent(Colour.RED)
    assert type(colour) is Record and colour.name == "RED"
    assert sent(Record("m.Disk", {"size": 7})).size == 7
    if sys.version_info >= (3, 7):  # noqa: UP036
        import dataclasses

        disk = dataclasses.make_dataclass("Disk", [("size", int)])
        assert sent(disk(7)).size == 7
        assert sent([disk(Rude())])[0].size == "<tests.failures.contents.Rude does not travel>"


def case_what_does_not_travel_is_named() -> None:
    assert sent(object()) == "<object does not travel>"
    assert sent([1, Rude()]) == [1, "<tests.failures.contents.Rude does not travel>"]
    assert sent({Rude(): 1}) == {"<tests.failures.contents.Rude does not travel>": 1}
    assert sent([KeyError("k")]) == ["<KeyError: 'k'>"]
    assert "hunter2" not in repr(sent([Secret("hunter2")]))
    assert sent("x" * 5000) == "x" * 4032 + "... [968 more characters]"
    assert sent(b"x" * 5000) == "<bytes does not travel>"
    assert sent(1 << 40000) == "<int does not travel>"


def case_names_that_are_too_long() -> None:
    for name, field in (("P", "x" * 513), ("Q" * 600, "x")):
        kind = type(name, (tuple,), {"_fields": (field,)})
        assert sent(kind((1,))).endswith(" does not travel>")


def case_large_and_deep_ones() -> None:
    assert sent([0] * 5000) == "<list of 5000 does not travel>"
    many = sent([[0] * 1000] * 10)
    assert many[:3] == [[0] * 1000] * 3 and many[9] == "<list of 1000 does not travel>"
    loop = []  # type: Any
    loop.append(loop)
    value, depth = sent(loop), 0
    while type(value) is list:
        (value,), depth = value, depth + 1
    assert (value, depth) == ("<list of 1 does not travel>", contents.LEVELS)
    circle = ValueError("x")
    circle.args = (circle, [circle])
    assert len(str(describe(circle))) < 10000


def case_no_more_is_taken_than_is_sent() -> None:
    deep = 7  # type: Any
    for _ in range(contents.LEVELS + 1):
        deep = [deep]
    for value in (deep, [0] * 20000, "x" * 5000, [b"x" * 5000], 1 << 40000, [1 << 40000], object(), [KeyError()],
                  {"a": Secret(1)}, slice(1), [memoryview(b"x")], {Colour.RED: 1}, Colour.RED):  # fmt: skip
        data = dict(describe(ValueError()), args=[value], attrs={"status": value, "filename": value})
        exc = rebuild(data)
        assert exc.args == (None,) and exc.attrs == {}, value
    known = rebuild(dict(describe(ValueError()), args=[Colour.RED]),
                    classes={"%s.Colour" % __name__: Colour})  # noqa: UP031
    assert known.args == (Colour.RED,)
