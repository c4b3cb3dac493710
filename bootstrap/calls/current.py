"""What the running function may ask about its own call: ``remotesvc.current()``."""
import threading
import time

from ..errors import Cancelled, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional


class Call(object):
    """One call while it runs.

    ``name`` is "module:function", ``router`` that of this process (to start children of its own), ``cancelled`` becomes
    true when the caller gives up, ``deadline`` is the instant of ``time.monotonic()`` at which it will, or None.
    """

    name = "?"
    lineage: "List[int]" = []  # the contexts with a running call that waits for this one, outermost first
    deadline: "Optional[float]" = None
    cancelled = False
    # Not for users: its thread is written off; a generator sends for it; it waits in its chain.
    abandoned = open = parked = False
    in_turn, waits_for = False, ()  # type: bool, Any  # see `lineage`
    tasks = activation = request = None  # type: Any  # its Tasks, Activation and Request
    _event: "Optional[threading.Event]" = None

    def __init__(self, router: "Any", handle: "int", caller: "int") -> "None":
        self.router = router
        self.id = handle
        self.caller = caller
        self._on_cancel: "List[Callable[[], Any]]" = []

    def cancel(self) -> "None":
        """Note that the caller gave up."""
        self.cancelled = True
        try:
            while True:
                self.router.timers.after(0, self._on_cancel.pop())
        except IndexError:
            pass

    def on_cancel(self, function: "Callable[[], Any]") -> "None":
        """Call ``function()`` when the caller gives up, at once if it has; on the timer thread: be quick."""
        self._on_cancel.append(function)
        if self.cancelled:
            self.cancel()

    def wait(self, timeout: "Optional[float]") -> "bool":
        """Sleep for ``timeout`` seconds, or less when the caller gives up: then True."""
        if self._event is None:
            event = threading.Event()
            self.on_cancel(event.set)
            self._event = event
        return self._event.wait(timeout)

    def check(self) -> "None":
        """Raise Cancelled when the caller has given up: for loops that can stop at this point."""
        if self.cancelled:
            raise getattr(self.router, "cancelled_class", Cancelled)("the caller gave up", call=self.name)

    @property
    def remaining(self) -> "Optional[float]":
        """Seconds until the caller gives up; None for no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_here = threading.local()


def current() -> "Call":
    """The call this thread runs. Raises UsageError outside of one."""
    call = running()
    if call is None:
        raise UsageError("no call runs on this thread: take current() in the called function, and hand it on")
    return call


def running() -> "Optional[Call]":
    """The call this thread runs, or None."""
    return getattr(_here, "call", None)


def enter(call: "Optional[Call]") -> "None":
    """This thread runs ``call`` from now on."""
    _here.call = call
