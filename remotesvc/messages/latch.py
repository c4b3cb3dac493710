"""A latch: items handed from thread to thread within one process."""

import time

from ..bootstrap.calls.current import running
from ..bootstrap.errors import UsageError
from .errors import Closed, WaitTimeout
from .waitable import NOTHING, Waitable, deadline_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

# Items that may wait in a latch, as many as calls may be unanswered: a thread that only puts waits here rather than
# fill memory.
LIMIT = 10000


class Latch(Waitable):
    """A queue between threads that can end, and that a Select can wait for.

    limit  items that may wait in it; ``put`` waits while there are so many
    """

    def __init__(self, limit: "int" = LIMIT) -> "None":
        super().__init__()
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise UsageError("limit is a number of items, at least 1, not %r" % (limit,))
        self._limit = limit

    def put(self, item: "Any", timeout: "Optional[float]" = None, block: "bool" = True) -> "None":
        """Add an item; waits for room as ``get`` waits for items. Raises what that does."""
        call, deadline = running(), deadline_of(timeout, block)
        with self._lock:
            while len(self._queue) >= self._limit and not self._closed:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise WaitTimeout("%d items wait in the latch, which is its limit" % len(self._queue))
                self._wait(left, call)
            if self._closed:
                raise Closed("the latch is closed")
            self._queue.append(item)
            self._wake.notify()
        self._tell()

    def poll(self) -> "Any":
        """The next item, or NOTHING; never waits."""
        with self._lock:
            if len(self._queue) >= self._limit:
                self._wake.notify_all()  # those who wait for room
            return self._queue.popleft() if self._queue else NOTHING

    @property
    def pending(self) -> "int":
        """How many items wait in it."""
        return len(self._queue)

    def close(self) -> "None":
        """Nothing more is put: what is here can still be taken, whoever waits wakes. Idempotent."""
        with self._lock:
            self._closed = True
        self._stir()

    def __enter__(self) -> "Latch":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()
