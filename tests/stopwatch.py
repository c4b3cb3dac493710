"""Time as a test lived through it: a machine that stands still for seconds is not held against what it tests."""

from __future__ import annotations

import threading
import time

TICK = 0.02
MOST = 0.1
"""Seconds of one tick that count: whoever gets a processor now and then needs no more."""

_running: list[Stopwatch] = []


class Stopwatch:
    """Counts from when it is made. While this process gets no processor, or the whole machine is paused, it stands.

    For bounds of a few seconds. A thread counts, until the test is over: `stop_all`.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, name="stopwatch", daemon=True)
        self._thread.start()
        _running.append(self)

    @property
    def seconds(self) -> float:
        """So far, to a tick."""
        return self._seconds

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        last = time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            self._seconds += min(now - last, MOST)
            last = now


def stop_all() -> None:
    """What a test started and holds no longer ends here, whoever else may hold it."""
    while _running:
        _running.pop().stop()
