"""What the user wants called: `module:func`, `module:Class.method`, `path/file.py:func`. And where its
source is.

The module is found the way an import would find it, but nothing is imported and no code of it runs here:
the user's modules belong on the target.
"""

from __future__ import annotations

import ast
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..problems import BadUsage

if TYPE_CHECKING:
    from .typespec import Module

LARGEST = 256 * 1024
"""Bytes of the largest module whose source is searched for classes: more would take over a tenth of a second."""


@dataclass(frozen=True)
class Target:
    """A parsed target: `module:qualname` as the call names it, and the directories that come first to find it."""

    module: str
    qualname: str
    path: tuple[str, ...]

    @property
    def call(self) -> str:
        """The text that `Context.call` takes."""
        return f"{self.module}:{self.qualname}"


@dataclass(frozen=True)
class Source:
    """A module this machine has. `text` is None where there is no Python source (native, namespace package)."""

    module: str
    file: str
    text: bytes | None
    standard: bool = False
    submodules: tuple[str, ...] = ()


def parse_target(text: str, path: tuple[str, ...], what: str = "function", hosts: str | None = None) -> Target:
    """Split the user's text; `path` is --path. BadUsage when it cannot name a function, or a service if that is
    wanted. hosts: the pattern ahead of it, on which it may be a command that is meant."""
    place, colon, qualname = text.rpartition(":")
    if not colon or not place or not qualname:
        name = what.capitalize() if what == "service" else what
        command = f"; a command: remotesvc exec {shlex.join([hosts, '--', text])}" if hosts and not colon else ""
        raise BadUsage(f"{text!r} does not name a {what}: write module:{name} or path/file.py:{name}{command}")
    place = place.removesuffix(":")  # Modal's habit: file.py::func
    if not all(part.isidentifier() for part in qualname.split(".")):
        raise BadUsage(f"{qualname!r} in {text!r} is not the name of a {what}")
    if place.endswith(".py") or "/" in place:
        directory, module = _file_target(place)
        return Target(module, qualname, (directory, *path))
    if not all(part.isidentifier() for part in place.split(".")):
        raise BadUsage(f"{place!r} in {text!r} is neither the name of a module nor a .py file")
    return Target(place, qualname, path)


def _file_target(place: str) -> tuple[str, str]:
    """The import root and the dotted name of a file: packages around it are part of the name."""
    file = Path(place).expanduser()
    if not file.is_file():
        raise BadUsage(f"there is no file {place}")
    if file.suffix != ".py":
        raise BadUsage(f"{place} is not a .py file")
    file = file.absolute()
    names = [] if file.name == "__init__.py" else [file.stem]
    directory = file.parent
    while (directory / "__init__.py").is_file() and directory.name.isidentifier():
        names.insert(0, directory.name)
        directory = directory.parent
    if not all(name.isidentifier() for name in names):
        raise BadUsage(f"{place}: a module that travels needs a name Python can import; {file.stem!r} is none")
    if names[0] in sys.stdlib_module_names and Path(os.__file__).parent not in file.parents:
        raise BadUsage(f"{place} would be imported as {'.'.join(names)}, and {names[0]} is a module of the standard "
                       "library, which targets would run instead; rename yours")
    return str(directory), ".".join(names)


def module_finder(target: Target) -> Callable[[str], Module | None]:
    """What finds other modules for `read_callee`, whose annotations may name classes of theirs."""
    from .typespec import Module

    def find(name: str) -> Module | None:
        source = find_source(Target(name, "", target.path))
        if source is None or source.text is None or len(source.text) > LARGEST:
            return None
        try:
            tree = ast.parse(source.text, source.file)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None  # the target will say so, if it matters
        return Module(name, name if source.submodules else name.rpartition(".")[0], tree)

    return lru_cache(maxsize=None)(find)


def find_source(target: Target) -> Source | None:
    """The module of `target` on this machine, None if only the target may have it. Imports and runs nothing.

    Asks the finder that also answers the targets, so what is checked here is what runs there.
    """
    from remotesvc.modules.find import Finder

    finder = Finder(target.path)
    found = finder.locate(target.module)
    if found is None:
        return None
    return Source(
        module=found.name,
        file=found.origin or found.name,
        text=found.source if found.kind == "source" else None,
        standard=found.stdlib,
        submodules=tuple(name.rstrip("/") for name in finder.submodules(found)) if found.is_pkg else (),
    )
