"""Code objects of modules: from ``__pycache__``, where the interpreter has them ready, else compiled once."""

from __future__ import annotations

import _imp
import importlib.util
import marshal
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.machinery import SourceFileLoader
from types import CodeType

import remotesvc
from remotesvc.bootstrap.finder import label_of
from remotesvc.bootstrap.imports.modules import MAIN

from .found import Found

MAGIC = importlib.util.MAGIC_NUMBER

# What the compiler says of expressions that are nested too deeply for it.
_TOO_MUCH = (RecursionError, MemoryError, OverflowError)


class Codes:
    """The code of one router's modules, as this interpreter compiles it.

    compiled: how many modules had no usable bytecode in ``__pycache__``.
    """

    def __init__(self) -> None:
        self.compiled = 0
        self._compiled: dict[str, bytes] = {}

    def code(self, found: Found) -> CodeType | None:
        """The code of a module with source; None if it is not valid here."""
        if found.kind != "source":
            return None
        known = self._compiled.get(found.name)
        code = _cached(found) if known is None else marshal.loads(known)
        if code is None:
            try:
                # Whatever this Python was started with: others want asserts and docstrings.
                code = compile(found.source, found.origin or found.name, "exec", dont_inherit=True, optimize=0)
                self._compiled[found.name] = marshal.dumps(code)
            except (SyntaxError, ValueError, *_TOO_MUCH):
                return None  # whoever imports it will be told
            self.compiled += 1
        return code

    def marshalled(self, found: Found, label: str) -> bytes | None:
        """The code of a module for others, with a label in place of its path; None if it is not valid here."""
        known = self._compiled.get(found.name)
        return _labelled(known or _cached_data(found), found.origin or "", label, lambda: self.code(found))


def kernel_codes(sources: Mapping[str, tuple[bool, bytes]]) -> dict[str, bytes]:
    """The code of kernel modules, with their labels. It writes to ``__pycache__`` what an import would. Of a zip
    archive there is none: to compile them each time would take longer than whoever gets the source takes."""
    top, codes = os.path.dirname(remotesvc.__path__[0]), {}
    if not os.path.isdir(top):
        return {}
    for name, (is_pkg, source) in sources.items():
        path, label = os.path.join(top, *name.split("."), *["__init__"] * is_pkg) + ".py", label_of(name, is_pkg)
        data = _cached_data(Found(name, "source", is_pkg, source, path, modified=int(os.stat(path).st_mtime)))
        code = _labelled(data, path, label, partial(SourceFileLoader(name, path).get_code, name))
        if code is not None:
            codes[name] = code
    return codes


def _labelled(data: bytes | None, origin: str, label: str, make: Callable[[], CodeType | None]) -> bytes | None:
    """Marshalled code with a label for its path: made from ``data`` where that is possible, else from ``make()``."""
    relabelled = _relabelled(data, origin, label) if data is not None else None
    if relabelled is not None:
        return relabelled
    code = make()
    if code is None:
        return None
    # What importlib does to bytecode that was moved; the nested code objects included.
    _imp._fix_co_filename(code, label)  # type: ignore[attr-defined]
    return marshal.dumps(code)


def _relabelled(data: bytes, origin: str, label: str) -> bytes | None:
    """Marshalled code with another file name, without unmarshalling; None where that is not plainly possible.

    The name stands there once, as a short ASCII string: its type, its length in one byte, itself. All code objects
    refer to that one, and nothing in the format counts bytes.
    """
    if not (origin.isascii() and label.isascii()):
        return None
    path, new = origin.encode(), label.encode()
    at = data.find(path)
    plain = 0 < len(path) < 256 and len(new) < 256
    if not plain or at < 2 or data.find(path, at + 1) >= 0 or data[at - 1] != len(path):
        return None
    if data[at - 2] & 0x7F not in b"zZ":
        return None
    return data[: at - 1] + bytes([len(new)]) + new + data[at + len(path) :]


def _cached(found: Found) -> CodeType | None:
    """The code in ``__pycache__``, if it belongs to the source found."""
    data = _cached_data(found)
    try:
        code = None if data is None else marshal.loads(data)  # what Python itself would load for this file
    except (ValueError, EOFError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None


def _cached_data(found: Found) -> bytes | None:
    """What Python itself would unmarshal for this file, were it not told to optimize; None if it would compile it."""
    if found.origin is None or found.modified is None or found.name == MAIN:
        return None
    try:
        with open(importlib.util.cache_from_source(found.origin, optimization=""), "rb") as file:
            data = file.read()
    except (OSError, NotImplementedError):
        return None
    flags = int.from_bytes(data[4:8], "little")
    current = (found.modified & 0xFFFFFFFF, len(found.source))
    written = (int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little"))
    return data[16:] if data[:4] == MAGIC and flags == 0 and current == written else None
