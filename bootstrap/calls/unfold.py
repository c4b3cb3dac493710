"""Values that take time: coroutines are run to their end, generators are iterated by the caller under credit."""
import threading

from ..errors import Error, NotSent
from ..links import wire
from ..links.credit import WINDOW, SendCredit
from ..links.own_stream import OwnStream
from .awaiting import from_async, run
from .current import enter
from .execute import Full
from .outcome import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Tuple

# Open generators; each has a thread of its own, which mostly waits for credit.
MAX_OPEN = 64
# Items that go ahead of a caller who took none: many take one and go, and what they leave they would have to wait for.
# Each grant says that more were taken, and then there may be so many times more, up to the window.
AHEAD, MORE = 64, 4


class Ahead(SendCredit):
    """What may be sent to a caller who may go on, or not.

    It counts items, as if all were as large as the next one: large ones are few in a window as it is. Our peer's first
    grants come as much sooner: see ``assembly.Eager``.
    """

    items = AHEAD

    def take(self, size: "int") -> "bool":
        """See ``SendCredit.take``."""
        return self.outstanding < self.items * size and SendCredit.take(self, size)

    def granted(self, size: "int") -> "None":
        """See ``SendCredit.granted``."""
        SendCredit.granted(self, size)
        self.items = min(MORE * self.items, WINDOW)


class Unfolder(object):
    """What one context has open."""

    def __init__(self, router: "Any", executor: "Any") -> "None":
        self._router = router
        self._executor = executor
        self._finished = getattr(executor, "finished", None) or router.dispatcher.finished
        self._lock = threading.Lock()
        self._open = 0

    def __call__(self, call: "Any", message: "Any", value: "Any") -> "Tuple[bool, Any]":
        """(True, value) for a coroutine, (False, None) once a thread sends what a generator yields."""
        if hasattr(type(value), "__await__"):
            return True, run(value)
        if not iterates(value):
            return True, value
        with self._lock:
            if self._open >= MAX_OPEN:
                raise Full("%d generators are open, which is the limit" % MAX_OPEN, call=call.name)
            self._open += 1
        # From here on its end is told by that thread, not by the worker.
        call.open = True
        thread = threading.Thread(target=self._produce, args=(call, message, value), name="remotesvc-generator",
                                  daemon=True)
        try:
            thread.start()
        except RuntimeError:  # this host has no room for another: its end is an ordinary one
            call.open = False
            self._closed()
            raise
        return False, None

    def _closed(self) -> "None":
        with self._lock:
            self._open -= 1

    def _produce(self, call: "Any", message: "Any", items: "Any") -> "None":
        try:
            self.produce(call, message, items)
        finally:
            self._closed()
            self._finished(call)

    def produce(self, call: "Any", message: "Any", items: "Any") -> "None":
        """Send what a generator yields; returns when it has ended."""
        enter(call)
        stream = OwnStream(self._router, message.src, message.reply_to, Ahead(WINDOW))
        call.on_cancel(stream.wake)  # or it would be open until credit comes
        if hasattr(type(items), "__anext__"):
            items = from_async(items)
        ours = True  # does what goes wrong now go wrong with sending, or in the generator?
        try:
            self._send(call, stream, None, 0)
            while True:
                ours = False
                try:
                    item = next(items)
                except StopIteration as end:
                    ours = True
                    self._send(call, stream, end.value, wire.END)  # what it returned, for `yield from`
                    break
                ours = True
                self._send(call, stream, item, 0)
        except BaseException as error:
            if call.cancelled:  # nobody wants to know how it ended
                stream.abandon()
            else:
                skip = None if ours and issubclass(type(error), Error) else 1
                fail(self._executor, call, message, error, skip, stream)
        finally:
            try:
                items.close()
            except BaseException as error:  # what a generator does when it is told to end is its own affair
                self._router.report(error)
            enter(None)

    def _send(self, call: "Any", stream: "OwnStream", value: "Any", flags: "int") -> "None":
        """Send the next item; waits until the caller has room for it. Raises EncodeError, and NotSent when the caller
        is gone or has closed the iterator."""
        self._executor.drain(call.id)
        if call.cancelled:  # nobody may be left to keep us without credit, either
            raise NotSent("the iterator is closed")
        router = self._router
        encoded = router.codec.encode(value, router.bindings, False, "return value" if flags & wire.END else "item")
        stream.send(encoded, flags | wire.STREAM, given_up=lambda: call.cancelled)


def iterates(value: "Any") -> "bool":
    """Is it a generator, or an asynchronous one? Its type says so: what stands for anything has any attribute."""
    kind = type(value)
    return hasattr(kind, "gi_frame") or (hasattr(kind, "__anext__") and hasattr(kind, "aclose"))
