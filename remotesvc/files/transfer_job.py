"""One transfer as whoever asked for it sees it: what ends it early, and what it tells meanwhile."""

import os
import threading
import time

from ..bootstrap.calls.current import running
from ..bootstrap.errors import CallTimeout, Cancelled, Lost
from ..calling.items import Items
from .answers import malformed
from .copied import Copied
from .errors import RAISES, TransferStalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Optional

    from .options import Options

# Seconds that a target gets to clear up after a source that failed here: it does so in a few writes, or is frozen, and
# clears up when its link ends.
SETTLES = 10.0


class TransferJob(object):
    """The books of one transfer between us and a context; ``name`` is what errors call it, ``generators`` how many it
    opens there."""

    # Seconds between two looks at ``stop`` while the other side works.
    LOOK = 0.2

    def __init__(self, context: "Any", name: "str", options: "Options", generators: "int" = 1) -> "None":
        self.context = context
        self.router = context.tree.router
        self.name = name
        self.options = options
        self.begun = time.monotonic()
        self.items: "Optional[Items]" = None
        self._generators = generators
        self._turn = False

    def ask(self, function: "str", request: "Dict[str, Any]",
            meanwhile: "Optional[Callable[[Callable[[], bool]], Any]]" = None) -> "Any":
        """Begin on the target; returns the first it says. ``meanwhile(over)`` works here until ``over()``."""
        self.check()
        changes: "Dict[str, Any]" = {"raises": RAISES}
        self.context.tree.turns.take(self.context.id, self._generators, self.check)
        self._turn = True
        if self.options.timeout is not None:
            changes["timeout"] = self.options.timeout
        context = self.context.options(**changes)
        if meanwhile is None:
            items = context.call(function, request)
        else:
            future = context.submit(function, request)
            try:
                meanwhile(future.done)
            except BaseException:  # of the source, or Ctrl-C
                future.cancel()
                raise
            items = self.result(future)
        self.items = self.said(items)
        return self.next()

    def again(self, generators: "int") -> "TransferJob":
        """Another transfer of the same undertaking."""
        other = TransferJob(self.context, self.name, self.options, generators)
        other.begun = self.begun
        return other

    def submit(self, function: "str", *args: "Any") -> "Any":
        """Call something on the target; ``result`` waits for it. Raises CallTimeout, Cancelled."""
        self.check()
        return self.context.options(raises=RAISES).submit(function, *args)

    def result(self, future: "Any") -> "Any":
        """What it returned. Raises what it raised, Lost, CallTimeout, Cancelled."""
        done = threading.Event()
        future.add_done_callback(lambda ended: done.set())
        try:
            while not done.wait(self.LOOK):
                self.check()
        except BaseException:  # a stop, or Ctrl-C: the other side must not go on alone
            future.cancel()
            raise
        return future.result()

    def said(self, answer: "Any") -> "Items":
        """The answer of a generator there. Raises TransferRefused for another."""
        if not isinstance(answer, Items):
            raise malformed(self.context.name)
        return answer

    def next(self) -> "Any":
        """The next that the target says, whatever that is. Raises what it raised, TransferRefused if it says nothing
        more, Lost, CallTimeout, Cancelled."""
        return self.next_of(self.items)

    def next_of(self, items: "Any") -> "Any":
        """The next that another generator there says. Raises what ``next`` does."""
        while not items.wait(self.LOOK):
            self.check()
        try:
            return next(items)
        except StopIteration:  # a loop that we are called in would take it for its own end
            raise malformed(self.context.name) from None

    def waiting(self) -> "bool":
        """Has the target not yet said the next?"""
        return self.items is None or not self.items.wait(0)

    def settle(self) -> "None":
        """Wait until the target has said the next, which is left to be taken, or did nothing for a while. Raises
        CallTimeout, Cancelled."""
        end = time.monotonic() + min(self.options.idle_timeout, SETTLES)
        while not self.items.wait(self.LOOK) and time.monotonic() < end:  # type: ignore[union-attr]
            self.check()

    def check(self) -> "None":
        """Raise CallTimeout or Cancelled if it is to end."""
        options = self.options
        if call_is_over():
            raise self.context.tree.cancelled("the call that wanted it is over", self.context.name, self.name)
        if options.stop is not None and options.stop.is_set():
            raise self.context.tree.cancelled("stopped", self.context.name, self.name)
        if options.timeout is not None and time.monotonic() - self.begun > options.timeout:
            raise CallTimeout("not done within %g s" % options.timeout, self.context.name, self.name)

    def over(self) -> "bool":
        """False, or the same errors: for those who ask whether it is over."""
        self.check()
        return False

    def told(self, done: "int", total: "Optional[int]") -> "None":
        """So many bytes are done."""
        if self.options.progress is not None:
            self.options.progress(done, total)

    def copied(self, summary: "Dict[str, Any]", **more: "Any") -> "Copied":
        """The outcome, from what a receiver says."""
        names: "Iterable[bytes]" = summary["skipped_names"]
        return Copied(
            files=summary["files"], bytes=summary["bytes"], links=summary.get("links", 0),
            directories=summary.get("directories", 0), skipped=summary["skipped"],
            skipped_names=[os.fsdecode(name) for name in names],
            digest="".join("%02x" % byte for byte in bytearray(summary["digest"])),
            seconds=time.monotonic() - self.begun, **more)

    def close(self) -> "None":
        """Whatever is still going on there ends."""
        try:
            if self.items is not None:
                self.items.close()
        finally:
            turn, self._turn = self._turn, False
            if turn:
                self.context.tree.turns.give_back(self.context.id, self._generators)


def call_is_over() -> "bool":
    """Is nobody there any more who waits for the call that this thread runs, if it runs one?"""
    ours = running()
    return ours is not None and (ours.cancelled or ours.remaining == 0)


def interrupted(error: "BaseException") -> "bool":
    """Did it end from outside, so that what has come is worth keeping?"""
    return isinstance(error, (Cancelled, CallTimeout, Lost, TransferStalled, KeyboardInterrupt))
