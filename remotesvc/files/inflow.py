"""The receiving end of a transfer: a mailbox whose messages are taken by the thread that hashes and writes."""

import collections
import threading
import time

from ..bootstrap.errors import Cancelled
from ..bootstrap.links import wire
from ..bootstrap.routing.mailbox import Mailbox
from .errors import TransferStalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Iterator, Optional

# Seconds between two looks whether the transfer was given up.
_LOOK = 0.5


class Inflow(Mailbox):
    """Messages from one context. What waits here is bounded by the sender's window: each message is released once it
    has been used."""

    def __init__(self, router: "Any", source: "Optional[int]") -> "None":
        self.source = source
        self.received = 0
        self._router = router
        self._queue: "Deque[Any]" = collections.deque()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._closed = False
        self.handle = router.open(self)

    def on_message(self, message: "Any") -> "None":
        """On the reader thread: the next message."""
        with self._lock:
            if not self._closed:
                self._queue.append(message)
                self._wake.notify()
                return
        message.release()

    def on_closed(self, error: "BaseException") -> "None":
        """On whatever thread noticed: there will be no more."""
        with self._lock:
            self._queue.append(error)
            self._wake.notify()

    def bodies(self, idle: "Optional[float]", over: "Callable[[], bool]", waiting: "Callable[[], Any]" = bool
               ) -> "Iterator[Any]":
        """The body of each message up to the last; it is released when the next one is asked for.

        Raises TransferStalled when nothing comes for ``idle`` seconds, Cancelled once ``over()``, Lost. ``waiting()``
        is called now and then while nothing is here, and may raise what the sender says in another way.
        """
        while True:
            # Before each message: where they come faster than they are used, the wait for one never begins.
            if over():
                raise Cancelled("the transfer was given up")
            message = self._take(idle, over, waiting)
            if isinstance(message, BaseException):
                raise message
            try:
                self.received += len(message.payload)
                yield message.payload
            finally:
                message.release()
            if message.flags & wire.END:
                return

    def _take(self, idle: "Optional[float]", over: "Callable[[], bool]", waiting: "Callable[[], Any]") -> "Any":
        begun = time.monotonic()
        with self._lock:
            while not self._queue:
                if over():
                    raise Cancelled("the transfer was given up")
                waiting()
                if idle is not None and time.monotonic() - begun > idle:
                    raise TransferStalled("the sender sent nothing for %g s" % idle)
                self._wake.wait(_LOOK)
            return self._queue.popleft()

    def look(self) -> "None":
        """Whoever waits here asks ``over`` again; on any thread."""
        with self._lock:
            self._wake.notify()

    def close(self) -> "None":
        """Take no more; what still comes is dropped and its room given back. Idempotent."""
        self._router.drop(self.handle)
        with self._lock:
            self._closed = True
            unused, self._queue = self._queue, collections.deque()
        for message in unused:
            if not isinstance(message, BaseException):
                message.release()
