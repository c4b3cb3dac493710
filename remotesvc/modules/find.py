"""Where a module is, found without importing anything: not the module, and not its parents.

`importlib.util.find_spec("a.b")` imports ``a``. Here the parents are walked by hand: the finder of each path
entry is asked for a spec, and the directories in that spec are where the next part is looked for.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.machinery import ModuleSpec
from typing import Any

import remotesvc
import remotesvc.bootstrap

from .directories import modules_in
from .distributions import Distribution, Distributions
from .found import Found, is_own
from .specs import content_of, modified_of, spec_in
from .standins import STAND_INS, stand_in

# Of the finders on sys.meta_path only those of editable installs are asked; the modules of all that make them are
# named so. Others do more than finding: some import what they are asked for, some remember every name, and the
# names asked for are made up by children.
_ASKED = "editable"

# Namespace packages from before Python knew any: pkgutil's, which say so in a line with their path, and those of
# pkg_resources.
_EXTEND = re.compile(rb"\bextend_path\b")
_DECLARE = re.compile(rb"\bdeclare_namespace\b")


class Finder:
    """Finds modules for one router. What it has found once it never looks at again.

    path: directories to search before ``sys.path``.
    """

    def __init__(self, path: Iterable[str] = ()) -> None:
        self._path = [os.path.abspath(entry) for entry in path]
        self._stdlib = _stdlib_directories()
        self._distributions = Distributions()
        self._found: dict[str, Found] = {}
        self._submodules: dict[str, tuple[str, ...]] = {}
        self._lock = threading.RLock()

    def locate(self, name: str) -> Found | None:
        """What there is under a full name; None if nothing. Only what exists is remembered."""
        with self._lock:
            found = self._found.get(name)
            if found is None:
                found = self._search(name)
                if found is not None:
                    self._found[name] = found
            return found

    def submodules(self, found: Found) -> tuple[str, ...]:
        """The names of all modules in a package; see `modules_in`."""
        with self._lock:
            names = self._submodules.get(found.name)
            if names is None:
                unique = {name for directory in found.directories for name in modules_in(directory)}
                if not found.own and not found.stdlib:
                    unique |= _mapped_below(found.name)
                if not found.directories:
                    unique |= _made_below(found.name)
                names = self._submodules[found.name] = tuple(sorted(unique))
            return names

    def distribution(self, name: str) -> Distribution | None:
        """The installed distribution of a name, an editable one too; None if there is none."""
        with self._lock:
            return self._distributions.named(name, self._entries())

    def editable(self) -> list[Distribution]:
        """The installed distributions that only point at a checkout."""
        with self._lock:
            return self._distributions.editable(self._entries())

    def parts(self, owner: Distribution, names: Iterable[str]) -> set[str]:
        """The top-level packages and modules of an editable distribution among modules that were found: what it lists,
        which as a rule is nothing, and what lies in its checkout."""
        parts: set[str] = set()
        below = owner.checkout and owner.checkout.rstrip(os.sep) + os.sep
        for name in names if owner.editable else ():
            top, found = name.partition(".")[0], self._found.get(name)
            places = (found.origin, *found.directories) if found is not None else ()
            if top in owner.tops or (below and any(place and place.startswith(below) for place in places)):
                parts.add(top)
        return parts

    @cached_property
    def hidden(self) -> dict[str, str]:
        """Names of the standard library that stand for other files here, which come before it on the path, with these.
        Targets have the standard library's."""
        hidden: dict[str, str] = {}
        taken = sys.stdlib_module_names - set(sys.builtin_module_names)  # nothing comes before the latter
        for entry in self._entries():
            if entry in self._stdlib:
                break
            try:
                items = os.listdir(entry)
            except OSError:
                continue
            for item in taken & {each.partition(".")[0] for each in items}:
                path = os.path.join(entry, item)
                files = [path + ".py", os.path.join(path, "__init__.py")]
                hidden.update((item, file) for file in files if item not in hidden and os.path.isfile(file))
        return hidden

    def add(self, found: Found) -> None:
        """Take in what no finder can find: the program's own script."""
        with self._lock:
            self._found.setdefault(found.name, found)

    def snapshot(self, name: str) -> Found | None:
        """What was found before under a name; does not search."""
        return self._found.get(name)

    def _search(self, name: str) -> Found | None:
        for package in (
            remotesvc,
            remotesvc.bootstrap,
        ):  # wherever these are, the children must have the same
            if name == package.__name__:
                return self._found_in(name, [os.path.dirname(entry) for entry in package.__path__], None)
        parent, _, tail = name.rpartition(".")
        if parent:
            above = self.locate(parent)
            if above is None or not above.is_pkg:
                return None
            found = self._found_in(name, above.directories, above)
            if found is None and not above.own and not above.stdlib:
                found = self._ask_finders(name)
            return found or self._loaded(name)
        if tail in STAND_INS:
            source, origin = stand_in(tail)
            return Found(name, "source", source=source, origin=origin, stdlib=True, modified=modified_of(origin))
        if tail in sys.builtin_module_names:
            return Found(name, "builtin", stdlib=True)
        if tail in sys.stdlib_module_names:
            return self._found_in(name, self._stdlib, None)
        return self._found_in(name, self._entries(), None) or self._ask_finders(name) or self._loaded(name)

    def _entries(self) -> list[str]:
        return [*self._path, *filter(None, (entry or _working_directory() for entry in _sys_path()))]

    def _found_in(self, name: str, entries: Sequence[str], above: Found | None) -> Found | None:
        """The first module of a name in these directories, or the namespace package they make up together."""
        portions: list[str] = []
        first = None
        for number, entry in enumerate(entries):
            spec = spec_in(name, entry)
            if spec is None:
                continue
            if spec.loader is not None:
                found = self._describe(name, spec, entry, above)
                return _extended(found, entries[number + 1 :]) if found.is_pkg else found
            portions += spec.submodule_search_locations or ()
            first = first or entry
        if not portions:
            return None
        stdlib = above is not None and above.stdlib
        # One directory of the user's own among those of installed distributions makes it the user's.
        roots = [self._path_entry(portion, first) for portion in portions]
        owner = above.distribution if above is not None else None
        installed = all(map(is_site, roots))
        return Found(name, "namespace", True, b"", None, tuple(portions), first, stdlib, owner, installed)

    def _ask_finders(self, name: str) -> Found | None:
        """What a finder of an editable install knows under a name: parts may lie elsewhere than their package."""
        for finder, _ in _editable_finders():
            try:
                spec = finder.find_spec(name, None, None)
            except Exception:  # someone else's code, asked for a name that a child made up
                continue
            if spec is not None and spec.loader is not None:
                return self._describe(name, spec, None, None)
            if spec is not None and spec.submodule_search_locations:
                return Found(name, "namespace", True, directories=tuple(spec.submodule_search_locations))
        return None

    def _loaded(self, name: str) -> Found | None:
        """A module that this program has made in memory, if its loader gives the source."""
        spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
        if spec is None or spec.loader is None or spec.name != name or name == "__main__":
            return None
        found = self._describe(name, spec, None, None)
        return found if found.kind == "source" else None

    def _describe(self, name: str, spec: ModuleSpec, entry: str | None, above: Found | None) -> Found:
        kind, origin, source, modified = content_of(spec)
        root = self._path_entry(origin, entry)
        stdlib = above.stdlib if above is not None else self._is_stdlib(name, origin)
        owner = None
        if origin is not None and root is not None and not stdlib and not is_own(name):
            owner = self._distributions.owner(origin, root)
        is_pkg = spec.submodule_search_locations is not None
        directories = tuple(spec.submodule_search_locations or ())
        return Found(name, kind, is_pkg, source, origin, directories, root, stdlib, owner, modified=modified)

    def _path_entry(self, origin: str | None, entry: str | None) -> str | None:
        """The deepest path entry that a file lies under; None for one that only a finder knew."""
        if origin is None:
            return entry
        roots = [root.rstrip(os.sep) for root in (*self._path, *_sys_path()) if root]
        return max((root for root in roots if origin.startswith(root + os.sep)), key=len, default=entry)

    def _is_stdlib(self, name: str, origin: str | None) -> bool:
        if name in sys.stdlib_module_names:
            return True
        return origin is not None and os.path.dirname(origin) in self._stdlib


