"""Threads for what has to be waited for: started as they are needed, kept for what comes next."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], object]


class Threads:
    """Any number of threads. Jobs must not raise; `done` is called after each, on the thread that did it."""

    def __init__(self, done: Callable[[], object]) -> None:
        self._done = done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0  # threads that have no job
        self._started = 0

    def do(self, job: Job) -> None:
        """Have a job done at once, however many others are under way. Raises RuntimeError if there can be no more
        threads."""
        with self._lock:
            free = self._free > 0
            if free:
                self._free -= 1
            else:
                self._started += 1
                name = f"remotesvc-host-{self._started}"
        if not free:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._jobs.put(job)

    def close(self) -> None:
        """The threads end when they have no job."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            with self._lock:
                self._free += 1
            self._done()
        self._jobs.put(None)  # for the next one
