"""Which host's turn it is: forks, batches, retries, and when to stop. Pure: the clock comes in as a number.

One Schedule is one run. Whoever does the work asks `take` for a host to begin, and says `ended` of each it began.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError

LONGEST_DELAY = 300.0
"""Seconds at which the growing delays between tries stop growing."""


@dataclass(frozen=True)
class Limits:
    """How a run over hosts is paced, and what ends it early.

    forks         hosts worked on at a time
    serial        sizes of batches, each a number or a percentage ("25%"); the last one repeats. A batch begins when the
                  one before has ended. Empty: all hosts are one batch
    max_fail_percentage  the run ends when more than this share of a batch (of all, without batches) has failed; an
                  unreachable host counts. None: never
    fail_fast     the first failure ends the run
    retries       how often a host that could not be reached is tried again
    idempotent    what is done may be done twice: one that was lost meanwhile is tried again, too
    retry_delay   seconds before the first of these; doubled each time, and spread by half to keep hosts from coming
                  back all at once
    """

    forks: int = 20
    serial: tuple[str | int, ...] = ()
    max_fail_percentage: float | None = None
    fail_fast: bool = False
    retries: int = 0
    retry_delay: float = 1.0
    idempotent: bool = False

    def __post_init__(self) -> None:
        check_whole("forks", self.forks)
        check_whole("retries", self.retries)
        check_number("retry_delay", self.retry_delay)
        if self.max_fail_percentage is not None:
            check_number("max_fail_percentage", self.max_fail_percentage)
        if self.forks < 1:
            raise UsageError("forks must be at least 1")
        if self.retries < 0 or self.retry_delay < 0:
            raise UsageError("retries and retry_delay cannot be negative")
        if self.max_fail_percentage is not None and not 0 <= self.max_fail_percentage <= 100:
            raise UsageError(f"max_fail_percentage is a percentage, not {self.max_fail_percentage!r}")
        for size in self.serial:
            batch_size(size, 100)

    @property
    def only_when_up(self) -> bool:
        """Whether nothing is sent to a host before its kernel is up: one that is late may run what went along with it,
        though the host is tried again."""
        return self.retries > 0 and not self.idempotent


def check_whole(name: str, value: object) -> None:
    """Raises UsageError for what is no integer."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name}={value!r} is not a whole number")


def check_number(name: str, value: object) -> None:
    """Raises UsageError for what is no number."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise UsageError(f"{name}={value!r} is not a number")


def batch_size(size: str | int, hosts: int) -> int:
    """The hosts of one batch: a number, or a percentage of all, at least one. Raises UsageError."""
    text = str(size).strip()
    digits = text.removesuffix("%")
    if not digits.isdigit() or int(digits) < 1 or (text != digits and int(digits) > 100):
        raise UsageError(f"a batch is a number of hosts or a percentage such as 25%, not {size!r}")
    return max(1, hosts * int(digits) // 100) if text != digits else int(digits)


@dataclass(frozen=True)
class Wait:
    """Nothing may begin now; `until` is when that changes by itself (None: when a host ends)."""

    until: float | None


class Schedule:
    """The turns of hosts 0 to `count` - 1 in one run."""

    def __init__(self, count: int, limits: Limits, jitter: Callable[[], float] = random.random) -> None:
        self._limits = limits
        self._jitter = jitter
        self._batches = deque(_batches(count, limits.serial))
        self._waiting: deque[int] = deque()
        self._later: list[tuple[float, int]] = []
        self._running: set[int] = set()
        self._tries: dict[int, int] = {}
        self._size = 0
        self._failed = 0
        self._closed = False
        self.stopped = ""
        """Why the run ended early; empty while it did not."""
        self._next_batch()

    @property
    def running(self) -> int:
        """Hosts under way."""
        return len(self._running)

    def take(self, now: float) -> int | Wait | None:
        """The next host to begin, what to wait for, or None when there will be nothing more to begin."""
        if self._closed:
            return None
        while self._later and self._later[0][0] <= now:
            self._waiting.append(heapq.heappop(self._later)[1])
        if not self._waiting and not self._later and not self._batches:
            # Of those that run, one may come back to be tried again.
            return Wait(None) if self._running and self._limits.retries else None
        if self._waiting and len(self._running) < self._limits.forks:
            index = self._waiting.popleft()
            self._running.add(index)
            self._tries[index] = self._tries.get(index, 0) + 1
            return index
        return Wait(self._later[0][0] if self._later and not self._waiting else None)

    def tries(self, index: int) -> int:
        """How often a host was begun."""
        return self._tries.get(index, 0)

    def ended(self, index: int, failed: bool, again: bool, now: float) -> bool:
        """A host is through, `again` says that another try makes sense; returns False if it will be tried again, and
        this was not its end."""
        self._running.discard(index)
        if again and not self.stopped and self._tries[index] <= self._limits.retries:
            delay = min(LONGEST_DELAY, self._limits.retry_delay * 2 ** (self._tries[index] - 1))
            heapq.heappush(self._later, (now + delay * (0.5 + self._jitter()), index))
            return False
        if failed:
            self._failed += 1
            self._judge()
        if not (self._running or self._waiting or self._later):
            self._next_batch()
        return True

    def _judge(self) -> None:
        share = 100.0 * self._failed / self._size
        allowed = self._limits.max_fail_percentage
        if self._limits.fail_fast:
            self.stopped = self.stopped or "a host failed"
        elif allowed is not None and share > allowed:
            self.stopped = self.stopped or f"{self._failed} of {self._size} hosts failed, more than {allowed:g} %"

    def _next_batch(self) -> None:
        if self._batches and not self.stopped:
            batch = self._batches.popleft()
            self._waiting.extend(batch)
            self._size, self._failed = len(batch), 0

    def stop(self) -> list[int]:
        """Nothing more begins; returns the hosts that wait, and now never will."""
        left = [*self._waiting, *(index for _, index in sorted(self._later))]
        self._closed = True
        left += [index for batch in self._batches for index in batch]
        self._waiting.clear()
        self._later.clear()
        self._batches.clear()
        return left


def _batches(count: int, serial: Sequence[str | int]) -> list[range]:
    if not serial:
        return [range(count)] if count else []
    sizes = [batch_size(size, count) for size in serial]
    batches: list[range] = []
    begin = 0
    while begin < count:
        size = sizes[min(len(batches), len(sizes) - 1)]
        batches.append(range(begin, min(count, begin + size)))
        begin += size
    return batches
