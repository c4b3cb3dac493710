"""What goes to a child at once, what follows, and what the child was sent before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from remotesvc.bootstrap.imports.modules import announcement

from .distributions import Distribution
from .entry import Entries
from .policy import Ruling

CHUNK = 112 * 1024
"""Compressed bytes of modules in one message, if not one module alone has more: with its header it is one frame."""

RELAYED_BUDGET = 1 << 20
"""Compressed bytes of an answer to one who asks for another: to that one nothing can follow by itself."""

GUESS_BUDGET = 256 * 1024
"""Compressed bytes sent at once of what the target may turn out to have itself."""

MISSING_TOLD = 512
"""How many modules that are not to be had are named along with those that are."""

ELSEWHERE = ("_overlapped", "_scproxy", "_winapi", "_winreg", "msvcrt", "nt", "org", "winreg")
"""What Python's own library tries to import on other systems: every child is told what of it the master has not."""


@dataclass
class Child:
    """What one child was sent, and may have. Bounded by what there is on the master.

    sent: (name, whether as code). waiting: announced to the child and still to be sent, in order. told: names of
    modules that it knows it cannot have. lacking: it asked for parts of a distribution it would have taken its own of.
    """

    sent: set[tuple[str, bool]] = field(default_factory=set)
    waiting: dict[str, Ruling] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    lacking: bool = False
    refusals: int = 0
    granted: set[str] = field(default_factory=set)
    distributions: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)


class Load:
    """What goes to one child at once: entries, and an announcement of those that follow. Under the server's lock.

    left: bytes that still fit. follow: whether what does not fit may wait, or has to be asked for.
    """

    def __init__(self, entries: Entries, child: Child, code: bool, left: int, follow: bool) -> None:
        self.entries: list[Any] = []
        self.left = left
        self.follow = follow
        self.child = child
        self._stock = entries
        self._code = code
        self._late: list[str] = []

    def put(self, name: str, ruling: Ruling) -> None:
        """An entry that has to go, whatever its size."""
        packed, size = self._stock.module(name, ruling, self._code)
        self._stock.sent += 1
        self._stock.bytes += size
        self.left -= size
        self.child.sent.add((name, self._code))
        self.entries.append(packed)

    def add(self, rulings: Iterable[tuple[str, Ruling]], lacking: Distribution | None = None) -> None:
        """Entries of what is served and was not sent, as far as they fit.

        What the target may have itself is a guess, and limited, unless it is of the distribution that it lacks.
        """
        guesses = GUESS_BUDGET
        for name, ruling in rulings:
            if (name, self._code) in self.child.sent or not ruling.served or _in_bundle(name):
                continue
            sure = ruling.verdict == "master" or self._lacks(self._stock.owner(name), lacking)
            # A guess that does not fit ends guessing: making entries only to weigh them costs time.
            if (sure and not self._late) or (not sure and guesses > 0):
                size = self._stock.module(name, ruling, self._code)[1]
                if size <= self.left and (sure or size <= guesses):
                    guesses -= 0 if sure else size
                    self.put(name, ruling)
                    continue
                guesses = guesses if sure else 0
            if self.follow and sure:
                # In whatever form it goes then, it is not to be sent again.
                self.child.sent.update([(name, True), (name, False)])
                self.child.waiting[name] = ruling
                self._late.append(name)

    def _lacks(self, owner: Distribution | None, lacking: Distribution | None) -> bool:
        """Whether the target will hardly have a distribution itself: it lacks this one, or one of the kind, which only
        requires compiled code or is the system's here."""
        return owner is not None and (owner is lacking or (self.child.lacking and not owner.native_files))

    def items(self, missing: Iterable[str]) -> list[Any]:
        """All that goes: the announcement, entries, and why what is missing is."""
        absent, told = [], self.child.told
        wanted = [*missing, *ELSEWHERE] if self.entries else list(missing)
        for name in [name for name in wanted if name not in told][:MISSING_TOLD]:
            refusal = self._stock.why_not(name)
            if refusal is None:
                continue
            told.add(name)
            if refusal.rule == "absent":
                absent.append(name)
            else:
                self.entries.append(self._stock.refusal(name, refusal))
        return [announcement(self._late, absent), *self.entries] if self._late or absent else self.entries


def _in_bundle(name: str) -> bool:
    """Whether a child has a module from its first moment."""
    return name == "remotesvc" or f"{name}.".startswith("remotesvc.bootstrap.")
