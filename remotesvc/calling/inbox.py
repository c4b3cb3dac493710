"""A mailbox with a thread of its own: for what must not be done on a reader."""

import collections
import threading
import time

from ..bootstrap.errors import Error
from ..bootstrap.routing.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, Tuple

# Errors of messages through one neighbour that are reported in so many seconds; whoever sends rubbish must not fill
# our log with it.
REPORTED, PERIOD = 5, 60.0
# Seconds until a thread that could not be started is tried again: others have to end first, and answers wait for it.
AGAIN = 0.5


class Inbox(Mailbox):
    """Messages, and functions to call, one after the other on one thread; it starts with the first, or when it can:
    whoever reads a link and brings one must not fail of that.

    What waits here is bounded by the senders' credit: a message is released when ``handle`` has returned.
    """

    def __init__(self, router: "Any", name: "str", handle: "Callable[[Any], Any]") -> "None":
        self._router = router
        self._name = name
        self._handle = handle
        self._failed = router.report
        self._queue: "Deque[Any]" = collections.deque()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._thread: "Any" = None
        self._put_off = False
        self._working = False
        self._closed = False
        self._failures: "Dict[Any, Tuple[float, int]]" = {}
        self.refused = 0

    def on_message(self, message: "Any") -> "None":
        """On a reader thread: take a message."""
        self._put((None, message))

    def run(self, function: "Callable[..., Any]", *args: "Any") -> "None":
        """Call ``function(*args)`` on this thread, after what is already here."""
        self._put((function, args))

    def flush(self, timeout: "float") -> "bool":
        """Wait until all that is here now has been dealt with; False if that took longer than ``timeout`` seconds, or
        there is no thread for it. On the inbox's own thread there is nothing to wait for."""
        if self._put_off or self.idle or threading.current_thread() is self._thread:
            return not self._put_off
        done = threading.Event()
        self.run(done.set)
        return done.wait(timeout)

    @property
    def idle(self) -> "bool":
        """Is there nothing here, and nothing being dealt with?"""
        return not self._queue and not self._working

    @property
    def waiting(self) -> "int":
        """How many wait here, besides the one being dealt with."""
        return len(self._queue)

    def _put(self, item: "Any") -> "bool":
        with self._lock:
            if self._closed:
                return False
            if self._thread is None and not self._put_off:
                self._begin_locked()
            self._queue.append(item)
            self._wake.notify()
            return True

    def _begin_locked(self) -> "None":
        thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads
            self._router.timers.after(AGAIN, self._begin_late)
            self._put_off = True
        else:
            self._thread = thread

    def _begin_late(self) -> "None":
        with self._lock:
            self._put_off = False
            if not self._closed:
                self._begin_locked()

    def _loop(self) -> "None":
        while True:
            with self._lock:
                self._working = False
                while not self._queue:
                    if self._closed:
                        return
                    self._wake.wait()
                self._working = True  # first, so that nobody sees us idle with this in hand
                function, item = self._queue.popleft()
            try:
                if function is not None:
                    function(*item)
                else:
                    self.take(item)
            except BaseException as error:  # one bad message must not end the thread
                self._failed(error)

    def take(self, message: "Any") -> "None":
        """Deal with a message, on this thread. Raises what is to be reported of it."""
        try:
            self._handle(message)
        except BaseException as error:
            self.refused += 1
            neighbour, now = message.router.routes.towards(message.src), time.monotonic()
            begun, count = self._failures.get(neighbour, (now, 0))
            if now - begun > PERIOD:
                begun, count = now, 0
            self._failures[neighbour] = begun, count + 1
            if count < REPORTED:
                raise
            if count == REPORTED:
                raise Error("no more errors are reported for a while of messages like those of context %d, the last: %s"
                            % (message.src, str(error)[:200])) from None
        finally:
            message.release()

    def close(self) -> "None":
        """End the thread once it has done what is here; waits a moment for it. Where none could be started, do that
        here: futures may wait for what was shown before."""
        with self._lock:
            self._closed = True
            self._wake.notify()
        if self._thread is None:
            self._loop()
        elif self._thread is not threading.current_thread():
            self._thread.join(5)
