"""Modules from memory: the first kernel module to run, executed by stage 0 when there is nothing else yet.

Lookup order on a child, for every import:

1. the kernel's own modules, from memory, whatever the target has installed under their names;
2. the target's standard library: built in, frozen, or on the path the interpreter started with;
3. `fallback`, the importer: the parent, and what else the target has installed.

Its file name is a label below `ROOT`, where no file can be: none of the target must pass for its source.
"""

import marshal
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, PathFinder, SourceLoader
from _imp import acquire_lock, release_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

    Fallback = Callable[[str, Optional[Sequence[str]]], Optional[ModuleSpec]]

ROOT = "/proc/remotesvc:/"
"""How labels begin, and the path entries of packages that are no files of the target: paths that no file can have."""


def label_of(name: "str", is_pkg: "bool") -> "str":
    """The label of a module: its ``__file__``, and what tracebacks show."""
    return ROOT + name.replace(".", "/") + ("/__init__.py" if is_pkg else ".py")


def spec_for(name: "str", loader: "SourceLoader", label: "str", is_pkg: "bool") -> "ModuleSpec":
    """A spec with which a module gets its ``__file__`` and ``__path__`` from its label."""
    spec = ModuleSpec(name, loader, origin=label, is_package=is_pkg)  # type: ignore[arg-type]
    spec.has_location = True
    if is_pkg:
        spec.submodule_search_locations = [label.rpartition("/")[0]]
    return spec


def from_parent(path: "Optional[Sequence[str]]") -> "bool":
    """Is this ``__path__`` that of a package from memory or from the parent?"""
    return path is not None and any(str(entry).startswith(ROOT) for entry in path)


class Unlocked(object):
    """Gives back Python's global import lock, which this thread may hold several times, while inside."""

    def __enter__(self) -> "None":
        self.depth = 0
        try:
            while True:
                release_lock()
                self.depth += 1
        except RuntimeError:  # not held (any more)
            pass

    def __exit__(self, *exc: "object") -> "None":
        for _ in range(self.depth):
            acquire_lock()


class MemoryFinder(SourceLoader):
    """Finder and loader of modules whose sources are in memory, first in ``sys.meta_path``.

    `sources`      full name -> (is it a package, source); a child hands these to its own children
    `codes`        full name -> marshalled code, where some came that is for this Python
    `fallback`     asked for what neither memory nor the target's standard library has; None until set
    `watched`      full name -> what to call with it, once, when that module has been imported
    `stdlib_path`  where the target's standard library lies
    """

    def __init__(self, stdlib_path: "List[str]") -> "None":
        self.sources: "Dict[str, Tuple[bool, bytes]]" = {}
        self.codes: "Dict[str, bytes]" = {}
        self.fallback: "Optional[Fallback]" = None
        self.watched: "Dict[str, Callable[[str], object]]" = {}
        self.stdlib_path = stdlib_path

    def add(self, text: "bytes") -> "None":
        """Take the modules of a bundle: lines ``name kind size``, an empty line, the contents. The kind is the magic
        number of bytecode, or 1 for the source of a package, 0 for that of another module.
        """
        listing = text.partition(b"\n\n")[0].decode()
        end = len(listing) + 2
        for line in listing.split("\n"):
            name, kind, size = line.split()
            data = text[end:end + int(size)]
            end += int(size)
            if kind in "01":
                self.sources[name] = kind == "1", data
            elif kind == MAGIC_NUMBER.hex():
                self.codes[name] = data

    def get_code(self, fullname: "str") -> "Any":
        """The code of a module, compiled if need be; ImportError if it is not in memory."""
        code = self.codes.get(fullname)
        return marshal.loads(code) if code else super().get_code(fullname)

    def find_spec(
        self, fullname: "str", path: "Optional[Sequence[str]]" = None, target: "object" = None
    ) -> "Optional[ModuleSpec]":
        if fullname in self.sources:
            return spec_for(fullname, self, self.get_filename(fullname), self.sources[fullname][0])
        spec = None if from_parent(path) else self.stdlib_spec(fullname, path)
        if spec is None and self.fallback is not None:
            with Unlocked():  # it may wait, for the parent or for another thread that imports something
                spec = self.fallback(fullname, path)
        if spec is not None and fullname in self.watched:
            self._watch(spec)
        return spec

    def _watch(self, spec: "Any") -> "None":
        execute = spec.loader.exec_module

        def exec_module(module: "object") -> "None":
            execute(module)
            told = self.watched.pop(spec.name, None)
            if told is not None:
                told(spec.name)

        spec.loader.exec_module = exec_module

    def stdlib_spec(self, fullname: "str", path: "Optional[Sequence[str]]" = None) -> "Optional[ModuleSpec]":
        """What the target's standard library has under a name, or a package of the target in its ``path``.

        A directory without ``__init__.py`` is none: it may be all that is left of a package removed.
        """
        for finder in (BuiltinImporter, FrozenImporter, PathFinder):
            where = self.stdlib_path if path is None and finder is PathFinder else path
            spec = finder.find_spec(fullname, where)
            if spec is not None and spec.loader is not None:
                return spec
        return None

    def get_filename(self, fullname: "str") -> "str":
        """The label of a module; ImportError if its source is not in memory."""
        if fullname not in self.sources:
            raise ImportError("%s is not in memory" % fullname, name=fullname)
        return label_of(fullname, self.sources[fullname][0])

    def get_data(self, path: "str") -> "bytes":
        """The source behind a label; OSError if there is none."""
        for name in self.sources:
            if path == self.get_filename(name):
                return self.sources[name][1]
        raise OSError("%s is not in memory" % path)


def install(text: "bytes") -> "MemoryFinder":
    """Make the modules of a bundle importable, before any other of their names; called once by stage 0."""
    finder = MemoryFinder(list(sys.path))
    finder.add(text)
    sys.meta_path.insert(0, finder)
    # This module, which stage 0 executed by hand, becomes one like the others.
    spec = spec_for(__name__, finder, finder.get_filename(__name__), False)
    globals().update(__spec__=spec, __loader__=finder, __file__=spec.origin, __package__=spec.parent)
    return finder
