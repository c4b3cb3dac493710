"""What threads wait at, and a Select may: items in their order, an end, and one hook that tells of both."""

import collections
import os
import threading
import time

from ..bootstrap.bound import Bound
from ..bootstrap.calls.current import running
from ..bootstrap.calls.pending import LOOK_EVERY
from ..bootstrap.errors import UsageError
from .errors import Closed, WaitTimeout
from .hooks import hook_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Optional

# Stands for "there is no item": an item may be None.
NOTHING: "Any" = object()


class Waitable(Bound):
    """The waiting of Receiver, Latch and Select. Subclasses say what an item is and when there will be no more.

    ``notify`` is a hook: ``notify(waitable)`` is called for each item that comes, and when it ends, on the thread that
    brought it, a link's reader included: it may only wake another thread, which then does ``get(block=False)`` until
    nothing is left. Set while something is here, it is called at once. What it raises is logged. A Select takes the
    hook of what is added to it.
    """

    def __init__(self) -> "None":
        self._lock = threading.Lock()  # taken as such: to enter a Condition takes steps, and a signal may come between
        self._wake = threading.Condition(self._lock)
        self._pid = os.getpid()
        self._queue: "Deque[Any]" = collections.deque()
        self._closed = False
        self._notify: "Optional[Callable[[Any], Any]]" = None
        self.select: "Any" = None  # the one that waits for it

    # -- for whoever waits

    def get(self, timeout: "Optional[float]" = None, block: "bool" = True) -> "Any":
        """The next item, which is removed. ``timeout`` in seconds; None waits until there is one, 0 or ``block=False``
        does not wait.

        Raises WaitTimeout, Closed, and Cancelled in a call that its caller gave up. In a fork of the process that made
        it, ForkedError instead of waiting.
        """
        item = self._await(deadline_of(timeout, block), self._over_locked)
        if item is NOTHING:
            raise self._end()
        return self._given(item)

    def __iter__(self) -> "Any":
        return self

    def __next__(self) -> "Any":
        """The next item; ends when there will be no more."""
        item = self._await(None, self._over_locked)
        if item is NOTHING:
            raise StopIteration
        return item

    def _await(self, deadline: "Optional[float]", over_locked: "Callable[[], bool]") -> "Any":
        """The next item, NOTHING once there will be no more. Raises WaitTimeout, Cancelled."""
        call = running()
        while True:
            item = self.poll()
            if item is not NOTHING:
                return item
            with self._lock:
                if self._ready_locked():
                    continue
                if over_locked():
                    return NOTHING
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise WaitTimeout("nothing came in time")
                self._wait(left, call)

    def _wait(self, left: "Optional[float]", call: "Any") -> "None":
        """Wait to be woken, in a call only for a moment; the lock is held. Raises Cancelled, and ForkedError where
        nothing can come."""
        if os.getpid() != self._pid:
            self.refuse_fork()
        try:
            self._wake.wait(left if call is None else LOOK_EVERY if left is None else min(left, LOOK_EVERY))
            if call is not None:
                call.check()
        except BaseException:  # Ctrl-C, too: what woke us is for another who waits
            self._wake.notify()
            raise

    def refuse_fork(self) -> "None":
        """Raise ForkedError if what it waits for comes to the process that we are a fork of."""

    def poll(self) -> "Any":
        """The next item, or NOTHING; never waits."""
        with self._lock:
            return self._queue.popleft() if self._queue else NOTHING

    @property
    def ready(self) -> "bool":
        """Would ``get`` return or raise at once?"""
        with self._lock:
            return self._ready_locked() or self._over_locked()

    @property
    def over(self) -> "bool":
        """Is nothing here, and will nothing come?"""
        with self._lock:
            return not self._ready_locked() and self._over_locked()

    def _ready_locked(self) -> "bool":
        return bool(self._queue)

    def _over_locked(self) -> "bool":
        return self._closed

    def _end(self) -> "BaseException":
        return Closed("it is closed")

    def _given(self, item: "Any") -> "Any":
        return item

    # -- for whoever brings something

    def _stir(self) -> "None":
        """Wake everyone: what they wait for may have changed."""
        with self._lock:
            self._wake.notify_all()
        self._tell()

    # -- the hook

    def _tell(self) -> "None":
        """Call the hook, if there is one."""
        notify = self._notify
        if notify is not None:
            try:
                notify(self)
            except BaseException as error:
                hook_failed("the notify hook of a %s" % type(self).__name__, error)

    @property
    def notify(self) -> "Optional[Callable[[Any], Any]]":
        """What is called when something comes; see the class."""
        return self._notify

    @notify.setter
    def notify(self, function: "Optional[Callable[[Any], Any]]") -> "None":
        self._set_hook(None, function)

    def hook(self, select: "Any", function: "Callable[[Any], Any]") -> "None":
        """For a Select: have the hook. Raises UsageError if it is taken."""
        with self._lock:
            if self.select is not None or self._notify is not None:
                raise UsageError("it is in a Select already" if self.select is not None else
                                 "its notify hook is in use")
            self.select = select
        self._set_hook(select, function)

    def unhook(self, select: "Any") -> "None":
        """For a Select: give the hook back."""
        with self._lock:
            if self.select is select:
                self.select = self._notify = None

    def _set_hook(self, select: "Any", function: "Optional[Callable[[Any], Any]]") -> "None":
        if function is not None and not callable(function):
            raise UsageError("notify is a function, or None, not %r" % (function,))
        with self._lock:
            if self.select is not select:
                raise UsageError("it is in a Select, which waits for it")
            self._notify = function
            ready = self._ready_locked() or self._over_locked()
        if ready:
            self._tell()


def deadline_of(timeout: "Optional[float]", block: "bool" = True) -> "Optional[float]":
    """The instant until which to wait; None for ever, now for not at all. Raises UsageError for what is no time."""
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and (not number or timeout != timeout):
        raise UsageError("timeout is a number of seconds, or None for no limit, not %r" % (timeout,))
    if not block:
        return time.monotonic()
    # Python's own waits refuse more, which is 292 years.
    return None if timeout is None else time.monotonic() + min(max(0.0, timeout), threading.TIMEOUT_MAX / 2)
