"""Where a module comes from, and who may have it: pure rules over what was found.

The origin is decided for a whole distribution, never for one module of it: parts of two versions do not fit
together. What has or requires compiled code, and what the operating system's package manager installed, is
taken from the target where the target has it. All else that the master has comes from the master, so that
what runs there is what you have here.

Who may have it: your own code only as far as something called imports it; installed distributions freely,
unless `locked`. A child gets nothing merely because it asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, cast, get_args

from remotesvc.bootstrap.errors import UsageError

from .distributions import Distribution
from .found import Found, is_own

Verdict = Literal["master", "prefer-target", "target", "absent", "refused"]
Origin = Literal["master", "target", "deny"]
LOCKED = "locked"

MASTER_ONLY = (
    "remotesvc.__main__",
    "remotesvc.arguments",
    "remotesvc.cli",
    "remotesvc.connecting",
    "remotesvc.escape",
    "remotesvc.fastcodec",
    "remotesvc.fleet",
    "remotesvc.futures",
    "remotesvc.modules",
    "remotesvc.once",
    "remotesvc.output",
    "remotesvc.pytest_plugin",
    "remotesvc.root",
    "remotesvc.router",
    "remotesvc.ssh",
    "remotesvc.testing",
)
"""What of this package a child cannot run; the rest is portable."""

HERE = sys.version_info[:2]

_SINCE = {
    "contextvars": (3, 7), "dataclasses": (3, 7), "importlib.resources": (3, 7), "importlib.metadata": (3, 8),
    "multiprocessing.shared_memory": (3, 8), "graphlib": (3, 9), "zoneinfo": (3, 9), "asyncio.taskgroups": (3, 11),
    "asyncio.timeouts": (3, 11), "tomllib": (3, 11), "annotationlib": (3, 14), "compression": (3, 14),
    "string.templatelib": (3, 14),
}  # fmt: skip
"""Parts of the standard library that no package of an older Python holds."""


@dataclass(frozen=True)
class Ruling:
    """What was decided about a module.

    verdict: "master"; "prefer-target" (the target's if it has one); "target" (never the master's);
    "absent" (the master has none); "refused" (not to this child, as things are).
    reason: for whoever sees the import fail. rule: the name under which refusals are counted.
    """

    verdict: Verdict
    reason: str = ""
    rule: str = ""

    @property
    def served(self) -> bool:
        return self.verdict in ("master", "prefer-target")


class Policy:
    """The rules of one router.

    allow: names or patterns of own modules that may be had though nothing called imports them.
    deny: names or patterns of what never leaves the master. A name stands for all below it.
    imports: package name -> "master", "target" or "deny", over every other rule about the origin.
    locked: only distributions that something called imports, or their requirements, may be had.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        imports: Mapping[str, Origin] | None = None,
        locked: bool = False,
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._imports = dict(imports or {})
        self._locked = locked

    def origin(self, name: str, found: Found | None, python: tuple[int, int] = HERE) -> Ruling:
        """Where a module comes from, whoever asks. `python`: the version that will run it."""
        if is_own(name):
            return _own(name, found)
        pattern = _match(name, self._deny)
        if pattern is not None:
            return Ruling("target", f"denied on the master by deny={pattern!r}", "deny")
        chosen = self._chosen(name)
        if chosen == "deny":
            return Ruling("target", "denied on the master by imports={...}", "deny")
        if chosen == "target":
            return Ruling("target", "the master leaves it to the target, by imports={...}", "target")
        if name.partition(".")[0] in sys.stdlib_module_names or (found is not None and found.stdlib):
            return _stdlib(name, found, python)
        if found is None:
            return Ruling("absent", "the master has no such module either", "absent")
        if found.kind in ("native", "unreadable"):
            return Ruling("target", _native_reason(found), "native")
        if chosen != "master" and found.distribution is not None:
            owner = found.distribution
            if owner.of_the_system or owner.needs_native:
                return Ruling("prefer-target")
        return Ruling("master")

    def decide(
        self,
        name: str,
        found: Found | None,
        python: tuple[int, int],
        granted: Collection[str],
        distributions: Callable[[], Collection[str]],
    ) -> Ruling:
        """Where a module comes from for one child, which was granted these own modules and distributions; the latter
        are asked for only where they matter."""
        ruling = self.origin(name, found, python)
        if not ruling.served or found is None or found.own or found.stdlib:
            return ruling
        if name in granted or _match(name, self._allow) is not None or _leads_to(name, self._allow):
            return ruling
        if found.first_party:
            reason = f"on the master, but nothing that was called imports it; {_remedy(name)}"
            return Ruling("refused", reason, "closed set")
        if self._locked and found.distribution is not None and found.distribution.key not in distributions():
            reason = f"nothing that was called imports {found.distribution.name}, and imports are locked"
            return Ruling("refused", f"{reason}; {_remedy(name)}", "locked")
        return ruling

    def distribution(
        self, owner: Distribution, parts: Collection[str], distributions: Callable[[], Collection[str]]
    ) -> Ruling:
        """Whether a child may have the metadata of a distribution; the same rules as for its modules.

        parts: of an editable one, the packages that the child was granted modules of.
        """
        for top in sorted({*owner.tops, *parts}):
            pattern = _match(top, self._deny)
            if pattern is not None or self._chosen(top) == "deny":
                return Ruling("refused", f"{owner.name} is denied on the master", "deny")
            if self._chosen(top) == "target":
                return Ruling("target", f"the master leaves {owner.name} to the target", "target")
        if owner.editable and not parts:
            return Ruling("refused", f"nothing that was called imports {owner.name}", "closed set")
        if self._locked and not owner.editable and owner.key not in distributions():
            return Ruling("refused", f"nothing that was called imports {owner.name}, and imports are locked", "locked")
        return Ruling("prefer-target" if owner.of_the_system or owner.needs_native else "master")

    def _chosen(self, name: str) -> Origin | None:
        while name:
            if name in self._imports:
                return self._imports[name]
            name = name.rpartition(".")[0]
        return None


