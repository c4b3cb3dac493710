"""The module server: answers what children ask for, and knows what to send with a call before they ask."""

from __future__ import annotations

import logging
import marshal
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from remotesvc.bootstrap.data.marshalled import FORMAT
from remotesvc.bootstrap.imports.modules import (
    LISTING,
    MAIN,
    METADATA,
    MODULE,
    RESOURCE,
    TEXT,
    Request,
    check_request,
)

from .children import Children
from .closure import Closure, Plans
from .codes import MAGIC, Codes
from .datafiles import Unavailable, data_files, read_data_file, withheld
from .distributions import Distribution
from .entry import Entries
from .explain import ImportOrigin
from .find import Finder
from .found import Found
from .load import CHUNK, FIRST, GUESS_BUDGET, RELAYED_BUDGET, Child, Course, Load
from .metadata import brief, metadata
from .policy import HERE, Origin, Policy, Ruling
from .refusals import Refusals
from .script import check_guard, is_program, main_script
from .sent import Sent
from .whole import ALONE, Lacking, Whole

log = logging.getLogger("remotesvc.modules")


class ModuleServer:
    """Serves the modules of one master to its children: one version of each, ever. Thread-safe.

    path: directories searched before ``sys.path``. allow, deny, imports, locked: see `Policy`.
    """

    def __init__(
        self,
        path: Iterable[str] = (),
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        imports: Mapping[str, Origin] | None = None,
        locked: bool = False,
    ) -> None:
        self._finder = Finder(path)
        self._codes = Codes()
        self._plans = Plans(self._finder, self._codes)
        self._policy = Policy(allow, deny, imports, locked)
        self._entries = Entries(self._finder, self._codes, self._policy)
        self._children = Children(self._finder, self._policy, self._plans)
        self._counts: Counter[str] = Counter()
        self._guarded: set[str] = set()  # names of this program's own module, once that is known to have a guard
        self.refusals = Refusals()
        self._lock = threading.RLock()
        self.sent = Sent(self._finder, self._policy, self._entries, self._lock)
        """What can be said of them afterwards."""

    # Calls

    def ahead(
        self,
        child_id: int,
        module: str,
        budget: int,
        via: Iterable[int] = (),
        magic: bytes = b"",
        follow: bool = False,
    ) -> list[Any]:
        """What to send with a call of something in `module`: entries, in the order in which they will be imported.

        At most `budget` bytes; with `follow` the rest is announced, and `more` returns it later. What the child was
        sent before is left out. From now on it may ask for all that the module imports, and so may the contexts `via`
        which it asks. magic: the child's, if it is known. UsageError if the module is a script that cannot be sent.
        """
        with self._lock:
            self._check(module)
            child = self._children.of(child_id)
            if module in child.called:
                return []
            self._children.grant([child_id, *via], module)
            child.called.add(module)
            start = self._finder.locate(module)
            if start is not None and start.stdlib:
                return []
            closure = self._plans.closure(module, called=True)
            load = Load(self._entries, child, magic == MAGIC, budget, follow, call=True)
            return self._begin(load, closure, lambda each: self._children.ruling(child, each, HERE))

    def whole(
        self, child_id: int, modules: Iterable[str], python: tuple[int, int], magic: bytes, lacking: Lacking
    ) -> tuple[bytes, str]:
        """All that calls of something in these modules can be seen to import, marshalled: packed entries, and replies
        to other requests; and the reason for all else not being there. See `Whole`.
        """
        with self._lock:
            names = list(modules)
            child = self._children.of(child_id)
            for name in names:
                self._check(name)
                self._children.grant([child_id], name)
        parcels = Whole(self._finder, self._plans.scanner, self._entries, self._policy)
        parcel = parcels.parcel(
            names, lambda name: self._children.ruling(child, name, python), lacking, magic == MAGIC, self._lock
        )
        return marshal.dumps(parcel, FORMAT), ALONE

    def _check(self, name: str) -> None:
        """UsageError if a called module is this program's own and cannot be sent."""
        if name in self._guarded:
            return
        if name == MAIN:
            self._finder.add(main_script())
        elif is_program(name):
            found = self._finder.locate(name)
            if found is not None:
                check_guard(found)
        else:
            return
        self._guarded.add(name)

    def more(self, child_id: int, magic: bytes) -> list[Any]:
        """The next of what was announced to a child; empty if there is nothing left."""
        with self._lock:
            child = self._children.of(child_id)
            load = Load(self._entries, child, magic == MAGIC, CHUNK, True, one=True)
            missing: list[str] = []
            while child.courses and load.left > 0:
                course = child.courses[0]
                # Look further and further ahead of what is sent: a function may import a module before its turn comes,
                # and need not ask for one that was announced.
                course.closure.reach(2 * course.sent)
                load.add(course)
                missing += course.closure.missing
                if course.closure.reach(course.sent + 1):
                    break
                del child.courses[0]
            return load.items(missing)

    def waiting(self, child_id: int) -> bool:
        """Is there anything on its way to a child and not sent?"""
        child = self._children.known(child_id)
        return child is not None and bool(child.courses)

    def give_up(self, child_id: int) -> list[Any]:
        """What is on its way to a child will not be sent. Returns entries that tell it so: then it asks instead of
        waiting."""
        with self._lock:
            child = self._children.of(child_id)
            ruling = Ruling("refused", "the master failed to send it")
            dropped = [self._entries.refusal(name, ruling) for name in sorted(child.promised)]
            child.sent -= {(name, code) for name in child.promised for code in (True, False)}
            child.promised.clear()
            child.courses.clear()
            return dropped

    def forget(self, child_id: int) -> None:
        """The child is gone."""
        with self._lock:
            self._children.forget(child_id)
        self.refusals.forget(child_id)

    # Requests

    def answer(self, child_id: int, request: Any) -> dict[str, Any]:
        """The reply to what a child sent as a request, whatever that is. Never raises: somebody waits for it."""
        try:
            return self._answer(child_id, request)
        except Exception as error:  # of files that change or finders of others; not a reason to leave the child waiting
            log.exception("context %d was not given what it asked for", child_id)
            return {"reason": f"the master failed to look it up: {type(error).__name__}: {error}"}

    def _answer(self, child_id: int, request: Any) -> dict[str, Any]:
        try:
            wanted = check_request(request)
        except ValueError as error:
            self.refusals.note(child_id, "?", "malformed")
            return {"reason": str(error)}
        name = wanted.name
        with self._lock:
            self._counts[wanted.kind] += 1
            child = self._children.of(child_id)
            if wanted.kind == METADATA:
                return self._metadata(child_id, child, name)
            ruling = self._children.ruling(child, name, wanted.python)
            if not ruling.served:
                self.refusals.note(child_id, name, ruling.rule)
                refusal = self._entries.refusal(name, ruling)
                return {"modules": [refusal]} if wanted.kind == MODULE else {"reason": ruling.reason}
            found = self._located(name)
            if wanted.kind == MODULE:
                return {"modules": self._with_imports(child, wanted, found, ruling)}
            if wanted.kind == RESOURCE:
                rule = partial(self._children.ruling, child, python=wanted.python)
                kept = withheld(name, wanted.path, self._finder.locate, rule)
                if kept is not None:
                    self.refusals.note(child_id, f"{name}:{wanted.path}", kept.rule)
                    return {"reason": f"{wanted.path} of {name}: {kept.reason}"}
        if wanted.kind == TEXT:
            return self._text(found)
        if not found.is_pkg:
            return {"reason": f"{name} is not a package"}
        if wanted.kind == LISTING:
            return {"names": data_files(found)}
        try:
            return {"data": read_data_file(found, wanted.path)}
        except Unavailable as error:
            return {"reason": str(error)}

    def distributions(self, child_id: int) -> list[str]:
        """The distributions of which a child was sent modules, or may be."""
        with self._lock:
            return sorted(self._children.distributions(self._children.of(child_id)))

    def explain(self, child_id: int, report: Any) -> list[ImportOrigin]:
        """Where what a child says it has imported came from, and why; then what it was refused."""
        with self._lock:
            origins = self.sent.origins(report)
        return origins + [ImportOrigin(name, "refused", rule) for name, rule in self.refusals.of(child_id)]

    def statistics(self) -> dict[str, Any]:
        """Counters: requests by kind; modules sent, their bytes; compressed, compiled, scanned; refusals by rule."""
        with self._lock:
            return {
                "requests": dict(self._counts),
                "sent": self._entries.sent,
                "bytes": self._entries.bytes,
                "compressed": self._entries.compressed,
                "compiled": self._codes.compiled,
                "scanned": self._plans.scanned,
                "refused": self.refusals.by_rule(),
            }

    def _with_imports(self, child: Child, wanted: Request, found: Found, ruling: Ruling) -> list[Any]:
        """The entry of a module asked for, and those of what it imports that the child will ask for next."""
        goal = wanted.goal if self._finder.locate(wanted.goal) else found.name
        announced = self._children.ruling(child, goal, wanted.python).verdict == "master"
        budget = RELAYED_BUDGET if wanted.relayed else FIRST if announced else CHUNK
        guess = ruling.verdict == "prefer-target" and "." not in found.name
        load = Load(self._entries, child, wanted.magic == MAGIC, budget, not wanted.relayed and not guess)
        child.lacking = child.lacking or (ruling.verdict == "prefer-target" and not guess)
        load.put(found.name, ruling)
        if found.distribution is not None:
            child.distributions.add(found.distribution.key)
        if guess:
            load.left = GUESS_BUDGET
        closure = self._plans.closure(goal)
        # A target that asks for a part of a distribution lacks the whole of it.
        lacking = None if guess else found.distribution
        return self._begin(load, closure, lambda name: self._children.ruling(child, name, wanted.python), lacking)

    def _begin(
        self, load: Load, closure: Closure, rule: Callable[[str], Ruling], lacking: Distribution | None = None
    ) -> list[Any]:
        """What goes of a closure at once. The rest, if it follows, comes before what is on its way already: somebody
        waits for it."""
        course = Course(closure, rule, CHUNK if load.follow else GUESS_BUDGET, lacking)
        load.add(course)
        if load.follow and closure.reach(course.sent + 1):
            load.child.courses.insert(0, course)
        return load.items(closure.missing)

    def _metadata(self, child_id: int, child: Child, name: str) -> dict[str, Any]:
        if not name:
            return self._all_metadata(child)
        distribution = self._finder.distribution(name)
        if distribution is None:
            return {"reason": f"the master has no distribution {name}"}
        ruling = self._metadata_ruling(child, distribution)
        if not ruling.served:
            self.refusals.note(child_id, name, ruling.rule)
        return metadata(distribution, ruling)

    def _metadata_ruling(self, child: Child, distribution: Distribution) -> Ruling:
        parts = self._finder.parts(distribution, child.granted)
        return self._policy.distribution(distribution, parts, lambda: self._children.distributions(child))

    def _all_metadata(self, child: Child) -> dict[str, Any]:
        """Of the distributions that a child was given modules of."""
        editable = {each.key for each in self._finder.editable() if self._finder.parts(each, child.granted)}
        briefs = {}
        for name in sorted(self._children.distributions(child) | editable):
            distribution = self._finder.distribution(name)
            ruling = None if distribution is None else self._metadata_ruling(child, distribution)
            if distribution is not None and ruling is not None and ruling.served:
                briefs[name] = brief(distribution, ruling)
        return {"names": list(briefs), "briefs": briefs}

    def _text(self, found: Found) -> dict[str, Any]:
        if found.kind != "source":
            return {"reason": f"{found.name} has no source"}
        return {"data": zlib.compress(found.source, 6)}

    def _located(self, name: str) -> Found:
        found = self._finder.locate(name)
        assert found is not None, name  # what is served was found
        return found
