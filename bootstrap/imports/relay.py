"""Answers to the module requests of this context's own children: from what is here, else from the parent."""

import zlib

from ..finder import label_of
from .modules import ABSENT, MODULE, SOURCE, TARGET, Entry, check_request, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from ..finder import MemoryFinder
    from .importer import Importer
    from .modules import Request
    from .requests import Reply

REFUSALS_KEPT = 1000
"""How many "there is no such module" are kept: a child may ask for any name it makes up."""


class Relay(object):
    """Serves children of this process. Requests are checked: a child may be hostile.

    `finder` has the kernel, which children of children are given from here too.
    """

    def __init__(self, importer: "Importer", finder: "MemoryFinder") -> "None":
        self._importer = importer
        self._finder = finder
        self._refusals: "Dict[Tuple[str, Tuple[int, int]], Reply]" = {}

    def serve(self, wanted: "Any") -> "Reply":
        """The reply to a request. If the parent must be asked or the module is on its way, it blocks; raises what
        asking raises."""
        try:
            request = check_request(wanted)
        except ValueError as error:
            return {"reason": str(error)}
        request.relayed = True
        if request.kind == MODULE:
            self._importer.wait(request.name)
        reply = self._cached(request)
        if reply is None:
            reply = self._importer.request(request)
            self._keep(request, reply)
        return reply

    def _cached(self, request: "Request") -> "Optional[Reply]":
        """The reply to a request if it is here; None if the parent must be asked. Never blocks."""
        name = request.name
        if request.kind != MODULE:
            return None
        if name in self._finder.sources:
            is_pkg, source = self._finder.sources[name]
            entry = Entry(name, SOURCE, is_pkg, label_of(name, is_pkg), zlib.compress(source))
            return {"modules": [pack(entry)]}
        known = self._importer.entries.get(name)
        if known is None or not known.loadable:
            return self._refusals.get((name, request.python))
        if known.python in (None, request.python) and known.magic in (None, request.magic):
            return {"modules": [pack(known)]}
        return None

    def _keep(self, request: "Request", reply: "Reply") -> "None":
        """Remember what the parent replied: its modules, or that there is none."""
        if request.kind != MODULE:
            return
        entries = [unpack(value) for value in reply.get("modules", ()) if isinstance(value, (list, tuple))]
        self._importer.deliver([pack(entry) for entry in entries if entry.loadable and entry.python is None])
        if any(entry.name == request.name and entry.kind in (ABSENT, TARGET) for entry in entries):
            if len(self._refusals) >= REFUSALS_KEPT:
                self._refusals.clear()
            self._refusals[request.name, request.python] = reply
