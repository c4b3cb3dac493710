"""What values look like on the wire, in Python 3.6 syntax: the tests run this file in every interpreter found.

As a script it checks the pure codec against the table and prints how many lines of it held.
"""
# ruff: noqa: UP006, UP031, UP035 -- Python 3.6 knows nothing newer

import array
import collections
import datetime
import decimal
import fractions
import os
import pathlib
import platform
import pwd
import shutil
import sys
import time
import uuid

from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import DecodeError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

_HOUR = datetime.timedelta(hours=1)

# Arrives equal and of the same type; in hexadecimal.
SAME: "List[Tuple[Any, str]]" = [
    (None, "c0"), (False, "c2"), (True, "c3"),
    (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"),
    (65536, "ce00010000"), (2**32 - 1, "ceffffffff"), (2**32, "cf0000000100000000"),
    (2**64 - 1, "cfffffffffffffffff"), (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"),
    (-129, "d1ff7f"), (-32768, "d18000"), (-32769, "d2ffff7fff"), (-2**31, "d280000000"),
    (-2**31 - 1, "d3ffffffff7fffffff"), (-2**63, "d38000000000000000"),
    (2**64, "c70921010000000000000000"), (-2**63 - 1, "c70921ff7fffffffffffffff"),
    (0.0, "cb0000000000000000"), (1.5, "cb3ff8000000000000"), (float("inf"), "cb7ff0000000000000"),
    ("", "a0"), ("abc", "a3616263"), ("\u20ac", "a3e282ac"), ("\udcff", "a3edb3bf"), ("\ud800\udc00", "a6eda080edb080"),
    ("a" * 31, "bf" + "61" * 31), ("a" * 32, "d920" + "61" * 32), ("a" * 255, "d9ff" + "61" * 255),
    ("a" * 256, "da0100" + "61" * 256), ("a" * 65535, "daffff" + "61" * 65535),
    (b"", "c400"), (b"\x00\xff", "c40200ff"), (b"a" * 256, "c50100" + "61" * 256),
    (b"a" * 65535, "c5ffff" + "61" * 65535),
    (bytearray(b""), "c70022"), (bytearray(b"ab"), "d5226162"), (bytearray(b"abc"), "c703226162" + "63"),
    ([], "90"), ([1, "a"], "9201a161"), ([0] * 15, "9f" + "00" * 15), ([0] * 16, "dc0010" + "00" * 16),
    ([0] * 65536, "dd00010000" + "00" * 65536),
    ({}, "80"), ({"a": 1}, "81a16101"), ({b"a": [None]}, "81c4016191c0"), (dict.fromkeys([1, True], 3), "810103"),
    ({None: 1, 1.5: 2}, "82c001cb3ff800000000000002"),
    ({str(i): 0 for i in range(16)}, "de0010" + "".join("%02x%s00" % (0xa0 + len(str(i)), str(i).encode().hex())
                                                        for i in range(16))),
    ((), "91c70001"), ((1, (2,)), "93c700010192c7000102"),
    ({(1, 2): 3}, "93c7000493c70001010203"), ({2**64: 1}, "93c70004c7092101000000000000000001"),
    (set(), "91c70002"), ({7}, "92c7000207"), (frozenset(), "91c70003"), (frozenset([frozenset()]), "92c7000391c70003"),
    (1 + 2j, "d8233ff00000000000004000000000000000"),
    (range(1, 5, 2), "94c70007010502"), (slice(None, 3, None), "94c70008c003c0"),
    (fractions.Fraction(-1, 3), "93c70009ff03"), (decimal.Decimal("1.50"), "d629" + "312e3530"),
    (decimal.Decimal("-Infinity"), "c70929" + b"-Infinity".hex()),
    (decimal.Decimal("1E+20"), "c70529" + b"1E+20".hex()),
    (uuid.UUID(int=1), "d82a" + "00" * 15 + "01"),
    (datetime.date(2024, 2, 29), "d62507e8021d"),
    (datetime.datetime(2024, 2, 29, 1, 2, 3, 4), "c70c2407e8021d0102030000000400"),
    (datetime.datetime(2024, 2, 29, 1, 2, 3, 4, fold=1), "c70c2407e8021d0102030000000401"),
    (datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
     "c7142407e8021d00000000000000020000000000000000"),
    (datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(_HOUR, "X")),
     "c7162407e8021d000000000000000200000000d693a4003d58"),
    (datetime.time(1, 2, 3, 4), "d726" + "0102030000000400"),
    (datetime.timedelta(-1, 3, 4), "c70c27ffffffff0000000300000004"),
    (datetime.timezone.utc, "d7280000000000000000"), (datetime.timezone(-_HOUR), "d728ffffffff296c5c00"),
    (pathlib.PurePosixPath("/a"), "c7032b002f61"), (pathlib.PosixPath("b"), "d52b0162"),
    (pathlib.PureWindowsPath("c:"), "c7032b02633a"),
    (memoryview(b"ab"), "96c7000d" + "aa" + b"memoryview".hex() + "a2" + b"<B".hex() + "019102c4026162"),
    (array.array("i", [1]), "96c7000d" + "a5" + b"array".hex() + "a2" + b"<i".hex() + "049101c40401000000"),
    (Secret([1]), "92c700059101"),
    (Record("m.C", {"x": 1}), "96c7000600a36d2e4300a17801"),
    (Record("m.T", {"x": 1}, [1]), "96c7000601a36d2e5401a17801"),
]

# Arrives as something else.
OTHERWISE: "List[Tuple[Any, Any]]" = [
    (collections.OrderedDict([("b", 1), ("a", 2)]), {"b": 1, "a": 2}), (collections.Counter("aab"), {"a": 2, "b": 1}),
    (collections.defaultdict(int, a=1), {"a": 1}), (collections.deque([1, (2,)]), [1, (2,)]),
    (collections.ChainMap({"a": 1}), {"a": 1}), ({"a": 1}.keys(), ["a"]), ({"a": 1}.values(), [1]),
    ({"a": 1}.items(), [("a", 1)]),
    (type("Text", (str,), {"__str__": lambda self: "no"})("yes"), "yes"), (type("Number", (int,), {})(7), 7),
    (type("Real", (float,), {})(-0.5), -0.5), (type("Bytes", (bytes,), {})(b"x"), b"x"),
    ({type("Key", (str,), {})("k"): 1}, {"k": 1}), (type("List", (list,), {})([1]), [1]),
]

ONE_LINERS: "List[Any]" = [
    shutil.disk_usage("/"), os.uname(), os.stat("/"), platform.uname(), time.localtime(), pwd.getpwnam("root"),
    os.statvfs("/"), os.listdir(b"/"), ["caf\udce9"],
]

# No value, whatever the header says about tags; in hexadecimal.
BAD = [
    "", "c1", "c0c0", "91", "9290", "81", "8100", "cc", "cd00", "ce000000", "cf00", "ca00", "cb00", "a1", "d9", "d901",
    "da0001", "c401", "c5", "c50001", "dc", "dc0001", "de0001", "dd00000001", "ddffffffff", "dfffffffff", "dbffffffff",
    "c6ffffffff", "a1ff", "a2c328", "db00010000" + "61" * 65536, "c600010000" + "61" * 65536, "81900000", "8191c000c0",
    "81c0", "8180c0", "81c7000100", "d4ff00", "d6ff00000000", "d7ff0000000000000000", "c70cff" + "00" * 12, "c700ff",
    "c70001", "92c00191c70001" + "c70001", "92c0c70001", "81a161c70001", "d40100", "c7007f", "d48000", "c70021",
    "c8ffff", "92c70002" + "90", "92c7000280", "93c70002" + "9291c70002" + "00",
    "92c7000400", "93c700049000", "91c70005", "93c700050000", "91c70006", "94c7000600a14100" + "00", "94c7000603a14100",
    "95c7000600a1410001", "96c7000601a14102a17801", "96c7000600a14100c001", "94c70007010200", "94c70007a0a0a0",
    "93c7000701", "93c700090100", "93c7000901ff", "93c70009cb000000000000000001", "91c7000a", "92c7000ac0",
    "93c7000bff" + "a0", "93c7000b01c0", "93c7000c01ff", "91c7000d", "96c7000da5617272617961a23c69049101c403010000",
    "d4200000000000", "c7052000" + "00000000", "c82003" + "21" + "00" * 8195, "d52400", "d52500", "d625000000" "00",
    "d6250000ff01", "c70c2407e8021d0102030000000404", "c70c2407e8021e0102030000000400", "d7267f02030000000400",
    "c70c27ffffffff0001518000000004", "d7287fffffffffffffff", "d52831" + "32", "c70029", "d42978", "d62930303030",
    "c708291e" + b"1E99999".hex(), "d42a00", "c7002b", "d42b04", "d52b00ff", "c72c00",
]


def equal(one: "Any", other: "Any") -> "bool":
    """Equality of value and type, in depth as far as the table needs it."""
    return type(one) is type(other) and bool(one == other) and (not isinstance(one, dict)
                                                                or [*map(type, one)] == [*map(type, other)])


def check(codec: "Any") -> "int":
    """Hold a codec against the tables; AssertionError names the line that does not hold."""
    count = 0
    for value, text in SAME:
        encoded = codec.encode(value)
        assert encoded.data.hex() == text, (value, encoded.data.hex()[:200])
        assert encoded.blobs == [], value
        for tagged in {encoded.tagged, True}:
            assert equal(codec.decode(encoded.data, (), tagged), value), value
        count += 1
    for value, arrived in OTHERWISE:
        encoded = codec.encode(value)
        assert equal(codec.decode(encoded.data, encoded.blobs, encoded.tagged), arrived), value
        try:
            codec.encode(value, None, True)
        except EncodeError:
            count += 1
        else:
            raise AssertionError("strict_types let %r pass" % (value,))
    for value in ONE_LINERS:
        encoded = codec.encode(value)
        arrived = codec.decode(encoded.data, encoded.blobs, encoded.tagged)
        assert list(arrived) == list(value), value
        count += 1
    for text in BAD:
        for tagged in (False, True):
            try:
                made = codec.decode(bytes.fromhex(text), (), tagged)
            except DecodeError:
                count += 1
            else:
                raise AssertionError("%s became %r" % (text[:80], made))
    return count


if __name__ == "__main__":
    print(check(codec), "lines hold in", sys.version.split()[0])
