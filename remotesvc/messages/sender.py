"""A sender: the address of a Receiver, which travels, and writes under credit."""

import threading
import time

from ..bootstrap.bound import Bound
from ..bootstrap.calls.current import current, running
from ..bootstrap.errors import CallTimeout, EncodeError, ForkedError, Lost, NotSent, UsageError
from ..bootstrap.links import wire
from .errors import Closed, WaitTimeout
from .line import CLOSE, VALUE
from .message import host_of
from .sender_paths import Local, Remote
from .waitable import deadline_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Tuple

    from .sender_paths import SenderPath


class Sender(Bound):
    """Writes to one Receiver, in this process or any other; it can be passed in calls and messages.

    Made by ``Receiver.sender``. Thread-safe. Each copy that is used has a stream of its own: its messages arrive in
    order, and it is at most a window, 1 MiB, ahead of the receiver. Use it in ``with``, so that its end is told.
    """

    def __init__(self, router: "Any", context: "int", handle: "int") -> "None":
        if handle < wire.RANDOM:
            raise UsageError("a Sender leads to a Receiver, and %d is no handle of one" % handle)
        self._router = router
        self._context = context
        self._handle = handle
        self._lock = threading.Lock()
        self._way: "Optional[SenderPath]" = None
        self._closed = False
        self._dead: "Any" = None

    def __repr__(self) -> "str":
        return "<Sender to context %d>" % self._context

    def __eq__(self, other: "object") -> "bool":
        return isinstance(other, Sender) and (other._context, other._handle) == (self._context, self._handle)

    def __hash__(self) -> "int":
        return hash((self._context, self._handle))

    def __remotesvc_wire__(self) -> "Tuple[str, int, int, Any]":
        return ("sender", self._context, self._handle, self._router)

    def __copy__(self) -> "Sender":
        return Sender(self._router, self._context, self._handle)

    def __deepcopy__(self, memo: "Any") -> "Sender":
        return self.__copy__()

    def __remotesvc_reduce__(self) -> "Any":
        return _arrived, (self._context, self._handle)

    @property
    def context(self) -> "Any":
        """The Context of the receiver."""
        return self._router.tree().context(self._context, host_of(self._router, self._context))

    @property
    def context_id(self) -> "int":
        """The id of the receiver's context."""
        return self._context

    @property
    def handle(self) -> "int":
        """The handle of its line there."""
        return self._handle

    @property
    def router(self) -> "Any":
        """The router of this process."""
        return self._router

    def send(self, value: "Any", timeout: "Optional[float]" = None) -> "None":
        """Send a value; waits while the receiver is a window behind: ``timeout`` in seconds, None for no limit.

        That it returns means that the value is on its way. Raises NotSent or Lost once it is known that nobody reads
        (what was sent just before may have been lost with that), Closed after ``close``, WaitTimeout, EncodeError, and
        Cancelled in a call that its caller gave up.
        """
        deadline = deadline_of(timeout)
        self._write(self._router.codec.encode(value, self._router.bindings, False, "message"), VALUE, deadline)

    def close(self, timeout: "Optional[float]" = None) -> "None":
        """This copy will send nothing more: the receiver takes what was sent, and then the end. Idempotent.

        The end has its place behind what was sent, so this may wait like ``send``. Raises WaitTimeout, Cancelled.
        """
        deadline = deadline_of(timeout)
        try:
            self._write(self._router.codec.encode(None), CLOSE, deadline)
        except (NotSent, Lost, Closed, ForkedError):
            pass  # nobody is there to be told, or was told before, or it is not ours to tell

    def when_unread(self, told: "Callable[[BaseException], Any]") -> "None":
        """Call ``told(error)`` once nobody reads what this copy sends, which has sent something; on any thread."""
        way = self._way
        if way is not None:
            way.told = told
            if way.error is not None:  # perhaps before there was anybody to tell
                told(way.error)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()

    def __del__(self) -> "None":
        way = getattr(self, "_way", None)
        if way is not None and not self._closed:  # no lock may be taken here
            self._router.forgotten.append(way.leave)

    def _write(self, encoded: "Any", flags: "int", deadline: "Optional[float]") -> "None":
        if not self._lock.acquire(True, -1 if deadline is None else max(0.0, deadline - time.monotonic())):
            raise WaitTimeout("another thread waits to send")
        try:
            if self._closed:
                raise self._failure()
            if self._way is None:
                self._way = (Local if self._context == self._router.id else Remote)(
                    self._router, self._context, self._handle)
            self._post(self._way, encoded, flags, deadline)
        finally:
            self._lock.release()

    def _post(self, way: "SenderPath", encoded: "Any", flags: "int", deadline: "Optional[float]") -> "None":
        call, error = running(), way.error
        try:
            if error is None:
                way.post(encoded, flags, deadline, None if call is None else lambda: call.cancelled)
                error = way.error  # a receiver that closes gives credit back, too: nobody reads what that let through
            if error is None:
                if flags == CLOSE:
                    self._end(way)
                return
        except CallTimeout:
            raise WaitTimeout("%s did not take it in time" % host_of(self._router, self._context)) from None
        except EncodeError:
            raise  # too large: nothing of it was sent
        except NotSent as refused:
            if call is not None:
                call.check()
            error = way.error or refused
        except BaseException:  # Ctrl-C between two parts of one message
            self._end(way)
            raise
        self._end(way)
        kind = Lost if isinstance(error, Lost) else NotSent
        self._dead = kind, getattr(error, "message", str(error)), host_of(self._router, self._context)
        raise self._failure()

    def _end(self, way: "SenderPath") -> "None":
        self._closed = True
        way.end()

    def _failure(self) -> "BaseException":
        if self._dead is None:
            return Closed("the sender is closed")
        kind, reason, host = self._dead
        return kind(reason, host=host)  # type: ignore[no-any-return]


def _arrived(context: "int", handle: "int") -> "Any":
    """A Sender that was pickled, with a call that only pickle could carry."""
    return current().router.bindings.make_sender(context, handle)