def origins(imports: Mapping[str, str] | str | None) -> tuple[dict[str, Origin], bool]:
    """Origins by package, and whether imports are locked, from what a user may say; "*" stands for all others.

    UsageError for anything else.
    """
    if imports is None or isinstance(imports, str):
        if imports not in (None, LOCKED):
            raise UsageError(f'imports={imports!r}: give "locked", or a dict of packages')
        return {}, imports == LOCKED
    chosen: dict[str, Origin] = {}
    for name, origin in imports.items():
        if name == "*" and origin == LOCKED:
            continue
        package = isinstance(name, str) and all(part.isidentifier() for part in name.split("."))
        if not package or origin not in get_args(Origin):
            raise UsageError(f'imports={{{name!r}: {origin!r}}}: a package comes from "master" or "target", or "deny"')
        chosen[name] = cast(Origin, origin)
    return chosen, imports.get("*") == LOCKED


def _remedy(name: str) -> str:
    return f"allow=[{name!r}] (--allow {name}) lets it go"


def _match(name: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that fits a name or a package it lies in."""
    parts = name.split(".")
    lineage = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return next((each for each in patterns if any(fnmatchcase(above, each) for above in lineage)), None)


def _leads_to(name: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern is for modules in this package, which Python imports before them."""
    depth = name.count(".") + 1
    return any(each.count(".") >= depth and fnmatchcase(name, ".".join(each.split(".")[:depth])) for each in patterns)


def _own(name: str, found: Found | None) -> Ruling:
    if found is None:
        return Ruling("absent", f"this version of remotesvc has no {name}", "absent")
    if any(name == part or name.startswith(part + ".") for part in MASTER_ONLY):
        return Ruling("absent", f"{name} exists on the master only", "master only")
    return Ruling("master")


def _stdlib(name: str, found: Found | None, python: tuple[int, int]) -> Ruling:
    """The target has asked for a part of the standard library, so it lacks it."""
    theirs = "{}.{}".format(*python)
    for part, since in _SINCE.items():
        if python < since and (name == part or name.startswith(part + ".")):
            reason = (f"{part} came with Python {since[0]}.{since[1]}, and this is {theirs}; "
                      "name a newer Python there, with python=PATH (--python PATH)")
            return Ruling("absent", reason, "standard library")
    remedy = f"install all of the target's standard library (on Debian: libpython{theirs}-stdlib)"
    if python != HERE:
        reason = f"this Python {theirs} lacks it, and the master's is of {HERE[0]}.{HERE[1]}; {remedy}"
        return Ruling("absent", reason, "standard library")
    if found is None:
        return Ruling("absent", "the master's standard library has no such module either", "absent")
    if found.kind not in ("source", "namespace"):
        reason = f"a compiled part of the standard library that this Python lacks; {remedy}"
        return Ruling("absent", reason, "native")
    return Ruling("master")


def _native_reason(found: Found) -> str:
    file = (found.origin or found.name).rpartition("/")[2]
    if found.kind == "unreadable":
        return f"the master has no source of it, only {file}"
    if found.distribution is None:
        return f"it is compiled code, {file}, which cannot be sent; the target needs its own"
    owner = found.distribution
    version = f"=={owner.version}" if owner.version else ""
    remedy = f"install it on the target (pip install {owner.name}{version}, or its package of the system)"
    return f"it is compiled code, {file} of {owner!r}, which cannot be sent; {remedy}"
