"""Run one function for every host, a bounded number at a time, and yield what became of each as it comes.

Other threads do the work (see `coordinator`); the caller's thread waits on one queue. The queue is a SimpleQueue
because its `put` may be called from a signal handler, so Ctrl-C can be turned into a `Stop` without raising
anywhere: an exception in the middle of somebody's loop is how results that already arrived get lost.

After a stop, hosts that never started, or are still connecting, are `not_run`; those under way are told (their
`on_stop` callbacks) and have a short grace to end by themselves; what is left then is `cancelled`. Every host
gets exactly one outcome.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .attempt import Attempt, Begun
from .coordinator import RunCoordinator
from .outcome import Outcome
from .schedule import Limits

DEFAULT_LIMITS = Limits()
GRACE = 3.0
"""Seconds that hosts under way have after a stop, to end in their own way."""

LOOK = 1.0
"""Seconds of one wait at most. A signal that comes just before a wait begins does not end it, and its handler runs only
afterwards."""

HostT = TypeVar("HostT")
_WAKE = None


class Stop:
    """A request to stop, from any thread or from a signal handler. One per gathering."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[list[Outcome] | None] | None = None
        self.requested = False
        self.reason = ""
        """Why the run ended early by its own limits; empty if it did not."""
        self.noticed: Callable[[], object] | None = None
        """Called once, on the thread that gathers, when the stop begins: before hosts get the time to end."""

    def request(self) -> None:
        """Ask for the end. Returns at once, takes no lock, may be called again."""
        self.requested = True
        if self._queue is not None:
            self._queue.put(_WAKE)

    def _attach(self, outcomes: queue.SimpleQueue[list[Outcome] | None]) -> None:
        self._queue = outcomes
        if self.requested:
            outcomes.put(_WAKE)


def gather(
    hosts: Sequence[HostT],
    work: Callable[[HostT, Attempt], Any],
    *,
    begin: Callable[[HostT, Attempt], Begun | None] = lambda host, attempt: None,
    limits: Limits = DEFAULT_LIMITS,
    label: Callable[[HostT], str] = str,
    stop: Stop | None = None,
    grace: float = GRACE,
    deadline: float | None = None,
    retried: Callable[[HostT, int, BaseException], object] = lambda host, tries, error: None,
) -> Iterator[Outcome]:
    """Yield one outcome for each of `hosts`, in the order they end. Nothing is raised out of the loop.

    `work(host, attempt)` returns the value or raises, on a thread that may wait. `begin(host, attempt)` may spare it
    that: it starts what is to be done, waits for nothing, and returns the call that is under way, or None. `limits` say
    how many at a time, in which batches, and what ends the run early. `stop` ends it, too, and so does reaching
    `deadline`, an instant of ``time.monotonic()``. Leaving the loop is a stop. `retried(host, tries, error)` is called,
    on a thread of the run, when a host will be tried again; it must not raise.
    """
    coordinator = RunCoordinator(hosts, work, begin, label, limits, retried)
    stop = stop or Stop()
    stop._attach(coordinator.outcomes)
    coordinator.open()
    left = len(hosts)
    until: float | None = None
    try:
        while left:
            limit = until if until is not None else deadline
            try:
                wait = LOOK if limit is None else min(LOOK, max(0.0, limit - time.monotonic()))
                ended = coordinator.outcomes.get(timeout=wait) or []
            except queue.Empty:
                ended = []
                if limit is None or time.monotonic() < limit:
                    coordinator.look()
                    continue
                if until is None:
                    coordinator.reason = "the time for the whole run is over"
                    stop.request()
                else:
                    ended = coordinator.give_up()
            if until is None and stop.requested:
                until = time.monotonic() + grace
                if stop.noticed is not None:
                    stop.noticed()
                ended += coordinator.stop()
            left -= len(ended)
            stop.reason = coordinator.reason
            yield from ended
    finally:
        if left:  # the consumer left the loop
            coordinator.stop()
        coordinator.close()
