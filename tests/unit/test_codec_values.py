"""Values that need more than a table: classes, records, secrets, errors, places of what cannot travel."""

from __future__ import annotations

import array
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import os
import pathlib
import pickle
import platform
import sys
import threading
import time
import uuid
import zoneinfo
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import arrays, codec, tags
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.data.record import Record, type_name
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import DecodeError, EncodeError

pytestmark = pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    __slots__ = ("x",)
    x: int


class Pair(NamedTuple):
    first: int
    second: object


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):
    YES = "yes"


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Fault(ValueError):
    pass


CLASSES: dict[str, type] = {type_name(cls): cls
                            for cls in (Point, Frozen, Pair, Colour, Level, Word, Mode, Fault)}
BINDINGS = Bindings(CLASSES)


def through(implementation: ModuleType, value: Any, bindings: Bindings | None = None) -> Any:
    encoded = implementation.encode(value, bindings)
    return implementation.decode(encoded.data, encoded.blobs, encoded.tagged, bindings)


@pytest.mark.parametrize("value", [
    Point(1, [Point(2)]), Frozen(3), Pair(1, (2,)), Colour.RED, Colour.BLUE, Level.LOW, Word.YES, Mode.READ,
    Mode.READ | Mode.WRITE, Mode(0), [Colour.RED] * 2, {Colour.RED: 1, Level.LOW: 2}, {Pair(1, 2)},
    {"a": Pair(1, Colour.RED)},
], ids=repr)
def test_registered_classes_come_back(implementation: ModuleType, value: Any) -> None:
    arrived = through(implementation, value, BINDINGS)
    assert arrived == value
    assert type(arrived) is type(value)
    assert repr(arrived) == repr(value)
    encoded = implementation.encode(value, BINDINGS, True)
    assert implementation.decode(encoded.data, (), encoded.tagged, BINDINGS) == value
    with pytest.raises(EncodeError, match="strict_types"):
        implementation.encode(value, None, True)
    passed_on = implementation.encode(through(implementation, value))  # by who does not have the class
    assert implementation.decode(passed_on.data, (), passed_on.tagged, BINDINGS) == value


def test_unknown_classes_become_records(implementation: ModuleType) -> None:
    here = __name__
    point = through(implementation, Point(1, [2]))
    assert point == Record(here + ".Point", {"x": 1, "y": [2]})
    assert (point.x, point["y"], dict(point), len(point), list(point)) == (1, [2], {"x": 1, "y": [2]}, 2, ["x", "y"])
    pair = through(implementation, Pair(1, 2))
    assert pair.is_tuple
    assert pair == (1, 2)
    assert hash(pair) == hash((1, 2))
    assert (pair.first, pair[1], pair["second"], pair[0:1], len(pair), [*pair]) == (1, 2, 2, (1,), 2, [1, 2])
    assert 2 in pair
    assert through(implementation, Colour.RED) == Record(here + ".Colour", {"name": "RED", "value": 1})
    assert through(implementation, Word.YES).value == "yes"
    assert through(implementation, {Level.LOW: 1})[Record(here + ".Level", {"name": "LOW", "value": 1})] == 1
    for record in (point, pair, Record("a", {}), Record("b", {}, ())):
        assert through(implementation, record) == record
        assert pickle.loads(pickle.dumps(record)) == copy.deepcopy(record) == record
        assert repr(record) in repr([record])


def test_record_is_not_to_be_changed(implementation: ModuleType) -> None:
    record = Record("m.C", {"x": 1, "keys": 2})
    with pytest.raises(AttributeError):
        record.x = 2
    with pytest.raises(AttributeError, match="no field 'z'"):
        record.z  # noqa: B018
    with pytest.raises(KeyError):
        record["z"]
    assert record["keys"] == 2
    assert record != Record("m.D", {"x": 1, "keys": 2})
    assert Record("m.C", {"x": 1}, [1]) != Record("m.C", {"x": 1})
    assert bool(record)
    assert not Record("m.T", {}, [])


