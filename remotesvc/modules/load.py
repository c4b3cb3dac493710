"""What goes to a child at once, what follows, and what the child was sent before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from remotesvc.bootstrap.imports.modules import announcement

from .closure import Closure
from .distributions import Distribution
from .entry import Entries
from .policy import Ruling

CHUNK = 112 * 1024
"""Compressed bytes of modules in one message, which with its header is one frame. A single module may be larger."""

FIRST = 24 * 1024
"""Compressed bytes of an answer whose rest can be announced: the child waits for it, and can begin with little."""

RELAYED_BUDGET = 1 << 20
"""Compressed bytes of an answer that is passed on to a context further down, to which nothing can follow by itself."""

GUESS_BUDGET = 256 * 1024
"""Compressed bytes sent at once of what the target may turn out to have itself."""

MISSING_TOLD = 512
"""How many modules that are not to be had are named along with those that are."""

ELSEWHERE = ("_overlapped", "_scproxy", "_winapi", "_winreg", "msvcrt", "nt", "org", "winreg")
"""What the standard library tries to import for other systems. Every child is told at once which the master lacks."""


@dataclass
class Course:
    """A closure on its way to a child.

    rule: how it is decided whether the child gets a module. done: how many of its modules have been dealt with.
    announced: how many of those coming. guesses: bytes left for what the target may turn out to have itself.
    lacking: a distribution that it does not have itself.
    """

    closure: Closure
    rule: Callable[[str], Ruling]
    guesses: int
    lacking: Distribution | None = None
    done: int = 0
    announced: int = 0


@dataclass
class Deliveries:
    """What one child was sent, and will be. Bounded by what there is on the master."""

    sent: set[tuple[str, bool]] = field(default_factory=set)
    """(name, whether as code)."""
    courses: list[Course] = field(default_factory=list)
    """What is on its way, in order."""
    promised: set[str] = field(default_factory=set)
    """Announced to the child and still to be sent."""
    told: set[str] = field(default_factory=set)
    """Names of modules that it knows it cannot have."""
    lacking: bool = False
    """It asked for parts of a distribution of which it would have taken its own."""

    def give_up(self) -> list[str]:
        """What is on its way will not be sent. Returns the names that were promised."""
        dropped = sorted(self.promised)
        self.sent -= {(name, code) for name in dropped for code in (True, False)}
        self.promised.clear()
        self.courses.clear()
        return dropped


class Load:
    """What goes to one child at once: entries, and an announcement of those that follow. Under the server's lock.

    left: bytes that still fit. follow: whether what does not fit may wait, or has to be asked for. one: whether one
    entry goes even if it does not fit. call: whether it goes with a call, which may have to wait there for calls that
    run: what those were promised must not wait with it, so it comes by itself.
    """

    def __init__(
        self, entries: Entries, deliveries: Deliveries, code: bool, left: int, follow: bool, one: bool = False,
        call: bool = False,
    ) -> None:
        self._entries: list[Any] = []
        self.left = left
        self._follow = follow
        self._one = one
        self._call = call
        self._deliveries = deliveries
        self._stock = entries
        self._code = code
        self._late: list[str] = []

    def put(self, name: str, ruling: Ruling) -> None:
        """An entry that has to go, whatever its size."""
        packed, size = self._stock.module(name, ruling, self._code)
        self._stock.sent += 1
        self._stock.bytes += size
        self.left -= size
        self._deliveries.sent.add((name, self._code))
        self._deliveries.promised.discard(name)
        self._entries.append(packed)

    def begin(
        self, closure: Closure, rule: Callable[[str], Ruling], lacking: Distribution | None = None
    ) -> list[Any]:
        """What goes of a closure at once. The rest, if it follows, comes before what is on its way already: somebody
        waits for it."""
        course = Course(closure, rule, CHUNK if self._follow else GUESS_BUDGET, lacking)
        self._fill(course)
        if self._follow and closure.reach(course.done + 1):
            self._deliveries.courses.insert(0, course)
        return self._items(closure.missing)

    def go_on(self) -> list[Any]:
        """The next of what is on its way to the child; empty if nothing is."""
        courses = self._deliveries.courses
        missing: list[str] = []
        while courses and self.left > 0:
            course = courses[0]
            # Look further and further ahead of what is sent: a function may import a module before its turn comes,
            # and need not ask for one that was announced.
            course.closure.reach(2 * course.done)
            self._fill(course)
            missing += course.closure.missing
            if course.closure.reach(course.done + 1):
                break
            del courses[0]
        return self._items(missing)

    def _fill(self, course: Course) -> None:
        """Entries of what is served and was not sent, in the order of a closure, as far as they fit; the names of what
        follows are announced."""
        while self.left > 0 and course.closure.reach(course.done + 1):
            if not self._add(course, course.closure.names[course.done]) and self._follow:
                break
            course.done += 1
        if self._follow:
            self._announce(course)

    def _add(self, course: Course, name: str) -> bool:
        """Deal with one module; False if it has to go and does not fit.

        What the target may have itself is a guess, and limited, unless it is of the distribution that it lacks.
        """
        promised = name in self._deliveries.promised and not self._call
        if not promised and ((name, self._code) in self._deliveries.sent or in_bundle(name)):
            return True
        ruling = course.rule(name)
        if not ruling.served:
            return True
        sure = self._sure(course, name, ruling)
        if not sure and course.guesses <= 0:
            return True
        size = self._stock.module(name, ruling, self._code)[1]
        fits = size <= self.left or (self._one and sure and not self._entries)
        if fits and (sure or size <= course.guesses):
            course.guesses -= 0 if sure else size
            self.put(name, ruling)
            return True
        if not sure and (size > course.guesses or not self._follow):
            course.guesses = 0  # making entries only to weigh them costs time
            return True
        return False

    def _announce(self, course: Course) -> None:
        """Tell of what is imported by modules that were sent, and will follow."""
        coming = course.closure.coming
        for name in islice(coming, course.announced, None):  # to judge one may add more, where imports are locked
            if (name, self._code) in self._deliveries.sent or in_bundle(name):
                continue
            ruling = course.rule(name)
            if ruling.served and self._sure(course, name, ruling):
                # In whatever form it goes then, it is not to be sent again.
                self._deliveries.sent.update([(name, True), (name, False)])
                self._deliveries.promised.add(name)
                self._late.append(name)
        course.announced = len(coming)

    def _sure(self, course: Course, name: str, ruling: Ruling) -> bool:
        return ruling.verdict == "master" or self._lacks(self._stock.owner(name), course.lacking)

    def _lacks(self, owner: Distribution | None, lacking: Distribution | None) -> bool:
        """Whether the target will hardly have a distribution itself: it lacks this one, or one of the kind, which only
        requires compiled code or is the system's here."""
        return owner is not None and (owner is lacking or (self._deliveries.lacking and not owner.native_files))

    def _items(self, missing: Iterable[str]) -> list[Any]:
        """All that goes: the announcement, entries, and why what is missing is."""
        absent, told = [], self._deliveries.told
        wanted = [*missing, *ELSEWHERE] if self._entries else list(missing)
        for name in [name for name in wanted if name not in told][:MISSING_TOLD]:
            refusal = self._stock.why_not(name)
            if refusal is None:
                continue
            told.add(name)
            if refusal.rule == "absent":
                absent.append(name)
            else:
                self._entries.append(self._stock.refusal(name, refusal))
        return [announcement(self._late, absent), *self._entries] if self._late or absent else self._entries


def in_bundle(name: str) -> bool:
    """Whether a child has a module from its first moment."""
    return name == "remotesvc" or f"{name}.".startswith("remotesvc.bootstrap.")
