"""What a generator on a target yields, one at a time and under credit."""

import collections
import threading

from ..bootstrap.bound import Bound
from ..bootstrap.calls.ask import error_untrusted
from ..bootstrap.calls.current import running
from ..bootstrap.calls.pending import LOOK_EVERY
from ..bootstrap.errors import Busy, Lost, NotSent
from ..bootstrap.links import wire
from ..bootstrap.routing.mailbox import Mailbox
from .outcomes import bindings_for, own_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Tuple


class Arrivals(Mailbox):
    """The mailbox of one remote generator: what has come and was not taken."""

    def __init__(self, context: "Any", handle: "int", source: "int", call: "str", classes: "Any",
                 give_up: "Callable[[int], Any]", tokens: "Tuple[int, ...]" = ()) -> "None":
        self._give_up = give_up
        self.source = source
        self._context = context
        self._handle = handle
        self._call = call
        self._classes = classes
        self._tokens = tokens
        self._queue: "Deque[Any]" = collections.deque()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._closed = False

    def on_message(self, message: "Any") -> "None":
        """On the reader thread: the next item."""
        self._put(message)

    def on_closed(self, error: "BaseException") -> "None":
        """On whatever thread noticed: there will be no more."""
        # What has begun was surely sent.
        self._put(Lost(error.message) if type(error) is NotSent or type(error) is Busy else error)

    def _put(self, item: "Any") -> "None":
        with self._lock:
            if not self._closed:
                self._queue.append(item)
                self._wake.notify()
                return
        _release(item)

    def take(self) -> "Any":
        """The next item; waits for it. Raises StopIteration, what the generator raised, or Lost; and Cancelled in a
        call that its caller gave up, whatever is here: a loop over all that comes would not end else."""
        call = running()
        with self._lock:
            while not self._queue and not self._closed and (call is None or not call.cancelled):
                self._wait(call)
            if self._closed:
                raise StopIteration
            item = None if call is not None and call.cancelled else self._queue.popleft()
        if item is None:
            self.close()
            raise self._context.tree.cancelled("the call that wanted it is over", self._context.name, self._call)
        if isinstance(item, BaseException):
            self._finish()
            raise own_error(self._context, item, self._call)
        try:
            value = item.decode(bindings_for(self._context, self._classes))
        finally:
            item.release()
            if item.flags & wire.END:
                self._finish()
        if item.flags & wire.END:
            if item.flags & wire.ERROR:
                raise error_untrusted(value, self._context.name, self._call, self._classes,
                                      self._context.tree.source_line)
            raise StopIteration(value)
        return value

    def _wait(self, call: "Any") -> "None":
        """Wait to be woken, in a call only for a moment; the lock is held. Raises ForkedError."""
        router = self._context.tree.router
        if router.forked:  # what comes goes to the process that this is a copy of
            router.alive()
        if call is None:
            self._wake.wait()
            return
        call.waits_for = self._tokens
        try:
            self._wake.wait(LOOK_EVERY)
        finally:
            call.waits_for = ()

    def wait(self, timeout: "float") -> "bool":
        """Wait until ``take`` would not: True; False after ``timeout`` seconds."""
        with self._lock:
            if not self._queue and not self._closed:
                self._wake.wait(timeout)
            return bool(self._queue) or self._closed

    def _finish(self) -> "None":
        with self._lock:
            self._closed = True
            unused = list(self._queue)
            self._queue.clear()
            self._wake.notify_all()
        self._context.tree.router.drop(self._handle)
        for item in unused:
            _release(item)

    def close(self) -> "None":
        """Nobody will take any more: the generator on the target is closed. Idempotent."""
        if not self._closed:
            self._finish()
            self._give_up(self._handle)

    def forget(self) -> "None":
        """Have it closed before the next call, or within a second, by another thread: no lock is taken here."""
        if not self._closed:
            self._context.tree.router.forgotten.append(self.close)


class Items(Bound):
    """An iterator over the items of one remote generator; closing it, or losing it, closes the generator there.
    ``yield from`` it gives what the generator returned.

    The target runs ahead by few items until some are taken, later by at most one window of bytes (1 MiB). A dead target
    ends the iteration with Lost.
    """

    def __init__(self, arrivals: "Arrivals") -> "None":
        self._arrivals = arrivals

    def __iter__(self) -> "Items":
        return self

    def __next__(self) -> "Any":
        """The next item. Raises what the generator raised, or Lost."""
        return self._arrivals.take()

    def wait(self, timeout: "float" = 0.0) -> "bool":
        """Is the next item, or the end, here? Waits for it for ``timeout`` seconds."""
        return self._arrivals.wait(timeout)

    def close(self) -> "None":
        """Stop: the generator on the target is closed. Idempotent."""
        self._arrivals.close()

    def __enter__(self) -> "Items":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()

    def __del__(self) -> "None":
        self._arrivals.forget()


def _release(item: "Any") -> "None":
    """Give back the room of a message that nobody will read."""
    if not isinstance(item, BaseException):
        item.release()
