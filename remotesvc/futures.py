"""Futures of calls, as ``concurrent.futures`` knows them."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from .bootstrap import errors
from .bootstrap.calls.current import running
from .calling.fair_inbox import FairInbox
from .calling.invocation import Invocation
from .calling.promise import SubmittedCall, called_back
from .calling.waiting import wait_in_call

T = TypeVar("T")


class Cancelled(errors.Cancelled, concurrent.futures.CancelledError):
    """The call was cancelled from here; also a ``concurrent.futures.CancelledError``."""


class _Condition(threading.Condition):
    """A condition that is entered and left by its lock's own methods, each in one step.

    Those of `threading.Condition` are Python: where a signal's handler raises in one of them, the lock stays taken.
    """

    __enter__ = property(lambda self: self._lock.__enter__)
    __exit__ = property(lambda self: self._lock.__exit__)


if sys.version_info < (3, 11):

    class _NotYet(concurrent.futures.TimeoutError, TimeoutError):
        """The time to wait is over. Before 3.11 that of `concurrent.futures` is no TimeoutError, as everyone writes."""


class InterruptibleFuture(concurrent.futures.Future[T]):
    """A future that the main thread may wait for although a signal's handler raises meanwhile, as Ctrl-C does: whoever
    settles it later, a thread that reads a link perhaps, does not wait for that for ever. In a fork, where nobody would
    settle it, waiting for it and `cancel` raise ForkedError."""

    def __init__(self) -> None:
        super().__init__()
        self._condition.__class__ = _Condition
        self._pid = os.getpid()

    def result(self, timeout: float | None = None) -> T:
        """See `concurrent.futures.Future.result`."""
        self.refuse_fork()
        try:
            return super().result(timeout)
        except (RuntimeError, concurrent.futures.TimeoutError) as error:
            meant = _meant_by(error)
            if meant is None:
                raise
            raise meant from None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `concurrent.futures.Future.exception`."""
        self.refuse_fork()
        try:
            return super().exception(timeout)
        except (RuntimeError, concurrent.futures.TimeoutError) as error:
            meant = _meant_by(error)
            if meant is None:
                raise
            raise meant from None

    def cancel(self) -> bool:
        """See `concurrent.futures.Future.cancel`."""
        self.refuse_fork()
        return super().cancel()

    def refuse_fork(self) -> None:
        """Raise ForkedError in a fork of the process that made it, if it was not done before."""
        if os.getpid() != self._pid and not self.done():
            raise errors.ForkedError(f"this future belongs to process {self._pid}, and was not done before the fork")


def _meant_by(error: Exception) -> BaseException | None:
    """What to raise in place of what `concurrent.futures` raised; None to leave it as it is."""
    if isinstance(error, RuntimeError) and str(error) == "cannot release un-acquired lock":
        # A handler raised while the lock was given back for waiting, so that it could not be left.
        return error.__context__
    # Just this class: an error of the call's own may be derived from it.
    if sys.version_info < (3, 11) and type(error) is concurrent.futures.TimeoutError:
        return _NotYet(*error.args)
    return None


class CallFuture(SubmittedCall, InterruptibleFuture[T]):
    """The outcome of a submitted call.

    It stays pending until it is answered, so ``cancel()`` always succeeds before that: waiters are released at once,
    and the target is told. Done-callbacks run on a thread of the router, never on the one that reads the link.
    """

    def __init__(self, invocation: Invocation, hand_off: Callable[..., Any], shown: FairInbox) -> None:
        InterruptibleFuture.__init__(self)
        SubmittedCall.__init__(self, invocation, hand_off)
        self._shown = shown
        self._told = threading.Lock()

    def _settled(self, invocation: Invocation) -> None:
        if self._shown.idle_of(invocation.source):
            super()._settled(invocation)
        else:  # what the call printed is shown first
            self._shown.run_behind(invocation.source, super()._settled, invocation)

    def _end(self, value: Any, error: BaseException | None) -> bool:
        try:
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(value)
        except concurrent.futures.InvalidStateError:
            return False  # cancelled, or timed out, in the same instant
        return True

    def when_settled(self, fn: Callable[[concurrent.futures.Future[Any]], object]) -> None:
        """Call ``fn(future)`` when it is done, on whichever thread settles it, mostly the one that reads the link; at
        once if it is done already. ``fn`` must not block, send or raise."""
        super().add_done_callback(fn)

    def cancel(self) -> bool:
        """Give the call up: True unless it has ended. One that has not left is not sent, a running one is told."""
        if not super().cancel():
            return False
        if self._told.acquire(blocking=False):
            # No executor will come by to do it: this is what wakes `wait` and `as_completed`.
            self.set_running_or_notify_cancel()
            self._invocation.abandon()
        return True

    def result(self, timeout: float | None = None) -> T:
        """The value; raises what the call ended with, or TimeoutError after ``timeout`` seconds of waiting."""
        try:
            return super().result(timeout if running() is None else self._left(timeout))
        except concurrent.futures.CancelledError as error:
            raise self._cancelled(error) from None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call ended with, None for a value."""
        try:
            return super().exception(timeout if running() is None else self._left(timeout))
        except concurrent.futures.CancelledError as error:
            raise self._cancelled(error) from None

    def _left(self, timeout: float | None) -> float:
        """Wait here, in a call that runs on the master, until its caller gives up; then no time is left to wait."""
        if not self.done():
            wait_in_call(self._ends_within, timeout, self.tokens if timeout is None else ())
        return 0

    def _ends_within(self, seconds: float | None) -> bool:
        with suppress(concurrent.futures.CancelledError, concurrent.futures.TimeoutError, TimeoutError):
            super().exception(seconds)
        return self.done()

    def _cancelled(self, error: BaseException) -> BaseException:
        if isinstance(error, Cancelled):
            return error
        return Cancelled("cancelled", self._invocation.context.name, self._invocation.call)

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[Any]], object]) -> None:
        """Call ``fn(future)`` when it is done, on a thread of the router that all such callbacks share: one that blocks
        delays the others. At once if it is done already."""
        # What asyncio calls only wakes its loop: that waits for nobody.
        if self.done() or getattr(fn, "__module__", "") == "asyncio.futures":
            super().add_done_callback(fn)
        else:
            super().add_done_callback(lambda future: self._hand_off(called_back, fn, future, self._invocation.call))
