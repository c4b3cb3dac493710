"""The module server: answers what children ask for, and knows what to send with a call before they ask."""

from __future__ import annotations

import logging
import marshal
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from remotesvc.bootstrap.data.marshalled import FORMAT
from remotesvc.bootstrap.imports.modules import MAIN

from .children import Children
from .closure import Plans
from .codes import MAGIC, Codes
from .entry import Entries
from .explain import ImportOrigin
from .find import Finder
from .load import CHUNK, Load
from .policy import HERE, Origin, Policy, Ruling
from .refusals import Refusals
from .requests import Requests
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
        self._guarded: set[str] = set()  # names of this program's own module, once that is known to have a guard
        self.refusals = Refusals()
        self._lock = threading.RLock()
        self._requests = Requests(self._finder, self._plans, self._entries, self._children, self.refusals, self._lock)
        self.sent = Sent(self._finder, self._codes, self._policy, self._entries, self._lock)
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
            load = Load(self._entries, child.deliveries, magic == MAGIC, budget, follow, call=True)
            return load.begin(closure, lambda each: self._children.ruling(child, each, HERE))

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
            deliveries = self._children.of(child_id).deliveries
            return Load(self._entries, deliveries, magic == MAGIC, CHUNK, True, one=True).go_on()

    def waiting(self, child_id: int) -> bool:
        """Is there anything on its way to a child and not sent?"""
        child = self._children.known(child_id)
        return child is not None and bool(child.deliveries.courses)

    def give_up(self, child_id: int) -> list[Any]:
        """What is on its way to a child will not be sent. Returns entries that tell it so: then it asks instead of
        waiting."""
        with self._lock:
            ruling = Ruling("refused", "the master failed to send it")
            dropped = self._children.of(child_id).deliveries.give_up()
            return [self._entries.refusal(name, ruling) for name in dropped]

    def forget(self, child_id: int) -> None:
        """The child is gone."""
        with self._lock:
            self._children.forget(child_id)
        self.refusals.forget(child_id)

    # Requests

    def answer(self, child_id: int, request: Any) -> dict[str, Any]:
        """The reply to what a child sent as a request, whatever that is. Never raises: somebody waits for it."""
        try:
            return self._requests.answer(child_id, request)
        except Exception as error:  # of files that change or finders of others; not a reason to leave the child waiting
            log.exception("context %d was not given what it asked for", child_id)
            return {"reason": f"the master failed to look it up: {type(error).__name__}: {error}"}

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
                "requests": dict(self._requests.counts),
                "sent": self._entries.sent,
                "bytes": self._entries.bytes,
                "compressed": self._entries.compressed,
                "compiled": self._codes.compiled,
                "scanned": self._plans.scanned,
                "refused": self.refusals.by_rule(),
            }
