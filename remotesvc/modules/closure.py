"""What a call needs, as far as the source tells: what to send with it, and what a child may ask for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

from .codes import Codes
from .find import Finder
from .found import Found
from .scan import Imported, imports_of

log = logging.getLogger("remotesvc.modules")


class Closure:
    """Everything that importing a module imports, found one module after the other: what is imported first can be sent,
    and runs, while the rest is still looked for.

    names: modules reached so far, in the order in which they will be imported. coming: all that these import, in the
    order in which it was met; each will be reached. missing: imported modules that are not on the master, or compiled
    code there; optional dependencies most often.
    """

    def __init__(
        self, scanner: Scanner, start: str, enter: Callable[[Found], bool], deferred: Callable[[Found], bool]
    ) -> None:
        self.names: list[str] = []
        self.coming: list[str] = []
        self.missing: dict[str, None] = {}
        self._scanner = scanner
        self._enter = enter
        self._deferred = deferred
        self._stdlib = start.partition(".")[0] in sys.stdlib_module_names
        self._found: dict[str, Found | None] = {}
        self._reached: set[str] = set()
        self._stack: list[str] = []
        self._push(list(lineage(start)))

    def reach(self, count: int) -> bool:
        """Go on until so many modules are reached; False if there are not so many."""
        while len(self.names) < count and self._stack:
            name = self._stack[-1]
            found = self._found[name]
            reached = found is None or name in self._reached
            imports = [] if found is None or reached else self._imported(found)
            self._stack.pop()  # not before all that may fail: then it is tried again
            if not reached:
                self._reached.add(name)
                self.names.append(name)
                self._push(imports)
        return len(self.names) >= count

    def whole(self) -> Closure:
        """Itself, once everything is reached."""
        self.reach(sys.maxsize)
        return self

    def _imported(self, found: Found) -> list[str]:
        imports = self._scanner.imports(found)
        if self._deferred(found):
            imports += self._scanner.imports(found, True)
        return [name for imported in imports for name in self._scanner.names(imported, self._stdlib)]

    def _push(self, names: list[str]) -> None:
        for name in names:
            if name not in self._found:
                self._found[name] = self._look(name)
        self._stack.extend(reversed(names))

    def _look(self, name: str) -> Found | None:
        """What is part of the closure."""
        if name.partition(".")[0] in sys.stdlib_module_names and not self._stdlib:
            return None
        found = self._scanner.finder.locate(name)
        if found is None or found.kind in ("native", "unreadable"):
            self.missing[name] = None
            return None
        if not self._enter(found):
            return None
        self.coming.append(name)
        return found


class Scanner:
    """Walks imports; each module's are read once."""

    def __init__(self, finder: Finder, codes: Codes) -> None:
        self.scanned = 0
        self.finder = finder
        self._codes = codes
        self._imports: dict[tuple[str, bool], tuple[Imported, ...]] = {}
        self._warned: set[str] = set()

    def closure(self, start: str, enter: Callable[[Found], bool], deferred: Callable[[Found], bool]) -> Closure:
        """Everything that importing `start` imports.

        enter: whether a module found is part of the closure. deferred: whether what its functions import
        counts too. The standard library, which the target has, never counts, unless `start` is in it.
        """
        return Closure(self, start, enter, deferred)

    def imports(self, found: Found, functions: bool = False) -> tuple[Imported, ...]:
        """What one module imports when it is imported, or what its functions import."""
        known = self._imports.get((found.name, functions))
        if known is None:
            known = self._imports[found.name, functions] = imports_of(found, self._codes.code(found), functions)
            self.scanned += not functions
            if found.first_party:
                self._warn(found, known)
        return known

    def _warn(self, found: Found, imports: tuple[Imported, ...]) -> None:
        """Tell, once, of each module of the user's own that a target cannot have for its name."""
        for top in {each.module.partition(".")[0] for each in imports} & self.finder.hidden.keys() - self._warned:
            self._warned.add(top)
            log.warning(
                "%s imports %s: here that is %s, on targets it is the standard library's; give yours another name",
                found.name, top, self.finder.hidden[top],
            )  # fmt: skip

    def names(self, imported: Imported, stdlib: bool) -> Iterator[str]:
        """What one import statement imports: parents, the module, and those names that are modules in it."""
        if not stdlib and imported.module.partition(".")[0] in sys.stdlib_module_names:
            return
        yield from lineage(imported.module)
        if imported.names:
            package = self.finder.locate(imported.module)
            if package is not None and package.is_pkg:
                parts = {name.rstrip("/") for name in self.finder.submodules(package)}
                yield from (f"{imported.module}.{name}" for name in imported.names if name in parts)


class Plans:
    """What is sent along with a module, and what a call of it permits; each worked out once, whoever it is for."""

    def __init__(self, finder: Finder, codes: Codes) -> None:
        self._finder = finder
        self._scanner = Scanner(finder, codes)
        self._closures: dict[tuple[str, bool], Closure] = {}
        self._own: dict[str, frozenset[str]] = {}
        self._distributions: dict[str, frozenset[str]] = {}

    @property
    def scanner(self) -> Scanner:
        """What reads imports."""
        return self._scanner

    @property
    def scanned(self) -> int:
        """How many modules were scanned so far."""
        return self._scanner.scanned

    def closure(self, name: str, called: bool = False) -> Closure:
        """What to send along with a module: what it imports and, if it is called, what its functions import. Not all of
        it may have been looked for yet."""
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

    def own(self, name: str) -> frozenset[str]:
        """Names of the own modules that a child may have once this one was called there: all that it imports, and what
        these import, functions included, since those may be called there."""
        known = self._own.get(name)
        if known is None:
            own = self._scanner.closure(name, lambda each: each.first_party, lambda each: each.first_party).whole()
            known = self._own[name] = frozenset(own.names)
        return known

    def distributions(self, name: str) -> frozenset[str]:
        """Keys of the distributions of which a child may have any module then. All that the module imports has to be
        looked through for that, which takes seconds for large packages."""
        known = self._distributions.get(name)
        if known is None:
            keys: set[str] = set()
            for reached in {*self.own(name), *self.closure(name, called=True).whole().names}:
                found = self._finder.locate(reached)
                for module in (each.module for each in self._all_imports(found)):
                    keys |= self._keys(module)
                keys |= self._keys(reached)
            known = self._distributions[name] = frozenset(keys)
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


def lineage(name: str) -> Iterator[str]:
    """The packages that a module lies in, outermost first, then itself."""
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))
