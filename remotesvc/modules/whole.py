"""All that a call can be seen to import, for a process that cannot ask for it later.

What is sent along with an ordinary call is a beginning: the rest is asked for. Here is no rest, so more is looked at:
what functions import counts, too, in code of the user's own, and in installed packages as far as it leads to the same
package (what lies in another is optional there more often than not, and may be huge); the metadata of distributions
and data files of packages go along; and of the standard library what the target turns out to lack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from remotesvc.bootstrap.imports.modules import LISTING, METADATA, RESOURCE, announcement
from remotesvc.bootstrap.public_names import EVERYWHERE

from .closure import Scanner, lineage
from .datafiles import Unavailable, data_files, read_data_file, withheld
from .entry import Entries
from .find import Finder
from .found import Found
from .load import in_bundle
from .metadata import metadata
from .policy import Policy, Ruling

ALONE = ("this job is detached: it has what its modules can be seen to import, and cannot ask for more; write an import"
         " of it into the called module, in a function or at the top")

MOST_FILES = 1000
"""Data files of one package that go along: a longer list is that of a collection, which code seldom needs whole."""
MOST_DATA = 16 << 20
"""Bytes of data files that go along, of all packages."""

PUBLIC = sorted({place.partition(":")[0] for place in EVERYWHERE.values()})
"""The modules in which the public names are defined that code on targets may use; they are found when they are used."""

Rule = Callable[[str], Ruling]
Lacking = Callable[[list[str], list[str]], Iterable[Any]]
"""Asks the target which of these packages, and of these modules of the standard library, it does not have."""


@dataclass
class Seen:
    """What was found: `modules` on the master by name, in the order met; the `standard` library's; what is `missing`
    here."""

    modules: dict[str, Found] = field(default_factory=dict)
    standard: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)


class Whole:
    """Makes parcels for jobs. Under the server's lock."""

    def __init__(self, finder: Finder, scanner: Scanner, entries: Entries, policy: Policy) -> None:
        self._finder = finder
        self._scanner = scanner
        self._entries = entries
        self._policy = policy

    def parcel(self, starts: Iterable[str], rule: Rule, lacking: Lacking, code: bool, lock: Any) -> tuple[Any, Any]:
        """Entries and replies of all that calls of something in these modules can be seen to import.

        lacking: asks the target, so it is called without the `lock`. code: bytecode where it may be.
        """
        with lock:
            seen = self.seen(starts)
            guesses, standard = self.guesses(seen, rule), list(seen.standard)
        answer = lacking(guesses, standard) if guesses or standard else ()
        gone = {name for name in answer if isinstance(name, str)}  # a target may say anything
        with lock:
            library = self.standard(name for name in standard if name in gone)
            there = set(guesses) - gone
            return self.packed(seen, library, there, rule, code), self.replies(seen, there, rule)

    def seen(self, starts: Iterable[str]) -> Seen:
        """What calls of something in these modules can be seen to import, of what is not of the standard library."""
        seen = Seen()
        todo = [name for start in starts for name in reversed(list(lineage(start)))]
        while todo:
            name = todo.pop()
            if name in seen.modules or name in seen.missing or name in seen.standard:
                continue
            if in_bundle(name):
                if name == "remotesvc":
                    todo += PUBLIC
                continue
            if name.partition(".")[0] in sys.stdlib_module_names:
                seen.standard[name] = None
                continue
            found = self._finder.locate(name)
            if found is None or found.kind in ("native", "unreadable"):
                seen.missing[name] = None
                continue
            seen.modules[name] = found
            todo += reversed(self._imports(found))
        return seen

    def _imports(self, found: Found) -> list[str]:
        scanner, top = self._scanner, found.name.partition(".")[0]
        names = [name for each in scanner.imports(found) for name in scanner.names(each, True)]
        if found.own:  # packages of ours find their parts by name, when these are first used
            parts = self._finder.submodules(found) if found.is_pkg else ()
            return [*names, *(f"{found.name}.{part.rstrip('/')}" for part in parts)]
        for each in scanner.imports(found, True):
            names += [name for name in scanner.names(each, True)
                      if found.first_party or name.partition(".")[0] == top]  # fmt: skip
        return names

    def standard(self, lacking: Iterable[str]) -> list[str]:
        """These modules of the standard library and what they import of it."""
        names: dict[str, None] = {}
        for start in lacking:
            closure = self._scanner.closure(start, lambda each: each.stdlib, lambda each: False).whole()
            names.update(dict.fromkeys(closure.names))
        return list(names)

    def guesses(self, seen: Seen, rule: Rule) -> list[str]:
        """Packages that the target may have itself, and then uses."""
        tops = {name.partition(".")[0]: None for name in seen.modules if rule(name).verdict == "prefer-target"}
        return list(tops)

    def packed(self, seen: Seen, standard: list[str], there: set[str], rule: Rule, code: bool) -> list[Any]:
        """Entries of all that goes, but for packages that are `there`: what is the user's own as source, for tracebacks
        to have its lines."""
        packed, absent = [], []
        for name in [*seen.modules, *standard]:
            ruling = rule(name)
            found = self._finder.locate(name)
            if found is None or not ruling.served:  # the reason goes
                packed.append(self._entries.refusal(name, ruling))
                continue
            if ruling.verdict == "prefer-target" and name.partition(".")[0] in there:
                continue
            packed.append(self._entries.module(name, ruling, code and not found.first_party)[0])
        for name in seen.missing:
            refusal = self._entries.why_not(name)
            if refusal is None:
                continue
            if refusal.rule == "absent":
                absent.append(name)
            else:
                packed.append(self._entries.refusal(name, refusal))
        return [announcement((), absent), *packed] if absent else packed

    def replies(self, seen: Seen, there: set[str], rule: Rule) -> list[Any]:
        """[kind, name, path, reply] of what imported code asks for besides modules: metadata, data files."""
        # An editable installation owns no file; as a rule it has the name of its package, or points at its checkout.
        own = {name.partition(".")[0] for name, found in seen.modules.items() if found.first_party}
        editable = [each for each in self._finder.editable() if self._finder.parts(each, seen.modules)]
        all_owners = [
            *(found.distribution for found in seen.modules.values()), *map(self._finder.distribution, own), *editable
        ]
        owners = {owner.key: owner for owner in all_owners if owner is not None}
        parts_of = {key: self._finder.parts(owner, seen.modules) for key, owner in owners.items()}
        metadata_of = {key: metadata(owner, self._policy.distribution(owner, parts_of[key], owners.keys))
                       for key, owner in owners.items()}  # fmt: skip
        served = {key: reply for key, reply in metadata_of.items() if "files" in reply}
        names = [METADATA, "", "", {"names": sorted(served)}]
        return [names, *([METADATA, key, "", reply] for key, reply in served.items()), *self._files(seen, there, rule)]

    def _files(self, seen: Seen, there: set[str], rule: Rule) -> list[Any]:
        """The data files of packages, as far as there is room."""
        found: list[Any] = []
        left = MOST_DATA
        for name, module in seen.modules.items():
            ruling = rule(name)
            if not module.is_pkg or not ruling.served or (
                    ruling.verdict == "prefer-target" and name.partition(".")[0] in there):  # fmt: skip
                continue
            files = [path for path in data_files(module) if withheld(name, path, self._finder.locate, rule) is None]
            found.append([LISTING, name, "", {"names": files}])
            for path in files[:MOST_FILES]:
                try:
                    data = read_data_file(module, path)
                except Unavailable as error:
                    found.append([RESOURCE, name, path, {"reason": str(error)}])
                    continue
                left -= len(data)
                if left < 0:
                    return found
                found.append([RESOURCE, name, path, {"data": data}])
        return found
