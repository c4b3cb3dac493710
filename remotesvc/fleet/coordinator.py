"""The books of one run over hosts.

One thread, the coordinator, has every host begun when its turn has come, and books the answers. What has to wait
(connecting, files, the items of a generator) is done by `threads`; a call to a host that is connected needs none. An
answer that wakes a thread of its own costs twice what one costs that is booked with others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from .attempt import Attempt, Begun, call_all
from .outcome import Outcome, Status, classify, worth_retrying
from .printed import Kept
from .schedule import Limits, Schedule, Wait
from .threads import Threads

TOGETHER = 32
"""Outcomes that may be handed out at once; fewer, as soon as there is nothing else to do."""

NOTHING = Kept()
"""Stands for what a host printed, where that is not kept."""

STUCK = 1.0
"""Seconds: if beginning one host takes longer, another thread coordinates, so that the others need not wait."""

Work = Callable[[], Any]
_WAKE = None


class RunCoordinator:
    """Who is under way, and since when. Under one lock, in which nothing blocks.

    `outcomes` is where they come out, some at a time; None is put there by whoever wants its reader to look around.
    """

    def __init__(self, hosts: Sequence[Any], work: Callable[[Any, Attempt], Any],
                 begin: Callable[[Any, Attempt], Begun | None], label: Callable[[Any], str], limits: Limits,
                 retried: Callable[[Any, int, BaseException], object]) -> None:
        self.reason = ""
        self.outcomes: queue.SimpleQueue[list[Outcome] | None] = queue.SimpleQueue()
        self._hosts = hosts
        self._work = work
        self._begin = begin
        self._label = label
        self._retried = retried
        self._limits = limits
        self._schedule = Schedule(len(hosts), limits)
        self._lock = threading.Lock()
        self._events: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = Threads(lambda: self._events.put(_WAKE))
        self._ended: list[Outcome] = []  # to be handed out
        self._running: dict[int, Attempt] = {}
        self._begun: dict[int, tuple[float, float]] = {}
        self._unreached: dict[int, BaseException] = {}
        self._beginning: float | None = None
        self._over = False

    # -- on the coordinating thread

    def open(self) -> None:
        """Begin. Raises RuntimeError if there can be no more threads."""
        threading.Thread(target=self._attend, name="remotesvc-hosts", daemon=True).start()

    def close(self) -> None:
        """Nobody takes outcomes any more: the threads end when what is under way has."""
        self._over = True
        self._events.put(_WAKE)

    def look(self) -> None:
        """To be called now and then: if beginning a host takes long, another thread goes on with the rest."""
        beginning = self._beginning
        if beginning is not None and time.monotonic() - beginning > STUCK:
            self._beginning = None
            with suppress(RuntimeError):  # no more threads: then it has to wait
                self.open()

    def _attend(self) -> None:
        while True:
            wait = self._begin_hosts()
            if self._over and not self._running:
                break
            if self._events.empty() or len(self._ended) >= TOGETHER:
                self._hand_out()
            try:
                event = self._events.get(timeout=wait)
            except queue.Empty:
                continue
            if event is not _WAKE:
                event()
        self._events.put(_WAKE)  # for another thread, to coordinate
        self._threads.close()

    def _begin_hosts(self) -> float | None:
        """Begin whoever's turn it is; returns the seconds until it is somebody's, None: when a host ends."""
        while True:
            with self._lock:
                now = time.monotonic()
                turn = self._schedule.take(now)
                if turn is None or isinstance(turn, Wait):
                    return None if turn is None or turn.until is None else max(0.0, turn.until - now)
                attempt = self._running[turn] = Attempt()
                attempt.attempts = self._schedule.tries(turn)
                self._begun.setdefault(turn, (time.time(), now))
            self._begin_one(turn, attempt, now)

    def _begin_one(self, index: int, attempt: Attempt, now: float) -> None:
        host = self._hosts[index]
        self._beginning = now
        try:
            begun = self._begin(host, attempt)
        except BaseException as error:  # whatever happens, the host has an outcome
            self._finish(index, attempt, None, error)
            return
        finally:
            self._beginning = None
        if begun is None:
            self._hand_over(index, attempt, partial(self._work, host, attempt))
        else:
            answered = partial(self._answered, index, attempt, begun)
            begun.future.when_settled(lambda future: self._events.put(answered))

    def _answered(self, index: int, attempt: Attempt, begun: Begun) -> None:
        value, error = _outcome_of(begun.end)
        if hasattr(value, "__next__"):
            self._hand_over(index, attempt, partial(begun.rest, value))
        else:
            self._finish(index, attempt, value, error)

    def _hand_out(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        if ended:
            self.outcomes.put(ended)

    def _hand_over(self, index: int, attempt: Attempt, work: Work) -> None:
        """What has to be waited for is done on another thread."""
        try:
            self._threads.do(lambda: self._finish(index, attempt, *_outcome_of(work)))
        except RuntimeError as error:  # no more threads
            self._finish(index, attempt, None, error)

    # -- the books

    def _finish(self, index: int, attempt: Attempt, value: object, error: BaseException | None) -> None:
        status = classify(error) if error is not None else attempt.status or Status.OK
        with self._lock:
            if self._running.pop(index, None) is None:
                return  # it was given up: its outcome is out already
            again = error is not None and worth_retrying(error, self._limits.idempotent)
            over = self._schedule.ended(index, status is not Status.OK, again, time.monotonic())
            if over:
                self._ended.append(self._outcome(index, attempt, status, value, error))
            elif error is not None:
                self._unreached[index] = error
            left = self._schedule.stop() if self._schedule.stopped else []
            self.reason = self.reason or self._schedule.stopped
            self._ended += [self._never(other) for other in left]
        if not over and error is not None and index not in left:
            self._retried(self._hosts[index], attempt.attempts, error)

    def _outcome(self, index: int, attempt: Attempt, status: Status, value: object = None,
                 error: BaseException | None = None) -> Outcome:
        started, clock = self._begun[index]
        printed = attempt.printed or NOTHING
        return Outcome(
            host=self._label(self._hosts[index]), status=status, value=value, error=error, rc=attempt.rc,
            phases=dict(attempt.phases), started=started, seconds=time.monotonic() - clock,
            attempts=attempt.attempts, stdout=printed.text("stdout"), stderr=printed.text("stderr"),
            truncated=printed.truncated,
            items=None if status is Status.OK or attempt.items is None else attempt.items[:],
        )  # fmt: skip

    def _never(self, index: int) -> Outcome:
        """The outcome of a host that waits and is not begun any more: the last try's, if there was one."""
        if index not in self._unreached:
            return Outcome(host=self._label(self._hosts[index]), status=Status.NOT_RUN)
        attempt = Attempt()
        attempt.attempts = self._schedule.tries(index)
        error = self._unreached[index]
        return self._outcome(index, attempt, classify(error), error=error)

    def stop(self) -> list[Outcome]:
        """Take back what waits and what has sent nothing yet; tell what is under way.

        Callbacks run on threads of their own: they may block.
        """
        with self._lock:
            left = self._schedule.stop()
            running = list(self._running.items())
        outcomes = [self._never(index) for index in left]
        for index, attempt in running:
            callbacks = attempt.stop()
            if callbacks:
                threading.Thread(target=call_all, args=(callbacks,), name="remotesvc-stop", daemon=True).start()
                continue
            with self._lock:
                mine = self._running.pop(index, None) is not None
            if mine:
                outcomes.append(self._outcome(index, attempt, Status.NOT_RUN))
        return outcomes

    def give_up(self) -> list[Outcome]:
        """Nobody waits for those still running any longer: they are cancelled."""
        with self._lock:
            entries, self._running = list(self._running.items()), {}
        return [self._outcome(index, attempt, Status.CANCELLED, error=self._given_up(index))
                for index, attempt in entries]

    def _given_up(self, index: int) -> BaseException:
        from remotesvc.futures import Cancelled  # the master's, which is one of concurrent.futures' too

        return Cancelled("given up when the run was stopped, and did not end in time; it may have run",
                         self._label(self._hosts[index]))


def _outcome_of(work: Work) -> tuple[Any, BaseException | None]:
    """What it returned, and what it raised: a thread answers for its host whatever happens."""
    try:
        return work(), None
    except BaseException as error:
        return None, error
