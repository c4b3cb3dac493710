"""Makes many files durable: a few threads wait for the disk, which takes several files in the time of one."""

import collections
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Deque, List, Optional

# Threads that wait for the disk at once: more gain nothing on any disk that was measured.
THREADS = 8
# Descriptors that may wait; whoever brings more waits, so that a process with few of them does not run out.
MAX_WAITING = 32


class Flusher(object):
    """Takes descriptors, makes what they stand for durable, and closes them. ``durable`` False: only closes."""

    def __init__(self, durable: "bool") -> "None":
        self._durable = durable
        self._queue: "Deque[int]" = collections.deque()
        self._wake = threading.Condition(threading.Lock())
        self._threads: "List[threading.Thread]" = []
        self._busy = 0
        self._closed = False
        self._error: "Optional[BaseException]" = None

    def put(self, fd: "int") -> "None":
        """Take a descriptor over. Raises the first error there was."""
        if not self._durable:
            os.close(fd)
            return
        with self._wake:
            while len(self._queue) >= MAX_WAITING and self._threads:
                self._wake.wait()
            self._queue.append(fd)
            if len(self._threads) < min(THREADS, len(self._queue) + self._busy):
                self._start()
            self._wake.notify_all()
        if not self._threads:
            self._drain_here()
        self._check()

    def _start(self) -> "None":
        thread = threading.Thread(target=self._work, name="remotesvc-fsync", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads here: those there are do it, or the caller
            return
        self._threads.append(thread)

    def _work(self) -> "None":
        while True:
            with self._wake:
                while not self._queue and not self._closed:
                    self._wake.wait()
                if not self._queue:
                    return
                fd = self._queue.popleft()
                self._busy += 1
            self._flush(fd)
            with self._wake:
                self._busy -= 1
                self._wake.notify_all()

    def _drain_here(self) -> "None":
        while self._queue:
            self._flush(self._queue.popleft())

    def _flush(self, fd: "int") -> "None":
        try:
            try:
                if self._error is None:
                    os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._error = self._error or error

    def _check(self) -> "None":
        if self._error is not None:
            raise self._error

    def wait(self) -> "None":
        """Wait until all is durable. Raises the first error there was."""
        with self._wake:
            while self._queue or self._busy:
                self._wake.wait()
        self._check()

    def close(self) -> "None":
        """End the threads once they have closed what they were given."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
