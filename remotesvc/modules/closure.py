"""What a call needs, as far as the source tells: what to send with it, and what a child may ask for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .codes import Codes
from .find import Finder, Found
from .scan import Imported, imports_of


@dataclass(frozen=True)
class Closure:
    """names: modules reached, in the order in which they will be imported. missing: imported modules that are not on
    the master, or compiled code there; optional dependencies most often."""

    names: tuple[str, ...]
    missing: tuple[str, ...]


class Scanner:
    """Walks imports; each module's are read once."""

    def __init__(self, finder: Finder, codes: Codes) -> None:
        self.scanned = 0
        self._finder = finder
        self._codes = codes
        self._imports: dict[tuple[str, bool], tuple[Imported, ...]] = {}

    def closure(self, start: str, enter: Callable[[Found], bool], deferred: Callable[[Found], bool]) -> Closure:
        """Everything that importing `start` imports.

        enter: whether a module found is part of the closure. deferred: whether what its functions import
        counts too. The standard library, which the target has, never counts, unless `start` is in it.
        """
        seen: dict[str, None] = {}
        missing: dict[str, None] = {}
        stdlib = start.partition(".")[0] in sys.stdlib_module_names
        stack = list(reversed(list(_lineage(start))))
        while stack:
            name = stack.pop()
            top = name.partition(".")[0]
            if name in seen or name in missing or (top in sys.stdlib_module_names and not stdlib):
                continue
            found = self._finder.locate(name)
            if found is None or found.kind in ("native", "unreadable"):
                missing[name] = None
                continue
            if not enter(found):
                continue
            seen[name] = None
            imports = self.imports(found) + (self.imports(found, True) if deferred(found) else ())
            stack.extend(reversed([each for imported in imports for each in self._names(imported, stdlib)]))
        return Closure(tuple(seen), tuple(missing))

    def imports(self, found: Found, functions: bool = False) -> tuple[Imported, ...]:
        """What one module imports when it is imported, or what its functions import."""
        known = self._imports.get((found.name, functions))
        if known is None:
            known = self._imports[found.name, functions] = imports_of(found, self._codes.code(found), functions)
            self.scanned += not functions
        return known

    def _names(self, imported: Imported, stdlib: bool) -> Iterator[str]:
        """What one import statement imports: parents, the module, and those names that are modules in it."""
        if not stdlib and imported.module.partition(".")[0] in sys.stdlib_module_names:
            return
        yield from _lineage(imported.module)
        if imported.names:
            package = self._finder.locate(imported.module)
            if package is not None and package.is_pkg:
                parts = {name.rstrip("/") for name in self._finder.submodules(package)}
                yield from (f"{imported.module}.{name}" for name in imported.names if name in parts)


class Plans:
    """What goes with a module, and what comes with being called; each worked out once, whoever it is for."""

    def __init__(self, finder: Finder, codes: Codes) -> None:
        self._finder = finder
        self._scanner = Scanner(finder, codes)
        self._closures: dict[tuple[str, bool], Closure] = {}
        self._grants: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    @property
    def scanned(self) -> int:
        """How many modules were scanned so far."""
        return self._scanner.scanned

    def closure(self, name: str, called: bool = False) -> Closure:
        """What to send along with a module: what it imports; of one called, what its functions import too."""
        known = self._closures.get((name, called))
        if known is None:
            start = self._finder.locate(name)
            top = name.partition(".")[0]
            alone = start is not None and (start.stdlib or start.own)

            def enter(found: Found) -> bool:
                return (found.name.partition(".")[0] == top) if alone else not found.own

            known = self._scanner.closure(name, enter, lambda found: called and found.name == name)
            self._closures[name, called] = known
        return known

    def grants(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        """What a child may have of whom a module was called: names of own modules, keys of distributions.

        Own modules: all that it imports, and these in turn, functions included: they run when they are called.
        """
        known = self._grants.get(name)
        if known is None:
            own = self._scanner.closure(name, lambda each: each.first_party, lambda each: each.first_party)
            keys: set[str] = set()
            for reached in {*own.names, *self.closure(name, called=True).names}:
                found = self._finder.locate(reached)
                for module in (each.module for each in self._all_imports(found)):
                    keys |= self._keys(module)
                keys |= self._keys(reached)
            known = self._grants[name] = (frozenset(own.names), frozenset(keys))
        return known

    def _all_imports(self, found: Found | None) -> tuple[Imported, ...]:
        if found is None or not found.first_party:
            return ()
        return self._scanner.imports(found) + self._scanner.imports(found, True)

    def _keys(self, name: str) -> set[str]:
        """The distribution of a module, with all that it requires."""
        if name.partition(".")[0] in sys.stdlib_module_names:
            return set()
        found = self._finder.locate(name)
        owner = found.distribution if found is not None else None
        return owner.with_requirements() if owner is not None else set()


def _lineage(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))
