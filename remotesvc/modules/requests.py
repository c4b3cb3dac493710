"""What children ask for, and what they are answered."""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from functools import partial
from typing import Any

from remotesvc.bootstrap.imports.modules import (
    LISTING,
    METADATA,
    MODULE,
    RESOURCE,
    TEXT,
    Request,
    check_request,
)

from .children import Child, Children
from .closure import Plans
from .codes import MAGIC
from .datafiles import Unavailable, data_files, read_data_file, withheld
from .entry import Entries
from .find import Finder
from .found import Found
from .load import CHUNK, FIRST, GUESS_BUDGET, RELAYED_BUDGET, Load
from .metadata import brief, metadata
from .policy import Ruling
from .refusals import Refusals


class Requests:
    """Answers requests from what a `ModuleServer` has, under its lock; files are read without that."""

    def __init__(
        self, finder: Finder, plans: Plans, entries: Entries, children: Children, refusals: Refusals,
        lock: threading.RLock,
    ) -> None:
        self._finder = finder
        self._plans = plans
        self._entries = entries
        self._children = children
        self._refusals = refusals
        self._lock = lock
        self.counts: Counter[str] = Counter()
        """Requests by kind."""

    def answer(self, child_id: int, request: Any) -> dict[str, Any]:
        """The reply to what a child sent as a request, whatever that is."""
        try:
            wanted = check_request(request)
        except ValueError as error:
            self._refusals.note(child_id, "?", "malformed")
            return {"reason": str(error)}
        name = wanted.name
        with self._lock:
            self.counts[wanted.kind] += 1
            child = self._children.of(child_id)
            if wanted.kind == METADATA:
                return self._metadata(child_id, child, name)
            ruling = self._children.ruling(child, name, wanted.python)
            if not ruling.served:
                self._refusals.note(child_id, name, ruling.rule)
                refusal = self._entries.refusal(name, ruling)
                return {"modules": [refusal]} if wanted.kind == MODULE else {"reason": ruling.reason}
            found = self._located(name)
            if wanted.kind == MODULE:
                return {"modules": self._with_imports(child, wanted, found, ruling)}
            if wanted.kind == RESOURCE:
                rule = partial(self._children.ruling, child, python=wanted.python)
                kept = withheld(name, wanted.path, self._finder.locate, rule)
                if kept is not None:
                    self._refusals.note(child_id, f"{name}:{wanted.path}", kept.rule)
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

    def _with_imports(self, child: Child, wanted: Request, found: Found, ruling: Ruling) -> list[Any]:
        """The entry of a module asked for, and those of what it imports that the child will ask for next."""
        goal = wanted.goal if self._finder.locate(wanted.goal) else found.name
        announced = self._children.ruling(child, goal, wanted.python).verdict == "master"
        budget = RELAYED_BUDGET if wanted.relayed else FIRST if announced else CHUNK
        guess = ruling.verdict == "prefer-target" and "." not in found.name
        deliveries = child.deliveries
        load = Load(self._entries, deliveries, wanted.magic == MAGIC, budget, not wanted.relayed and not guess)
        deliveries.lacking = deliveries.lacking or (ruling.verdict == "prefer-target" and not guess)
        load.put(found.name, ruling)
        if found.distribution is not None:
            child.grants.distributions.add(found.distribution.key)
        if guess:
            load.left = GUESS_BUDGET
        closure = self._plans.closure(goal)
        # A target that asks for a part of a distribution lacks the whole of it.
        lacking = None if guess else found.distribution
        return load.begin(closure, lambda name: self._children.ruling(child, name, wanted.python), lacking)

    def _metadata(self, child_id: int, child: Child, name: str) -> dict[str, Any]:
        if not name:
            return self._all_metadata(child)
        distribution = self._finder.distribution(name)
        if distribution is None:
            return {"reason": f"the master has no distribution {name}"}
        ruling = self._children.metadata_ruling(child, distribution)
        if not ruling.served:
            self._refusals.note(child_id, name, ruling.rule)
        return metadata(distribution, ruling)

    def _all_metadata(self, child: Child) -> dict[str, Any]:
        """Of the distributions that a child was given modules of."""
        editable = {each.key for each in self._finder.editable() if self._finder.parts(each, child.grants.modules)}
        briefs = {}
        for name in sorted(self._children.distributions(child) | editable):
            distribution = self._finder.distribution(name)
            ruling = None if distribution is None else self._children.metadata_ruling(child, distribution)
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