def _extended(found: Found, entries: Sequence[str]) -> Found:
    """A package that adds to its path what has its name in the other path entries, as `pkgutil.extend_path` does it."""
    lines = found.source.split(b"\n") if b"extend_path" in found.source else ()
    if not any(_EXTEND.search(line.partition(b"__path__")[2]) for line in lines) and not _DECLARE.search(found.source):
        return found
    specs = [spec_in(found.name, entry) for entry in entries]
    more = [place for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]
    return replace(found, directories=tuple(dict.fromkeys([*found.directories, *more])))


def _editable_finders() -> list[tuple[Any, str]]:
    """The finders of editable installs, each with the name of the module that has it."""
    kinds = [(finder, finder if isinstance(finder, type) else type(finder)) for finder in list(sys.meta_path)]
    asked = [(finder, kind.__module__) for finder, kind in kinds if _ASKED in kind.__module__]
    return [(finder, module) for finder, module in asked if hasattr(finder, "find_spec")]


def _mapped_below(package: str) -> set[str]:
    """The parts of a package that the finder of an editable install has mapped to paths of their own: setuptools has
    such names in ``MAPPING``, scikit-build-core those of files in the checkout and of files that were built."""
    names: set[str] = set()
    for finder, module in _editable_finders():
        tables = [getattr(sys.modules.get(module), "MAPPING", None)]
        tables += [getattr(finder, table, None) for table in ("known_source_files", "known_wheel_files")]
        for name, path in (pair for table in tables if isinstance(table, dict) for pair in table.items()):
            above, _, tail = str(name).rpartition(".")
            if above == package:
                is_pkg = os.path.isdir(path) or os.path.basename(path).startswith("__init__.")
                names.add(tail + "/" * is_pkg)
    return names


def _made_below(package: str) -> set[str]:
    """The parts that this program has of a package which it made in memory."""
    parts = [(*name.rpartition("."), module) for name, module in list(sys.modules.items())]
    return {tail + "/" * hasattr(module, "__path__") for above, _, tail, module in parts if above == package}


def is_site(directory: str | None) -> bool:
    """Whether a path entry is one that distributions are installed into."""
    return directory is not None and directory.endswith("-packages")


def _stdlib_directories() -> list[str]:
    pure = os.path.dirname(os.__file__)
    return [pure, *(entry for entry in _sys_path() if os.path.basename(entry) == "lib-dynload")]


def _sys_path() -> list[str]:
    """What Python looks at of ``sys.path``, where a program may put anything: Python passes over a `pathlib.Path`."""
    return [entry for entry in sys.path if isinstance(entry, str)]


def _working_directory() -> str:
    """What "" in sys.path stands for; "" itself if it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
