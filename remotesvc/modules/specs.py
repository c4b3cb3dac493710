"""What a spec of Python's import system leads to: the finder's answer, read without loading anything."""

from __future__ import annotations

import os
import pkgutil
import re
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from typing import Any, NamedTuple

from .found import Kind

_COOKIE = re.compile("coding[:=]")


class Content(NamedTuple):
    """A module as its file, or its loader, has it; see `Found`."""

    kind: Kind
    origin: str | None
    source: bytes
    modified: int | None


def spec_in(name: str, entry: str) -> ModuleSpec | None:
    """What the finder of one path entry has under a name. It looks at the last part of the name only."""
    finder: Any = pkgutil.get_importer(entry)
    if finder is None or not hasattr(finder, "find_spec"):
        return None
    try:
        spec: ModuleSpec | None = finder.find_spec(name)
    except (OSError, ImportError, ValueError):
        return None
    return spec


def content_of(spec: ModuleSpec) -> Content:
    """Of an extension module the source beside it, where there is one: that runs on other machines, too.

    Raises OSError if that source cannot be read.
    """
    origin = spec.origin
    if origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES)):
        beside = os.path.join(os.path.dirname(origin), _stem(origin) + ".py")
        if not os.path.isfile(beside):
            return Content("native", origin, b"", modified_of(origin))
        modified = modified_of(beside)
        return Content("source", beside, _read(beside), modified)
    modified = modified_of(origin)  # before it is read: it may change meanwhile
    source = _source(spec)
    return Content("unreadable" if source is None else "source", origin, source or b"", modified)


def _source(spec: ModuleSpec) -> bytes | None:
    """The source behind a spec as bytes; None if its loader has none."""
    loader: Any = spec.loader
    try:
        if spec.origin is not None and spec.origin.endswith(".py") and hasattr(loader, "get_data"):
            data: bytes = loader.get_data(spec.origin)
            return data
        text: str | None = loader.get_source(spec.name)
        return None if text is None else _encoded(text)
    except (AttributeError, OSError, ImportError):
        return None


def _encoded(text: str) -> bytes:
    """Source that is text already, as UTF-8: a comment in its first two lines that names another encoding has done its
    duty, and must not be obeyed again. In the second line Python looks only if nothing else is in the first."""
    lines = text.split("\n", 2)
    for number, line in enumerate(lines[:2]):
        if line.lstrip(" \t\f").startswith("#"):
            lines[number] = _COOKIE.sub("coding ", line)
        elif line.strip():
            break
    return "\n".join(lines).encode()


def modified_of(path: str | None) -> int | None:
    """When a file was written, in whole seconds, as bytecode has it; None if it is no file."""
    try:
        return None if path is None else int(os.stat(path).st_mtime)
    except OSError:
        return None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _stem(path: str) -> str:
    """``md`` of ``/x/md.cpython-311-x86_64-linux-gnu.so``."""
    return os.path.basename(path).partition(".")[0]
