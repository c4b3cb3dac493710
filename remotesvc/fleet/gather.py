"""Run one function for every host, a bounded number at a time, and yield what became of each as it comes.

Worker threads do the blocking work; the caller's thread waits on one queue. The queue is a SimpleQueue
because its `put` may be called from a signal handler, so Ctrl-C can be turned into a `Stop` without raising
anywhere: an exception in the middle of somebody's loop is how results that already arrived get lost.

After a stop, hosts that never started, or are still connecting, are `not_run`; those under way are told (their
`on_stop` callbacks) and have a short grace to end by themselves; what is left then is `cancelled`. Every host
gets exactly one outcome.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from remotesvc.bootstrap.errors import Cancelled, NotSent
from remotesvc.fleet.outcome import Outcome, Status, classify
from remotesvc.fleet.schedule import Limits, Schedule, Wait

DEFAULT_LIMITS = Limits()
GRACE = 3.0
"""Seconds that hosts under way have after a stop, to end in their own way."""

LOOK = 1.0
"""Seconds without a look at signals: one that comes in the instant before a wait begins does not end it, and its
handler runs after the wait."""

HostT = TypeVar("HostT")
_WAKE = None


class Stop:
    """A request to stop, from any thread or from a signal handler. One per gathering."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Outcome | None] | None = None
        self.requested = False
        self.reason = ""
        """Why the run ended early by its own limits; empty if it did not."""
        self.noticed: Callable[[], object] | None = None
        """Called once, on the thread that gathers, when the stop begins: before hosts get the time to end."""

    def request(self) -> None:
        """Ask for the end. Returns at once, takes no lock, may be called again."""
        self.requested = True
        if self._queue is not None:
            self._queue.put(_WAKE)

    def _attach(self, outcomes: queue.SimpleQueue[Outcome | None]) -> None:
        self._queue = outcomes
        if self.requested:
            outcomes.put(_WAKE)


class Attempt:
    """What the work for one host reports while it runs: phases, attempts, how to stop it.

    Set `phases` (stage -> seconds), `attempts` and `rc` as they become known; they go into the outcome.
    """

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.attempts = 1
        self.rc: int | None = None
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
        _call_all([callback])

    def wait(self, begin: Callable[[], Any]) -> Any:
        """The result of the Future that `begin()` returns, or what it returns if that is none. A stop cancels it.

        Raises NotSent, and begins nothing, if the run was stopped before.
        """
        futures: list[Any] = []
        self.on_stop(lambda: [future.cancel() for future in futures])
        if self._stopped:
            raise NotSent("stopped while connecting")
        begun = begin()
        if not hasattr(begun, "add_done_callback"):
            return begun
        futures.append(begun)
        if self._stopped:  # in the meantime
            begun.cancel()
        return begun.result()

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
            raise Cancelled("the run was stopped before the generator ended")

    def _stop(self) -> list[Callable[[], object]]:
        with self._lock:
            self._stopped = True
            callbacks, self._callbacks = self._callbacks, []
        return callbacks


def _call_all(callbacks: list[Callable[[], object]]) -> None:
    for callback in callbacks:
        with suppress(Exception):
            callback()


