"""One try at one host: what its work reports while it runs, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from remotesvc.bootstrap.errors import NotSent

from .outcome import Status
from .printed import Kept


class Attempt:
    """What the work for one host reports while it runs: phases, attempts, how to stop it.

    Set `phases` (stage -> seconds), `attempts`, `rc` and `printed` as they become known; they go into the outcome.
    """

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.attempts = 1
        self.rc: int | None = None
        self.call = 0
        """The number of the call that was begun, if it is one."""
        self.printed: Kept | None = None
        self.items: list[Any] | None = None
        """What has come of a generator that is taken whole: all there is to show if it fails."""
        self.status: Status | None = None
        """Set by work that returns a value and still counts as failed: a command with a bad exit code."""
        self._callbacks: list[Callable[[], object]] = []
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped: nothing new should be begun for this host."""
        return self._stopped

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the run is stopped; at once if it already was. Its exceptions are dropped.

        Register before anything is sent: a host that has no callback at the stop counts as not run.
        """
        with self._lock:
            if not self._stopped:
                self._callbacks.append(callback)
                return
        call_all([callback])

    def start(self, begin: Callable[[], Any]) -> Any:
        """What `begin()` returns. If that is a Future, a stop cancels it.

        Raises NotSent, and begins nothing, if the run was stopped before.
        """
        futures: list[Any] = []
        self.on_stop(lambda: [future.cancel() for future in futures])
        if self._stopped:
            raise NotSent("stopped while connecting")
        begun = begin()
        if hasattr(begun, "add_done_callback"):
            futures.append(begun)
            if self._stopped:  # in the meantime
                begun.cancel()
        return begun

    def wait(self, begin: Callable[[], Any]) -> Any:
        """The result of the Future that `begin()` returns, or what it returns if that is none; as `start`."""
        begun = self.start(begin)
        return begun.result() if hasattr(begun, "add_done_callback") else begun

    def each(self, items: Any) -> Iterator[Any]:
        """The items of a remote generator. A stop of the run ends the wait for the next one, too, and closes the
        generator there; then this raises Cancelled, for there may have been more.
        """
        self.on_stop(items.close)
        for item in items:
            yield item
            if self._stopped:
                break
        if self._stopped:
            from remotesvc.futures import Cancelled  # the master's, which is one of concurrent.futures' too

            raise Cancelled("the run was stopped before the generator ended")

    def whole(self, items: Any) -> list[Any]:
        """All items of a remote generator, as `each`; until its end `items` has those that came."""
        came: list[Any] = []
        self.items = came
        for item in self.each(items):
            came.append(item)
        return came

    def stop(self) -> list[Callable[[], object]]:
        """The run is stopped: returns what is to be called, by `call_all`, where it may block."""
        with self._lock:
            self._stopped = True
            callbacks, self._callbacks = self._callbacks, []
        return callbacks


class Begun(NamedTuple):
    """A call that is under way to a host, for which no thread waits."""

    future: Any
    """Its CallFuture."""
    end: Callable[[], Any]
    """Called once that is done: returns the value for the host, or raises."""
    rest: Callable[[Iterator[Any]], Any]
    """Where that value is an iterator: takes it to its end, on a thread that may wait, and returns what came."""


class _Stops:
    """Set once a run is stopped, or another event is set."""

    def __init__(self, attempt: Attempt, other: Any) -> None:
        self._attempt = attempt
        self._other = other

    def is_set(self) -> bool:
        """As of threading.Event."""
        return self._attempt.stopped or (self._other is not None and self._other.is_set())


def stopping(options: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """Options of a transfer, with a `stop` that ends it with the run, too."""
    other = options.get("stop")
    if other is not None and not hasattr(other, "is_set"):  # which the transfer refuses
        return options
    return {**options, "stop": _Stops(attempt, other)}


def call_all(callbacks: list[Callable[[], object]]) -> None:
    """Call each; what they raise is dropped."""
    for callback in callbacks:
        with suppress(Exception):
            callback()
