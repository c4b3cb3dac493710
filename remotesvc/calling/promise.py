"""The future of a call made on a child, where there may be no ``concurrent.futures``."""

import threading
import time

from ..bootstrap.errors import CallTimeout, Cancelled, OutcomeError
from ..bootstrap.unreachable import ConnectError
from .outcomes import own_error
from .waiting import wait_in_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    from .invocation import Invocation


class SubmittedCall(object):
    """A call on its way, as the future of its outcome has it: sent, answered, out of time, given up by others.

    A subclass says how the future ends: ``_end(value, error)``, with ``error`` None for a value. It returns False, and
    does nothing, if that has ended already.
    """

    def __init__(self, invocation: "Invocation", hand_off: "Callable[..., Any]") -> "None":
        self._invocation = invocation
        invocation.notify = self._settled
        self._hand_off = hand_off

    if TYPE_CHECKING:
        def _end(self, value: "Any", error: "Optional[BaseException]") -> "bool": ...

    @property
    def context(self) -> "Any":
        """The Context that was called."""
        return self._invocation.context

    @property
    def number(self) -> "int":
        """What the events of what the call prints name it by."""
        return self._invocation.handle

    @property
    def tokens(self) -> "Tuple[int, ...]":
        """See `remotesvc.bootstrap.calls.lineage`."""
        return self._invocation.tokens

    def begin(self) -> "None":
        """Send the call. Raises what is wrong here, EncodeError for one; how a call ends the future tells."""
        try:
            self._invocation.start()
        except (OutcomeError, ConnectError) as error:
            self._end(None, error)

    def _settled(self, invocation: "Invocation") -> "None":
        try:
            value = invocation.value()
        except BaseException as error:
            self._end(None, error)
        else:
            self._end(value, None)

    # The future ends before the call is given up, as in `cancel`: `begin` may still wait to send it, on another thread,
    # and would end the future with what that raises then. And only who has ended it gives the call up.

    def expire(self) -> "None":
        """The timeout of the call is over."""
        if self._end(None, self._invocation.late()):
            self._invocation.abandon()

    def give_up(self, error: "BaseException") -> "None":
        """End it with an error that is not its own."""
        if self._end(None, own_error(self._invocation.context, error, self._invocation.call)):
            self._invocation.abandon()


class Promise(SubmittedCall):
    """``result``, ``exception``, ``done``, ``cancel``, ``add_done_callback``, as on a ``concurrent.futures.Future``."""

    def __init__(self, invocation: "Invocation", hand_off: "Callable[..., Any]") -> "None":
        super().__init__(invocation, hand_off)
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._value: "Any" = None
        self._error: "Optional[BaseException]" = None
        self._callbacks: "List[Tuple[Callable[..., Any], Callable[[Any], Any]]]" = []  # each with who calls it

    def _end(self, value: "Any", error: "Optional[BaseException]") -> "bool":
        with self._lock:
            if self._done.is_set():
                return False
            self._value, self._error = value, error
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for run, callback in callbacks:
            run(callback, self)
        return True

    def done(self) -> "bool":
        """Has it ended?"""
        return self._done.is_set()

    def cancel(self) -> "bool":
        """Give the call up: True unless it has ended."""
        self.refuse_fork()
        if not self._end(None, Cancelled("cancelled", self._invocation.context.name, self._invocation.call)):
            return False
        self._invocation.abandon()
        return True

    def cancelled(self) -> "bool":
        """Was it given up?"""
        return isinstance(self._error, Cancelled)

    def exception(self, timeout: "Optional[float]" = None) -> "Optional[BaseException]":
        """What it ended with, None for a value. Raises CallTimeout after ``timeout`` seconds of waiting, and Cancelled
        in a call that its caller gave up."""
        self.refuse_fork()
        begun = time.monotonic()
        if not wait_in_call(self._done.wait, timeout, self._invocation.tokens if timeout is None else ()):
            raise CallTimeout("not done after %g s" % (time.monotonic() - begun))
        return self._error

    def result(self, timeout: "Optional[float]" = None) -> "Any":
        """The value; raises what the call ended with."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._value

    def refuse_fork(self) -> "None":
        """Raise ForkedError in a fork of the process that called, if it was not done before."""
        router = self._invocation.router
        if router.forked and not self._done.is_set():
            router.alive()

    def add_done_callback(self, callback: "Callable[[Any], Any]") -> "None":
        """Call ``callback(promise)`` when it is done, on a thread that all such callbacks share; at once if it is."""
        self._when_done(self._hand_over, callback)

    def _hand_over(self, callback: "Callable[[Any], Any]", promise: "Promise") -> "None":
        self._hand_off(called_back, callback, promise, self._invocation.call)

    def when_settled(self, callback: "Callable[[Any], Any]") -> "None":
        """Call ``callback(promise)`` on whichever thread settles it, mostly the one that reads the link: it must not
        block, send or raise."""
        self._when_done(_call, callback)

    def _when_done(self, run: "Callable[..., Any]", callback: "Callable[[Any], Any]") -> "None":
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append((run, callback))
                return
        callback(self)


def called_back(callback: "Callable[[Any], Any]", future: "Any", call: "str") -> "None":
    """Call a done-callback, on the thread that all of them share. What it raises is logged."""
    try:
        callback(future)
    except BaseException as error:  # whatever it raises, the next one is called
        import logging
        logging.getLogger("remotesvc").error("done-callback %r of %s failed", callback, call,
                                             exc_info=(type(error), error, error.__traceback__))


def _call(callback: "Callable[[Any], Any]", promise: "Promise") -> "None":
    callback(promise)