def test_struct_sequences_keep_names_and_positions(implementation: ModuleType) -> None:
    stat = os.stat("/")
    arrived = through(implementation, stat)
    assert arrived == tuple(stat)
    assert (arrived.type_name, len(arrived)) == ("os.stat_result", len(stat))
    for name in ("st_mode", "st_size", "st_mtime", "st_mtime_ns", "st_blksize"):
        assert getattr(arrived, name) == getattr(stat, name)
    assert arrived[8] == int(stat.st_mtime)
    assert through(implementation, arrived).fields == arrived.fields
    now = time.localtime()
    assert through(implementation, now).tm_zone == now.tm_zone
    assert through(implementation, platform.uname()).processor == platform.uname().processor
    assert through(implementation, sys.version_info).releaselevel == sys.version_info.releaselevel
    with pytest.raises(EncodeError, match="strict_types"):
        implementation.encode(stat, None, True)


@pytest.mark.parametrize("items", [
    [0, "{m}.Point", 0, "x", 1], [0, "{m}.Point", 0, "x", 1, "z", 2], [0, "{m}.Pair", 0, "first", 1, "second", 2],
    [1, "{m}.Pair", 2, "second", 1, "first", 2], [1, "{m}.Pair", 1, "first", 1], [1, "{m}.Point", 2, "x", 1, "y", 1],
    [2, "{m}.Colour", 0, "name", "GREEN", "value", 3], [2, "{m}.Colour", 0, "name", None, "value", 1],
    [2, "{m}.Mode", 0, "name", None, "value", 1 << 70], [2, "{m}.Mode", 0, "name", None, "value", "x"],
    [2, "{m}.Pair", 0, "name", "RED", "value", 1], [2, "{m}.Colour", 0, "name", "__class__", "value", 1],
    [0, "{m}.Point", 0, "x", 1, "__class__", 2], [0, "{m}.Fault", 0, "args", 1],
])
def test_objects_that_a_registered_class_does_not_have(implementation: ModuleType, items: list[Any]) -> None:
    items[1] = items[1].format(m=__name__)
    data = codec.encode([None, *items]).data.replace(b"\xc0", b"\xc7\x00\x06", 1)
    with pytest.raises(DecodeError):
        implementation.decode(data, (), True, BINDINGS)


def test_secret(implementation: ModuleType) -> None:
    secret = Secret({"password": ("hunter2",)})
    arrived = through(implementation, ["a", secret])[1]
    assert type(arrived) is Secret
    assert arrived.reveal() == {"password": ("hunter2",)}
    assert arrived == secret != Secret(1)
    for shown in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert "hunter2" not in shown
    assert implementation.encode([secret]).secret
    assert not implementation.encode(["secret"]).secret
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(EncodeError) as caught:
        implementation.encode({"login": Secret({"hunter2": [object()]})})
    assert str(caught.value).startswith("value['login'].reveal() (object): ")
    assert "hunter2" not in str(caught.value)


class Handle:
    def __init__(self, *wire: Any) -> None:
        self.wire = wire

    def __remotesvc_wire__(self) -> tuple[Any, ...]:
        return (*self.wire, None)


def test_contexts_and_senders(implementation: ModuleType) -> None:
    value = [Handle("context", 7, "web1"), Handle("sender", 7, 2**63)]
    bound = Bindings(None, lambda number, name: ("C", number, name), lambda number, handle: ("S", number, handle))
    encoded = implementation.encode(value)
    assert implementation.decode(encoded.data, (), True, bound) == [("C", 7, "web1"), ("S", 7, 2**63)]
    assert implementation.decode(encoded.data)[1] == Record("remotesvc.Sender", {"context": 7, "handle": 2**63})
    for wrong in (Handle("context", -1, "x"), Handle("context", 2**32, "x"), Handle("context", 1, b"x"),
                  Handle("sender", 1, -1), Handle("sender", True, 1), Handle("sender", 1, "x")):
        with pytest.raises(DecodeError):
            implementation.decode(implementation.encode(wrong).data, (), True, bound)


def test_errors_travel_as_what_they_were(implementation: ModuleType) -> None:
    arrived = through(implementation, {"errors": [FileNotFoundError(2, "No such file", "/x"), Fault("mine")]}, BINDINGS)
    missing, mine = arrived["errors"]
    assert missing.remote
    assert isinstance(missing, FileNotFoundError)
    assert (missing.errno, missing.filename) == (2, "/x")
    assert isinstance(mine, Fault)
    assert not isinstance(through(implementation, Fault("mine")), Fault)


def test_relatives_of_builtins(implementation: ModuleType) -> None:
    assert through(implementation, os.environ) == dict(os.environ)
    assert through(implementation, MappingProxyType({"a": 1})) == {"a": 1}
    assert through(implementation, collections.OrderedDict.fromkeys("ba").keys()) == ["b", "a"]
    moved = collections.OrderedDict.fromkeys("ab")
    moved.move_to_end("a")
    assert list(through(implementation, moved)) == ["b", "a"]


