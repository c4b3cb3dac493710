"""Time as a test lived through it: a machine that stands still for seconds is not held against what it tests."""

from __future__ import annotations

import threading
import time
import weakref

TICK = 0.02
MOST = 0.1
"""Seconds of one tick that count: whoever gets a processor now and then needs no more."""


class Stopwatch:
    """Counts from when it is made. While this process gets no processor, or the whole machine is paused, it stands.

    For bounds of a few seconds; a thread counts, as long as somebody holds the watch.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        threading.Thread(target=_count, args=(weakref.ref(self),), name="stopwatch", daemon=True).start()

    @property
    def seconds(self) -> float:
        """So far, to a tick."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._seconds += min(seconds, MOST)


def _count(held: weakref.ref[Stopwatch]) -> None:
    last = time.monotonic()
    while True:
        time.sleep(TICK)
        now = time.monotonic()
        watch = held()
        if watch is None:
            return
        watch.advance(now - last)
        last = now
        del watch
