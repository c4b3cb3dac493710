"""Which modules lie in a directory."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES

from remotesvc.bootstrap.imports.modules import is_part


def modules_in(directory: str) -> Iterator[str]:
    """The modules directly in one directory, or in one directory of a zip archive: packages with a slash behind,
    directories of data with two, which can be imported, too, but are not listed by Python."""
    try:
        with os.scandir(directory) as scan:
            items = list(scan)
    except OSError:
        yield from (name + "/" * is_pkg for _, name, is_pkg in pkgutil.iter_modules([directory]))
        return
    for item in items:
        stem = item.name.partition(".")[0]
        if not is_part(stem) or stem in ("__init__", "__pycache__"):
            continue
        if leads_to(item.is_dir):
            if stem == item.name:
                yield stem + ("/" if _holds_modules(item.path) else "//")
        elif item.name == stem + ".py" or item.name[len(stem) :] in EXTENSION_SUFFIXES:
            yield stem


def _holds_modules(directory: str) -> bool:
    """Whether a directory can be imported as a package; with or without ``__init__.py``."""
    try:
        with os.scandir(directory) as items:
            return any(item.name.endswith((".py", *EXTENSION_SUFFIXES)) or _is_part(item) for item in items)
    except OSError:
        return False


def _is_part(item: os.DirEntry[str]) -> bool:
    return item.name.isidentifier() and item.name != "__pycache__" and leads_to(item.is_dir)


def leads_to(kind: Callable[[], bool]) -> bool:
    """Whether a directory entry is, or is a link to, something of a kind. What leads in a circle, or where nobody may
    look, is nothing: Python says that it is missing, too."""
    try:
        return kind()
    except OSError:
        return False
