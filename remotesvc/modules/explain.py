"""Where each module that a context has imported came from, and why: for people who wonder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Source = Literal["master bytecode", "master source", "target", "refused"]

_SOURCES: dict[str, Source] = {"code": "master bytecode", "source": "master source", "target": "target"}
MODULES_SHOWN = 20_000
"""Modules of one context that are listed; the list is the target's word, and it may lie."""


@dataclass(frozen=True)
class ImportOrigin:
    """One module of a context. bytes: compressed, as it was sent; 0 for what was not. why: in words."""

    name: str
    source: Source
    why: str
    bytes: int = 0

    def __str__(self) -> str:
        size = f", {self.bytes} bytes" if self.bytes else ""
        return f"{self.name}: {self.source}{size} ({self.why})"


def loaded_untrusted(report: Any) -> tuple[list[tuple[str, Source, str]], dict[str, str]]:
    """(name, source, file) of each module, and versions by distribution, from what a target says; junk left out."""
    modules, pairs = (report.get("modules"), report.get("versions")) if isinstance(report, dict) else (None, None)
    listed = []
    for item in modules[:MODULES_SHOWN] if isinstance(modules, list) else ():
        if isinstance(item, list) and len(item) == 3 and all(isinstance(part, str) for part in item):
            name, source, file = item
            if source in _SOURCES:
                listed.append((name[:512], _SOURCES[source], file[:1024]))
    return listed, versions_untrusted(pairs)


def versions_untrusted(report: Any) -> dict[str, str]:
    """Versions by distribution, from what a target says; junk left out."""
    pairs = report.items() if isinstance(report, dict) else ()
    return {key: value[:100] for key, value in pairs if isinstance(key, str) and isinstance(value, str)}