def test_dates(implementation: ModuleType) -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin") if pathlib.Path("/usr/share/zoneinfo/Europe/Berlin").exists() else None
    zones = [datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=-3, seconds=7), "\udcff"), berlin]
    for zone in zones:
        value = datetime.datetime(2024, 7, 1, 12, tzinfo=zone)
        arrived = through(implementation, value)
        assert arrived == value
        assert arrived.utcoffset() == value.utcoffset()
        assert arrived.tzname() == value.tzname()
    for fold in (0, 1):
        assert through(implementation, datetime.datetime(2024, 10, 27, 2, 30, fold=fold)).fold == fold
        assert through(implementation, datetime.time(2, 30, fold=fold)).fold == fold
    if berlin is not None:
        with pytest.raises(EncodeError, match="strict_types|fixed offset"):
            implementation.encode(datetime.datetime(2024, 7, 1, tzinfo=berlin), None, True)
        with pytest.raises(EncodeError, match="offset"):
            implementation.encode(datetime.time(1, tzinfo=berlin))
    assert through(implementation, decimal.Decimal("sNaN12")).compare_total(decimal.Decimal("sNaN12")) == 0


def test_the_other_platforms_paths_arrive_pure(implementation: ModuleType) -> None:
    foreign = "WindowsPath" if os.name == "posix" else "PosixPath"
    data = b"\xc7\x03\x2b%cab" % tags.PATHS.index(foreign)
    assert type(implementation.decode(data)).__name__ == "Pure" + foreign
    assert through(implementation, pathlib.Path("caf\udce9")) == pathlib.Path("caf\udce9")


