"""The proof that bytes of a peer reach no loader, no import of their choosing and no method of a user's class."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import importlib
import marshal
import pickle
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap import finder
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.data.record import type_name
from remotesvc.bootstrap.errors import DecodeError
from remotesvc.bootstrap.failures import callerror
from tests.imports import imports_of
from tests.unit import codec_table
from tests.zones import package_modules, within

MODULES = package_modules()
both = pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])
# What the decoder may import, all of it named in its source.
ALLOWED = {"struct", "sys", "os", "itertools", "builtins", "datetime", "decimal", "uuid", "fractions", "pathlib",
    "array",
           "enum", "dataclasses", "msgpack", "typing", "collections.abc", "linecache", "__future__"}
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__", "pickle", "marshal", "import_module", "loads", "find_class",
                   "copyreg", "runpy", "shelve", "breakpoint", "execfile", "globals"}
KERNEL = "remotesvc.bootstrap"


def _imports(module: str, path: Path) -> Iterator[str]:
    """What a file imports, at any depth in it: modules of the kernel, and others."""
    for found in imports_of(module, path):
        if found.typing_only:
            continue
        below = [f"{found.target}.{name}" for name in found.names]
        modules = [name for name in below if name in MODULES]
        yield from modules or [found.target]


def _decoder_files() -> dict[str, Path]:
    """Every file that code on the way of a received value can come to."""
    files: dict[str, Path] = {}
    wanted = ["remotesvc.fastcodec", f"{KERNEL}.data.codec"]
    while wanted:
        name = wanted.pop()
        if name not in files:
            files[name] = MODULES[name]
            wanted.extend(other for other in _imports(name, MODULES[name]) if within(other, KERNEL))
    return files


def test_labels_begin_alike_where_the_finder_must_not_be_imported() -> None:
    assert callerror.ROOT == finder.ROOT


def test_import_graph() -> None:
    files = _decoder_files()
    data = {"unpack", "resolve", "guard", "leaves", "arrays", "classes", "record", "secret"}
    assert {f"{KERNEL}.failures.rebuild", *(f"{KERNEL}.data.{name}" for name in data)} <= set(files)
    for name, path in files.items():
        foreign = {other for other in _imports(name, path) if not within(other, KERNEL)}
        assert foreign <= ALLOWED, (name, foreign - ALLOWED)


def test_names_in_the_source() -> None:
    for name, path in _decoder_files().items():
        used = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
        assert not used & FORBIDDEN_NAMES, (name, used & FORBIDDEN_NAMES)


def _messages() -> Iterator[bytes]:
    chosen = random.Random(7)
    whole = [bytes.fromhex(text) for _, text in codec_table.SAME if len(text) < 2000]
    whole += [bytes.fromhex(text) for text in codec_table.BAD if len(text) < 2000]
    whole += [codec.encode(value).data for value in codec_table.ONE_LINERS]
    whole += [codec.encode(error).data for error in (ValueError("x"), KeyError(1), OSError(2, "no", "/x"))]
    yield from whole
    for _ in range(4000):
        message = bytearray(chosen.choice(whole) or b"\xc0")
        for _ in range(chosen.randrange(1, 4)):
            message[chosen.randrange(len(message))] = chosen.randrange(256)
        yield bytes(message)
        yield b"\x92" + bytes(message) + chosen.choice(whole)


@both
def test_decoding_loads_nothing(implementation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = list(_messages())
    for message in messages[:200]:  # imports what is imported on first need
        _try(implementation, message)
    reached: list[str] = []

    def trap(name: str) -> Any:
        def sprung(*args: Any, **keywords: Any) -> NoReturn:
            reached.append(name)
            raise AssertionError(name)
        return sprung

    real_import = builtins.__import__

    def watched_import(name: str, *args: Any, **keywords: Any) -> Any:
        if not name.startswith("remotesvc") and name not in ALLOWED and not (args and args[-1]):  # a relative one
            reached.append(f"import {name}")
        return real_import(name, *args, **keywords)

    loaded = set(sys.modules)
    with monkeypatch.context() as patch:
        for module, names in ((pickle, ("load", "loads", "Unpickler", "_Unpickler")), (marshal, ("load", "loads")),
                              (importlib, ("import_module",)), (builtins, ("eval", "exec", "compile", "open",
                              "input"))):
            for name in names:
                patch.setattr(module, name, trap(f"{module.__name__}.{name}"))
        patch.setattr(builtins, "__import__", watched_import)
        for message in messages:
            _try(implementation, message)
    assert reached == []
    assert set(sys.modules) - loaded == set()


def _try(implementation: ModuleType, message: bytes) -> None:
    for tagged in (True, False):
        try:
            implementation.decode(message, (), tagged)
        except DecodeError:
            pass


_ran: list[str] = []


def _hook(name: str) -> Any:
    def hook(*args: Any, **keywords: Any) -> Any:
        _ran.append(name)
        raise AssertionError(name)
    return hook


_HOOKS = ("__init__", "__post_init__", "__setattr__", "__setstate__", "__reduce__", "__reduce_ex__", "__getattribute__",
          "__del__", "__hash__", "__eq__", "__getattr__", "__set_name__", "__call__", "__len__", "__iter__", "__bool__")


def _rigged() -> dict[str, type]:
    """Registered classes with every hook an unpickler or a constructor would run."""

    @dataclasses.dataclass
    class Data:
        x: int

    class Tuple(tuple):  # type: ignore[type-arg]
        _fields = ("x",)

    class Choice(enum.Enum):
        A = 1

        @classmethod
        def _missing_(cls, value: object) -> NoReturn:
            raise _hook("_missing_")()

    class Flags(enum.Flag):
        A = 1
        B = 2

        @classmethod
        def _missing_(cls, value: object) -> NoReturn:
            raise _hook("_missing_")()

    class Slots:
        __slots__ = ("x",)
        __dataclass_fields__ = Data.__dataclass_fields__

    class Property:
        __dataclass_fields__ = Data.__dataclass_fields__
        x = property(_hook("get"), _hook("set"))

    for cls in (Data, Tuple, Slots, Property):
        for name in (*_HOOKS, "__new__"):
            setattr(cls, name, _hook(name))
    return {"m." + cls.__name__: cls for cls in (Data, Tuple, Choice, Flags, Slots, Property)}


RECORDS = {
    "made": [[0, "m.Data", 0, "x", 1], [1, "m.Tuple", 1, "x", 1], [2, "m.Choice", 0, "name", "A", "value", 1],
             [0, "m.Slots", 0, "x", 1]],
    "refused": [[2, "m.Choice", 0, "name", "Z", "value", 9], [2, "m.Flags", 0, "name", None, "value", 3],
                [2, "m.Flags", 0, "name", "A|B", "value", 3], [0, "m.Property", 0, "x", 1], [0, "m.Data", 0, "y", 1]],
}


@both
@pytest.mark.parametrize("expected", RECORDS)
@pytest.mark.parametrize("wrap", [b"", b"\x91", b"\x81\xa1k", b"\x92\xc7\x00\x01", b"\x92\xc7\x00\x05"])
def test_no_method_of_a_users_class_runs(implementation: ModuleType, expected: str, wrap: bytes) -> None:
    bindings = Bindings(_rigged())
    for items in RECORDS[expected]:
        data = wrap + codec.encode([None, *items]).data.replace(b"\xc0", b"\xc7\x00\x06", 1)
        _ran.clear()
        try:
            made = implementation.decode(data, (), True, bindings)
        except DecodeError:
            made = DecodeError
        assert _ran == [], items
        assert (made is DecodeError) == (expected == "refused"), items
        if type(made) is bindings.classes.get("m.Data"):
            assert object.__getattribute__(made, "__dict__") == {"x": 1}
        for cls in bindings.classes.values():
            if "__del__" in vars(cls):
                del cls.__del__  # type: ignore[attr-defined]  # runs when the object goes, which is not decoding


@both
@pytest.mark.parametrize("items", [RECORDS["made"][0], RECORDS["made"][1], RECORDS["made"][3]])
def test_no_users_hash_runs_for_keys_and_elements(implementation: ModuleType, items: list[Any]) -> None:
    bindings = Bindings(_rigged())
    record = codec.encode([None, *items]).data.replace(b"\xc0", b"\xc7\x00\x06", 1)
    for cls in bindings.classes.values():
        if "__del__" in vars(cls):
            del cls.__del__  # type: ignore[attr-defined]
    for inner in (record, b"\x92\xc7\x00\x01" + record, b"\x96\xc7\x00\x06\x01\xa1t\x01\xa1f" + record):
        for data in (b"\x92\xc7\x00\x02" + inner, b"\x92\xc7\x00\x03" + inner, b"\x93\xc7\x00\x04" + inner + b"\xc0"):
            _ran.clear()
            with pytest.raises(DecodeError):
                implementation.decode(data, (), True, bindings)
            assert _ran == []


def test_type_names() -> None:
    assert (type_name(int), type_name(Bindings)) == ("int", "remotesvc.bootstrap.data.codec.Bindings")
