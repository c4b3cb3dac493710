"""Modules on demand: what neither memory nor the target's standard library has comes from the parent.

The parent decides where a module is from (see `remotesvc.modules.policy`). Entries stay here, compressed, and
serve the source lines of tracebacks and this context's own children. What the parent will not serve is looked
for among what the target has installed, with `site.main()` run once before: children start without it.

Nothing here waits for anything but answers of the parent. Python holds one lock for all threads while it
looks for a module; that lock is given back for as long as an answer is awaited.
"""

import sys
import threading
import time
import zlib
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import MAGIC_NUMBER

from ..finder import ROOT, Unlocked, spec_for
from .lines import tell_all
from .loader import DistributionFinder, ModuleLoader, NamespaceLoader
from .modules import ABSENT, MAIN, MODULE, NAMESPACE, REFUSED, SOURCE, TARGET, TEXT, Entry, Request, announced, unpack
from .requests import Requests
from .target import Target, labels_in, package_at, statement, wanted_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set

    from ..finder import MemoryFinder
    from .requests import Ask, Reply

NOWHERE = "the master has no such module either"

ARRIVAL_LIMIT = 30.0
"""Seconds without any module that an import waits for one that was announced, before it asks for it after all."""


class Importer(object):
    """What `MemoryFinder.fallback` is set to (its `find`), and what serves this context's children.

    `ask`      sends a request to the parent and returns its reply; if it raises, the next import asks again.
    `finder`   the finder of the kernel's own modules.
    `patience` says how many seconds the running call has left; None: as many as it takes.
    `entries`  what the parent has said so far, by name of module. To be read only.
    `distributions`  metadata the parent has given, by name; `paths`: of data files kept in memory, by label;
    `trees`: of the data files of packages, by name.
    """

    def __init__(
        self, ask: "Ask", finder: "MemoryFinder", patience: "Callable[[], Optional[float]]" = lambda: None
    ) -> "None":
        self.entries: "Dict[str, Entry]" = {}
        self.distributions: "Dict[str, Reply]" = {}
        self.paths: "Dict[str, str]" = {}
        self.trees: "Dict[str, Any]" = {}
        self.python = sys.version_info[:2]
        self._requests = Requests(ask)
        self._patience = patience
        self._finder = finder
        self._texts: "Dict[str, bytes]" = {}
        self._latest = 0.0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._expected: "Set[str]" = set()
        self._main: "Optional[ModuleType]" = None
        self._main_lock = threading.RLock()
        self._relay: "Any" = None
        self.target = Target(finder)
        sys.path_hooks.insert(0, self._path_hook)
        sys.meta_path.insert(0, DistributionFinder(self))
        if "linecache" not in sys.modules:
            finder.watched["linecache"] = lambda name: tell_all(ModuleLoader)

    # What comes with a call

    def deliver(self, entries: "Iterable[Any]") -> "Dict[str, Entry]":
        """Take in packed entries from the parent, pushed or asked for, and what it announces before them.

        ValueError if one is malformed.
        """
        follow: "List[str]" = []
        unpacked: "Dict[str, Entry]" = {}
        for packed in entries:
            if isinstance(packed, (list, tuple)):
                entry = unpack(packed)
                unpacked[entry.name] = entry
            else:
                follow, absent = announced(packed)
                unpacked.update((name, Entry(name, ABSENT, label=NOWHERE)) for name in absent)
        with self._lock:
            for name, entry in unpacked.items():
                if entry.kind != REFUSED and not self._usable(self.entries.get(name)):
                    self.entries[name] = entry
            self._expected.difference_update(unpacked)
            self._expected.update(name for name in follow if not self._usable(self.entries.get(name)))
            self._latest = time.monotonic()
            self._arrived.notify_all()
        return unpacked

    def forget_absences(self) -> "None":
        """What nobody had is asked for again: somebody has made it, or else it is told so again."""
        with self._lock:
            for name in [name for name, entry in self.entries.items() if entry.kind == ABSENT]:
                del self.entries[name]

    @staticmethod
    def _usable(entry: "Optional[Entry]") -> "bool":
        return entry is not None and entry.loadable and entry.magic in (None, MAGIC_NUMBER)

    # Imports of this process

    def find(self, fullname: "str", path: "Optional[Sequence[str]]" = None) -> "Optional[ModuleSpec]":
        """The spec of a module that neither memory nor the standard library has; None if nobody has it.

        In an import statement the latter is a ModuleNotFoundError that says why.
        """
        parent = fullname.rpartition(".")[0]
        if self.target.owns(parent, path):
            return None
        places = labels_in(path)
        entry = self._in_first(fullname, places) if places else self._in(parent, fullname)
        if entry.loadable and (parent or not entry.prefer_target):
            return self._spec(entry, fullname)
        above = self.entries.get(package_at(places[0]) if places else parent)
        spec = self.target.find(fullname, path, above is not None and above.kind == NAMESPACE)
        if spec is None and entry.loadable:
            return self._spec(entry, fullname)
        if spec is None:
            vendored = labels_in(sys.path) if path is None else ()
            self._fail(fullname, self._in_first(fullname, vendored, entry) if vendored else entry)
        return spec

    def find_in(self, fullname: "str", place: "str") -> "Optional[ModuleSpec]":
        """The spec of a module that the parent has in a directory of a package, a label; None if it gives none."""
        entry = self._in(package_at(place), fullname)
        return self._spec(entry, fullname) if entry.loadable else None

    def _in_first(self, fullname: "str", places: "Sequence[str]", told: "Optional[Entry]" = None) -> "Entry":
        """What the parent has in the first of these places that has it; else why there is none, `told` if it is known.
        What is withheld tells more than what is absent."""
        for place in places:  # not by the module's name: a package may go by another too
            entry = self._in(package_at(place), fullname)
            if entry.loadable:
                return entry
            if told is None or (told.kind == ABSENT and entry.kind != ABSENT):
                told = entry
        return told  # type: ignore[return-value]

    def _in(self, parent: "str", fullname: "str") -> "Entry":
        """What the parent has to say about a module in one of its packages, or outside any."""
        tail = fullname.rpartition(".")[2]
        above = self.entries.get(parent)
        parts = above.submodules if above is not None else None
        if parts is not None and tail not in parts and tail + "/" not in parts and tail + "//" not in parts and (
                tail != "__init__"):
            return Entry(fullname, ABSENT, label="%s on the master has no such module" % parent)
        name = "%s.%s" % (parent, tail) if parent else tail
        goal = wanted_for(fullname) if name == fullname else name
        with Unlocked():
            return self._entry(name, goal)

    def _fail(self, name: "str", entry: "Entry") -> "None":
        asker = statement()
        if asker == "from" and entry.kind in (TARGET, REFUSED):
            # Python drops an error of that module's name, and says only that the package has no such name.
            parent, _, tail = name.rpartition(".")
            text = "cannot import name %r from %r (%s)" % (tail, parent, entry.label)
            raise ModuleNotFoundError(text, name=parent)
        if asker:
            raise ModuleNotFoundError("No module named %r (%s)" % (name, entry.label), name=name)

    def main_module(self) -> "ModuleType":
        """The master's script as our ``__main__``, executed once, without the body of its guard."""
        with self._main_lock:
            if self._main is None:
                entry = self._entry(MAIN)
                if not entry.loadable:
                    raise ModuleNotFoundError("The master's script is not here (%s)" % entry.label, name=MAIN)
                spec = self._spec(entry, MAIN)
                self._main = module_from_spec(spec)
                replaced, sys.modules[MAIN] = sys.modules[MAIN], self._main
                try:
                    spec.loader.exec_module(self._main)  # type: ignore[union-attr]
                except BaseException:
                    sys.modules[MAIN] = replaced
                    self._main = None
                    raise
            return self._main

    def _spec(self, entry: "Entry", name: "str") -> "ModuleSpec":
        if entry.kind == SOURCE:
            return spec_for(name, ModuleLoader(self, entry), entry.label, entry.is_pkg)
        spec = ModuleSpec(name, NamespaceLoader(self, entry), is_package=True)  # type: ignore[arg-type]
        spec.submodule_search_locations = [entry.label]
        return spec

    def _entry(self, name: "str", goal: "str" = "") -> "Entry":
        """What the parent has to say about a module: known, on its way, or asked for now."""
        self.wait(name)
        known = self.entries.get(name)
        if known is None or known.magic not in (None, MAGIC_NUMBER):
            reply = self.request(Request(MODULE, name, self.python, "", MAGIC_NUMBER, goal))
            known = self.deliver(reply.get("modules", ())).get(name)
        return known or Entry(name, ABSENT, label=str(reply.get("reason", "the master gave no answer")))

    def wait(self, name: "str") -> "None":
        """Wait for a module that was announced, as long as modules arrive at all and the running call has time."""
        with self._lock:
            begun = time.monotonic()
            while name in self._expected:
                silent = time.monotonic() - max(begun, self._latest)
                left = self._patience()
                if silent >= ARRIVAL_LIMIT or (left is not None and left <= 0):
                    self._expected.discard(name)
                    return
                self._arrived.wait(ARRIVAL_LIMIT - silent if left is None else min(ARRIVAL_LIMIT - silent, left))

    def text(self, entry: "Entry") -> "bytes":
        """The source of a module that came as code, from the parent; OSError, with its reason, if it gives none."""
        text = self._texts.get(entry.name)
        if text is None:
            reply = self.request(Request(TEXT, entry.name, self.python))
            if "data" not in reply:
                raise FileNotFoundError(2, str(reply.get("reason", "No source")), entry.label)
            text = self._texts[entry.name] = zlib.decompress(reply["data"])
        return text

    def request(self, wanted: "Request") -> "Reply":
        """The parent's reply; equal requests of several threads share one."""
        return self._requests.reply_to(wanted)

    @property
    def asked(self) -> "int":
        """How many requests went to the parent."""
        return self._requests.sent

    def _path_hook(self, path: "str") -> "Any":
        if not path.startswith(ROOT):
            raise ImportError("not from the parent")
        from .resources import PathEntry
        return PathEntry(self, path)

    def serve(self, wanted: "Any") -> "Reply":
        """Answer a request of a child of this process; see `Relay.serve`."""
        return self.relay().serve(wanted)  # type: ignore[no-any-return]

    def relay(self) -> "Any":
        """What answers the children of this process, made when it is first needed."""
        with self._main_lock:
            if self._relay is None:
                from .relay import Relay
                self._relay = Relay(self, self._finder)
            return self._relay
