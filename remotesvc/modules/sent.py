"""What the master can say afterwards of modules that it sent: their lines, their origin, what they need."""

from __future__ import annotations

import io
import threading
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remotesvc.bootstrap.finder import ROOT

from .codes import Codes
from .entry import Entries
from .explain import ImportOrigin, Source, loaded_untrusted
from .find import Finder
from .found import Found
from .needs import least_python
from .policy import Policy


class Sent:
    """Looks up what tracebacks and people ask of modules that a master has sent. Thread-safe: `lock` is the server's,
    which keeps the books that are read here."""

    def __init__(
        self, finder: Finder, codes: Codes, policy: Policy, entries: Entries, lock: threading.RLock
    ) -> None:
        self._finder = finder
        self._codes = codes
        self._policy = policy
        self._entries = entries
        self._lock = lock
        self._lines: dict[str, list[str]] = {}

    def source_line(self, label: str, lineno: int) -> str:
        """A line of a module's source, stripped, for tracebacks; "" if the label stands for nothing sent."""
        with self._lock:
            lines = self._lines.get(label)
            if lines is None:
                found = self._finder.snapshot(self._name_of(label))
                if found is None or found.kind != "source":
                    return ""
                # Python counts line ends only; str.splitlines also form feeds and the like.
                lines = self._lines[label] = list(io.StringIO(_decoded(found.source), newline=None))
            return lines[lineno - 1].strip() if 0 < lineno <= len(lines) else ""

    def too_new(self, labels: Iterable[str], python: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """The distributions behind these labels that need a newer Python: "name version" -> the oldest they run on."""
        with self._lock:
            places = [self._finder.locate(name) for label in labels if (name := self._name_of(label))]
        owners = {repr(found.distribution): found.distribution for found in places if found and found.distribution}
        needs = {shown: least_python(owner) for shown, owner in owners.items()}
        return {shown: least for shown, least in needs.items() if least is not None and least > python}

    def is_valid_here(self, label: str) -> bool:
        """Whether the label stands for source that was sent and that this Python compiles."""
        with self._lock:
            found = self._finder.snapshot(self._name_of(label))
            return found is not None and self._codes.code(found) is not None

    def owner_of(self, path: str, labels: Sequence[str]) -> Found | None:
        """The top-level package or module that a file would belong to, if what was sent had files; None for any other
        path. What lies beside single modules is of the innermost of these labels that is one's."""
        if not path.startswith(ROOT):
            return None
        names = [path[len(ROOT) :].partition("/")[0], *(self._name_of(label) for label in reversed(labels))]
        return next(filter(None, (self._finder.snapshot(name.partition(".")[0]) for name in names)), None)

    def skewed(self, theirs: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Of the versions that a target has, those that differ from the ones here: name -> (there, here)."""
        found = {name: self._finder.distribution(name) for name in theirs}
        return {
            here.name: (theirs[name], here.version)
            for name, here in sorted(found.items())
            if here is not None and here.version and here.version != theirs[name]
        }

    def origins(self, report: Any) -> list[ImportOrigin]:
        """Where what a child says it has imported came from, and why."""
        modules, versions = loaded_untrusted(report)
        with self._lock:
            return [self._origin(name, source, file, versions) for name, source, file in modules]

    def _origin(self, name: str, source: Source, file: str, versions: Mapping[str, str]) -> ImportOrigin:
        found = self._finder.locate(name)
        owner = found.distribution if found is not None else None
        theirs = versions.get(owner.key, "") if owner is not None else ""
        skew = f"; {theirs} is installed there" if owner is not None and theirs not in ("", owner.version) else ""
        if source == "target":
            ruling = self._policy.origin(name, found)
            if ruling.verdict == "prefer-target" and owner is not None:
                why = f"{owner!r} here has or needs compiled code, or is the system's{skew}"
            else:
                why = ruling.reason or "the target's own"
            return ImportOrigin(name, source, f"{why}; {file}")
        why = "your own code" if owner is None else repr(owner) + skew
        if found is not None and found.stdlib:
            why = "the target's standard library lacks it"
        return ImportOrigin(name, source, why, self._entries.size(name, source == "master bytecode"))

    def _name_of(self, label: str) -> str:
        """The module behind a label: of one sent, or of the kernel, which was sent in the bundle."""
        known = self._entries.labels.get(label)
        prefix = ROOT + "remotesvc/bootstrap/"
        if known is None and label.startswith(prefix) and label.endswith(".py"):
            known = "remotesvc.bootstrap." + label[len(prefix) : -len(".py")].replace("/", ".")
            if not all(part.isidentifier() for part in known.split(".")) or self._finder.locate(known) is None:
                return ""
        return known or ""


def _decoded(source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding, "replace")
    except (SyntaxError, LookupError):
        return source.decode("latin-1")