def test_a_python_without_a_module_gets_records(implementation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [decimal.Decimal("1.5"), uuid.UUID(int=5), pathlib.PurePosixPath("/a"), fractions.Fraction(1, 3),
              array.array("i", [1])]
    encoded = implementation.encode(values)
    for module in ("decimal", "uuid", "pathlib", "fractions", "array"):
        monkeypatch.setitem(sys.modules, module, None)
    arrived = implementation.decode(encoded.data)
    assert [record.type_name for record in arrived] == [
        "decimal.Decimal", "uuid.UUID", "pathlib.PurePosixPath", "fractions.Fraction", "array.array"]
    assert arrived[2].path == "/a"


def test_buffers(implementation: ModuleType) -> None:
    for code in "bBhHiIlLqQfd":
        numbers = array.array(code, [1, 2, 3])
        assert through(implementation, numbers) == numbers
        assert through(implementation, numbers).typecode == code
        view = memoryview(numbers)
        assert through(implementation, view) == view
    grid = memoryview(bytes(range(24))).cast("B", [2, 3, 4])
    assert through(implementation, grid).tolist() == grid.tolist()
    assert through(implementation, memoryview(b"abcdef")[::2]) == b"ace"
    assert through(implementation, memoryview(b"")) == b""
    large = array.array("d", range(20_000))
    assert through(implementation, large) == large
    foreign = ">" if sys.byteorder == "little" else "<"
    assert arrays.build_buffer("array", foreign + "h", 2, [2], b"\x01\x02\x03\x04" if foreign == ">" else
                               b"\x02\x01\x04\x03") == array.array("h", [0x0102, 0x0304])
    characters = "w" if "w" in array.typecodes else "u"  # since 3.13 "u" is deprecated
    with pytest.raises(EncodeError, match="plain numbers"):
        implementation.encode(array.array(characters, "a"))


@pytest.mark.parametrize("wrong", [
    ["array", "<i", 4, [2], b"1234"], ["array", "<i", 4, [-1], b""], ["array", "<i", 3, [1], b"123"],
    ["list", "<i", 4, [1], b"1234"], ["array", "<O", 8, [1], b"12345678"], ["numpy", "|O8", 8, [1], b"12345678"],
    ["memoryview", "<i", 4, [1 << 40, 1 << 40], b""], ["memoryview", "<i", 4, [1] * 40, b"1234"],
    ["array", "<i", 4, 1, b"1234"], ["array", "<i", 4, [1], "1234"], ["array", 1, 4, [1], b"1234"],
    [[], "<i", 4, [1], b"1234"],
    ["numpy", "<f8,<O8", 8, [1], b"12345678"],
    ["numpy", "<U0", 0, [1 << 27], b""], ["numpy", "|S0", 0, [1 << 27], b""],  # numpy makes them one character long
], ids=repr)
def test_buffers_that_cannot_be(implementation: ModuleType, wrong: list[Any]) -> None:
    data = codec.encode([None, *wrong]).data.replace(b"\xc0", b"\xc7\x00\x0d", 1)
    with pytest.raises(DecodeError):
        implementation.decode(data)


class _Dtype:
    def __init__(self, text: str, itemsize: int) -> None:
        self.str = text
        self.itemsize = itemsize


def _ndarray(text: str, itemsize: int, shape: tuple[int, ...], data: bytes) -> Any:
    """What the codec sees of a numpy array: numpy is no dependency of these tests."""
    cls = type("ndarray", (), {"__module__": "numpy", "tobytes": lambda self: data})
    made: Any = cls()
    made.dtype = _Dtype(text, itemsize)
    made.shape = shape
    return made


def test_numpy_arrays_without_numpy_here(implementation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "numpy")
    grid = through(implementation, _ndarray("<i2" if sys.byteorder == "little" else ">i2", 2, (2, 1),
                                            array.array("h", [5, 6]).tobytes()))
    assert grid.tolist() == [[5], [6]]
    assert through(implementation, _ndarray("|b1", 1, (2,), b"\x01\x00")).tolist() == [True, False]
    times = through(implementation, _ndarray("<M8[ns]", 8, (1,), bytes(8)))
    assert times == Record("numpy.ndarray", {"format": "<M8[ns]", "itemsize": 8, "shape": [1], "data": bytes(8)})
    assert through(implementation, _ndarray("<c16", 16, (0,), b"")).shape == [0]
    for text in ("|O", "|V8", "<f8,<f8", "|O8"):
        with pytest.raises(EncodeError, match="objects or records"):
            implementation.encode(_ndarray(text, 8, (1,), bytes(8)))
    with pytest.raises(EncodeError, match="no size"):
        implementation.encode(_ndarray("<U0", 0, (3,), b""))


class Rude:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no")


class Broken(list[int]):
    def __iter__(self) -> Any:
        raise RuntimeError("no items today")


@pytest.mark.parametrize(("value", "where", "kind"), [
    ({"a": [1, 2, object()]}, "['a'][2]", "object"), ([[(1, {"x": print})]], "[0][0][1]['x']",
    "builtin_function_or_method"),
    ({"a": {5: threading.Lock()}}, "['a'][5]", "_thread.lock"), ({(1, print): 2}, " key <tuple>[1]",
    "builtin_function_or_method"),
    ({print: 2}, " key <builtin_function_or_method>", "builtin_function_or_method"),
    ([{1, print}], "[0] element", "builtin_function_or_method"), (Point(1, [object()]), ".y[0]", "object"),
    (Pair(1, object()), ".second", "object"), ({"k" * 500: object()}, "['" + "k" * 59 + "]", "object"),
    ([Broken()], "[0]", __name__ + ".Broken"), ([Rude()], "[0]", __name__ + ".Rude"), (int, "", "type"),
    ((n for n in [0]), "", "generator"), (io.StringIO(), "", "_io.StringIO"), (Ellipsis, "", "ellipsis"),
    ([0] * 20 + [lambda: 0], "[20]", "function"), (array, "", "module"), (Exception, "", "type"),
    ({"x": (1, decimal.Decimal("1E3000000"))}, "['x'][1]", "decimal.Decimal"),
], ids=lambda part: None)
def test_place_of_what_cannot_travel(implementation: ModuleType, value: Any, where: str, kind: str) -> None:
    with pytest.raises(EncodeError) as caught:
        implementation.encode(value, None, False, "args[0]")
    assert (caught.value.where, caught.value.type_name) == ("args[0]" + where, kind)
    assert implementation.encode([1]).data == b"\x91\x01"


def test_lists_changed_while_they_are_encoded(implementation: ModuleType) -> None:
    shared: list[Any] = [(n,) for n in range(100)]
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            shared.append((0,))
            del shared[50:60]
            shared.extend([(1,)] * 9)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            encoded = implementation.encode([shared, shared])
            assert len(implementation.decode(encoded.data)) == 2
    finally:
        stop.set()
        thread.join()
