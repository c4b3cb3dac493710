"""Data from a peer that wants to do harm."""

import random
import sys

from remotesvc.bootstrap.errors import DecodeError
from remotesvc.bootstrap.failures import describe as limits
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, rebuild
from tests.failures.common import builtin_classes, raised, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def case_not_a_description() -> None:
    for data in (None, 7, "x", [], b"", {}, {"type": None}, {"type": b"x"}, {"message": "x"}, object()):
        try:
            rebuild(data)
        except DecodeError:
            continue
        raise AssertionError(data)
    assert type(usable(rebuild({"type": "X"}))) is CallError


def case_bad_values_everywhere() -> None:
    bad: list[Any] = [
        None, 0, -1, 1 << 70000, 1.5, True, "x", "x" * 200000, b"x", [], [[]], [None] * 1000, {}, {"type": 1},
        {1: 2, None: 3, "a b": 1, "__class__": 2, "args": 5}, (), [["f", "line", 3, 4], 7, ["f", -5], []],
        ["SystemExit", "object", "type", "int", "Exception", "BaseException", "StopIteration"],
        ["ExceptionGroup"], ["BaseExceptionGroup", "ExceptionGroup", "Exception"],
        ["OSError", "SyntaxError", "UnicodeDecodeError", "ImportError", "KeyError"], ["KeyError"] * 100,
    ]  # fmt: skip
    start = describe(raised(OSError(2, "x", "/f")))
    keys = list(start)
    for key in keys:
        for value in bad:
            data = dict(start)
            data[key] = value
            try:
                usable(rebuild(data, "web1"))
            except DecodeError:
                assert key == "type"
    for kind in ("OSError", "SyntaxError", "UnicodeDecodeError", "UnicodeEncodeError",
                 "UnicodeTranslateError", "ImportError", "NameError", "AttributeError", "Exception"):
        for attribute in (*limits.ATTRIBUTES, "name_from", "obj", "object", "print_file_and_line",
                          "characters_written", "exceptions", "args", "split", "__dict__"):
            for value in [*bad, 65535, (1 << 31) - 1, -(1 << 31), 10 ** 12, "\x1b[2J\n"]:
                data = dict(start, type=kind, mro=[kind])
                data["attrs"] = {"filename": "f", "lineno": 1, "text": "abc\n", "offset": 1, attribute: value}
                usable(rebuild(data, "web1"))


def case_random_data() -> None:
    chance = random.Random(20)
    names = list(builtin_classes()) + ["x.Y", "object", "", "a" * 1000]
    start = list(describe(ValueError("x")))

    def value(depth: int) -> "Any":
        kind = chance.randrange(9 if depth < 4 else 6)
        if kind == 8:
            return {chance.choice(start): value(depth + 1) for _ in range(4)}
        if kind == 7:
            return description(depth + 1)
        if kind == 6:
            return [value(depth + 1) for _ in range(chance.randrange(5))]
        return chance.choice([None, True, 1.5, chance.randrange(-5, 1 << 40), chance.choice(names), b"raw"])

    def description(depth: int) -> "Any":
        data = {key: value(depth) for key in start if chance.random() < 0.8}
        data["type"] = chance.choice(names)
        if chance.random() < 0.7:
            data["mro"] = chance.sample(names, 4)
        if chance.random() < 0.7:
            data["attrs"] = {name: value(9) for name in chance.sample(limits.ATTRIBUTES, 5)}
        if chance.random() < 0.5 and depth < 4:
            data["members"] = [description(depth + 1) for _ in range(chance.randrange(1, 4))]
        return data

    for _ in range(300):
        usable(rebuild(description(0), "web1"))


def case_deep_and_wide_data() -> None:
    for key in ("cause", "context"):
        data: dict[str, Any] = {"type": "E"}
        for _ in range(100000):
            data = {"type": "E", key: data, "members": [data]}
        error = usable(rebuild(data))
        assert len(error.render()) < 1000000
    grouped: Any = {"type": "E"}
    for _ in range(100):
        grouped = {"type": "E", "members": [grouped]}
    error, depth = rebuild(grouped), 0
    while error.members:
        error, depth = error.members[0], depth + 1
    assert depth == limits.GROUPS
    loop: dict[str, Any] = {"type": "E"}
    loop.update(cause=loop, context=loop, members=[loop] * 100)
    usable(rebuild(loop))


def case_a_text_that_grows_when_shown() -> None:
    data: Any = {"type": "E", "message": "\n" * 60000}
    for _ in range(8):
        data = {"type": "E", "message": "\n" * 60000, "members": [data] * 4}
    for _ in range(20):
        data = {"type": "E", "message": "x" * 60000, "notes": ["\n" * 60000] * 3, "cause": data}
    assert len(rebuild(data).render()) < 40 * limits.TOTAL


def case_numbers_that_python_refuses_to_write() -> None:
    number = 1 << 20000
    error = usable(rebuild({"type": "E", "args": [number, 1 << 2000], "message": number, "attrs": {"much": number}}))
    assert error.args == (None, 1 << 2000)
    for shown in repr(error), str(error), error.render():
        assert len(shown) < 1000


def case_printing_imports_nothing() -> None:
    for name in ("colorsys", "xml.sax.saxutils"):
        sys.modules.pop(name, None)
        data = {"type": "ImportError", "mro": ["ImportError"], "message": "x",
                "attrs": {"name": name, "name_from": "yiq_to_rg", "path": "/x"}}
        error = usable(rebuild(data))
        assert isinstance(error, ImportError) and error.name == name
        assert name not in sys.modules


def case_classes_are_not_made_without_bound() -> None:
    from remotesvc.bootstrap.failures import rebuild as failures

    names = [name for name in builtin_classes() if name.endswith(("Warning", "Error"))]
    chance = random.Random(3)
    for _ in range(2000):
        rebuild({"type": "E", "mro": chance.sample(names, 4)})
        assert len(failures._CLASSES) <= failures._CACHED