class _Run:
    """The books of one gathering: who is under way, and since when. All under one lock, nothing blocks in it."""

    def __init__(self, hosts: Sequence[Any], work: Callable[[Any, Attempt], Any], label: Callable[[Any], str],
                 limits: Limits, retried: Callable[[Any, int, BaseException], object]) -> None:
        self.hosts = hosts
        self.work = work
        self.label = label
        self.retried = retried
        self.outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self.schedule = Schedule(len(hosts), limits)
        self.changed = threading.Condition(threading.Lock())
        self.running: dict[int, Attempt] = {}
        self.begun: dict[int, tuple[float, float]] = {}
        self.unreached: dict[int, BaseException | None] = {}
        self.reason = ""

    def worker(self) -> None:
        while True:
            turn = self._turn()
            if turn is None:
                return
            index, attempt = turn
            value, error = None, None
            try:
                value = self.work(self.hosts[index], attempt)
            except BaseException as caught:  # a worker answers for its host whatever happens
                error = caught
            self.finish(index, attempt, value, error)

    def _turn(self) -> tuple[int, Attempt] | None:
        """The next host to begin; waits for one. None when there will be none."""
        with self.changed:
            while True:
                turn = self.schedule.take(time.monotonic())
                if turn is None:
                    return None
                if not isinstance(turn, Wait):
                    break
                self.changed.wait(None if turn.until is None else max(0.0, turn.until - time.monotonic()))
            attempt = self.running[turn] = Attempt()
            attempt.attempts = self.schedule.tries(turn)
            self.begun.setdefault(turn, (time.time(), time.monotonic()))
            return turn, attempt

    def finish(self, index: int, attempt: Attempt, value: object, error: BaseException | None) -> None:
        status = classify(error) if error is not None else attempt.status or Status.OK
        with self.changed:
            if self.running.pop(index, None) is None:
                return  # it was given up: its outcome is out already
            again = error is not None and worth_retrying(error)
            over = self.schedule.ended(index, status is not Status.OK, again, time.monotonic())
            if not over:
                self.unreached[index] = error
            left = self.schedule.stop() if self.schedule.stopped else []
            self.reason = self.reason or self.schedule.stopped
            self.changed.notify_all()
        if over:
            self.outcomes.put(self._outcome(index, attempt, status, value, error))
        elif error is not None and index not in left:
            self.retried(self.hosts[index], attempt.attempts, error)
        for other in left:
            self.outcomes.put(self._never(other))

    def _outcome(self, index: int, attempt: Attempt, status: Status, value: object = None,
                 error: BaseException | None = None) -> Outcome:
        started, clock = self.begun[index]
        return Outcome(
            host=self.label(self.hosts[index]), status=status, value=value, error=error, rc=attempt.rc,
            phases=dict(attempt.phases), started=started, seconds=time.monotonic() - clock,
            attempts=attempt.attempts,
        )  # fmt: skip

    def _never(self, index: int) -> Outcome:
        """The outcome of a host that waits and is not begun any more: the last try's, if there was one."""
        if index not in self.unreached:
            return Outcome(host=self.label(self.hosts[index]), status=Status.NOT_RUN)
        attempt = Attempt()
        attempt.attempts = self.schedule.tries(index)
        return self._outcome(index, attempt, Status.UNREACHABLE, error=self.unreached[index])

    def stop(self) -> list[Outcome]:
        """Take back what waits and what has sent nothing yet; tell what is under way.

        Callbacks run on threads of their own: they may block.
        """
        with self.changed:
            left = self.schedule.stop()
            running = list(self.running.items())
            self.changed.notify_all()
        outcomes = [self._never(index) for index in left]
        for index, attempt in running:
            callbacks = attempt._stop()
            if callbacks:
                threading.Thread(target=_call_all, args=(callbacks,), name="remotesvc-stop", daemon=True).start()
                continue
            with self.changed:
                mine = self.running.pop(index, None) is not None
            if mine:
                outcomes.append(self._outcome(index, attempt, Status.NOT_RUN))
        return outcomes

    def give_up(self) -> list[Outcome]:
        """Nobody waits for those still running any longer: they are cancelled."""
        with self.changed:
            entries, self.running = list(self.running.items()), {}
        return [self._outcome(index, attempt, Status.CANCELLED) for index, attempt in entries]


def worth_retrying(error: BaseException) -> bool:
    """Whether another try may end better: no connection came about, for a reason that may pass."""
    from remotesvc.bootstrap import unreachable

    lasting = (
        unreachable.AuthenticationError,
        unreachable.HostKeyError,
        unreachable.PythonNotFound,
        unreachable.PythonTooOld,
        unreachable.UnknownHost,
    )
    return isinstance(error, unreachable.ConnectError) and not isinstance(error, lasting)


def gather(
    hosts: Sequence[HostT],
    work: Callable[[HostT, Attempt], Any],
    *,
    limits: Limits = DEFAULT_LIMITS,
    label: Callable[[HostT], str] = str,
    stop: Stop | None = None,
    grace: float = GRACE,
    deadline: float | None = None,
    retried: Callable[[HostT, int, BaseException], object] = lambda host, tries, error: None,
) -> Iterator[Outcome]:
    """Yield one outcome for each of `hosts`, in the order they end. Nothing is raised out of the loop.

    `work(host, attempt)` returns the value or raises; `limits` say how many at a time, in which batches, and what
    ends the run early. `stop` ends it, too, and so does reaching `deadline`, an instant of ``time.monotonic()``.
    Leaving the loop is a stop. `retried(host, tries, error)` is called, on a worker thread, when a host will be tried
    again; it must not raise.
    """
    run = _Run(hosts, work, label, limits, retried)
    stop = stop or Stop()
    stop._attach(run.outcomes)
    for number in range(min(limits.forks, len(hosts))):
        threading.Thread(target=run.worker, name=f"remotesvc-host-{number}", daemon=True).start()
    left = len(hosts)
    until: float | None = None
    try:
        while left:
            limit = until if until is not None else deadline
            try:
                wait = LOOK if limit is None else min(LOOK, max(0.0, limit - time.monotonic()))
                outcome = run.outcomes.get(timeout=wait)
                ended = [] if outcome is None else [outcome]
            except queue.Empty:
                ended = []
                if limit is None or time.monotonic() < limit:
                    continue
                if until is None:
                    run.reason = "the time for the whole run is over"
                    stop.request()
                else:
                    ended = run.give_up()
            if until is None and stop.requested:
                until = time.monotonic() + grace
                if stop.noticed is not None:
                    stop.noticed()
                ended += run.stop()
            left -= len(ended)
            stop.reason = run.reason
            yield from ended
    finally:
        if left:  # the consumer left the loop
            run.stop()
