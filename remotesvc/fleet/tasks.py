"""Which task of an executor runs on which host, and when. No thread or clock lives here; the executor has the lock."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

from remotesvc.bootstrap.errors import NotSent, UsageError
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.calling.promise import called_back
from remotesvc.futures import Cancelled, InterruptibleFuture
from remotesvc.service.keys import NoKey, key_of

from .attempt import Attempt, call_all
from .member import Member
from .outcome import Status, classify
from .schedule import check_whole

MOST_LOSSES = 3
"""How often an idempotent task may be lost: by then the task is likely to be what ends its hosts, one after another."""
POLICIES = ("any", "round_robin", "sticky")


T = TypeVar("T")


class HostFuture(InterruptibleFuture[T]):
    """A task of a fleet's executor. `host` is where it runs, or ran; None while it waits.

    As everywhere in `concurrent.futures`, `cancel` of a running task is False; `kill` ends that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.host: str | None = None
        self.attempt = Attempt()
        """What the executor does for it."""

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call ``fn(future)`` when it is done. Whatever that raises is logged: the thread that calls it goes on with
        the next task of the host."""
        super().add_done_callback(fn if self.done() else partial(called_back, fn, call="a fleet's task"))

    def kill(self) -> bool:
        """Give the task up wherever it is: one that waits is cancelled, one that runs is told and ends with
        Cancelled, at once if its host is still being connected. False if it has ended."""
        if self.cancel():
            return True
        if self.done():
            return False
        killed_before = self.attempt.stopped
        callbacks = self.attempt.stop()
        if not callbacks and not killed_before:  # nothing was sent, nor will be
            with suppress(InvalidStateError):
                self.set_exception(Cancelled("killed before it was sent", self.host or ""))
        call_all(callbacks)
        return True

    def begins(self) -> bool:
        """It runs from now on, or goes on elsewhere; False if it was cancelled or killed before."""
        if self.done() and not self.cancelled():
            return False
        return self.running() or self.set_running_or_notify_cancel()

    def drop(self) -> None:
        """It waits, and will not run. One that was to run again, on another host, was told already that it runs: it
        cannot be cancelled any more, and ends with Cancelled."""
        if self.cancel():
            self.set_running_or_notify_cancel()
        elif not self.done():
            self.set_exception(Cancelled("dropped before it ran on another host", self.host or ""))


@dataclass
class Task:
    """A function, what it is called with, and the future of that. `key`: equal ones go to the same host (sticky
    policy); `losses`: how often its host was lost."""

    future: HostFuture[Any]
    fn: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: int = 0
    losses: int = 0


def sticky_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """A number for the first argument, or the first keyword where there is no argument: equal values have the same in
    every program. Raises UsageError for a value whose equality is identity, such as an object without `__eq__`."""
    first = next(iter([*args[:1], *kwargs.values()]), None)
    try:
        return zlib.crc32(key_of("", {"": first}))
    except NoKey as error:
        raise UsageError(f"a sticky policy places a task by the value of its first argument, and this is {error}, "
                         "which may equal no other: put a text or a number in front") from None


@dataclass
class Worker:
    """One host: how many tasks run there, which wait for just this host, and why it is out of service, if it is."""

    member: Member
    running: int = 0
    own: deque[Task] = field(default_factory=deque)
    broken: BaseException | None = None


class Verdict(NamedTuple):
    """What becomes of a task that is through on a host."""

    elsewhere: bool
    """It waits for another one."""
    error: BaseException | None
    """What it ends with, if it does; None: with its value."""


RETURNED = Verdict(False, None)


class Tasks:
    """The tasks of one executor and the hosts they go to, `slots` at once to each; `policy`: see `FleetExecutor`."""

    def __init__(self, members: Sequence[Member], policy: str, slots: int, idempotent: bool) -> None:
        if policy not in POLICIES:
            raise UsageError(f"policy is one of {', '.join(POLICIES)}, not {policy!r}")
        check_whole("slots", slots)
        if slots < 1:
            raise UsageError("slots must be at least 1")
        if not members:
            raise UsageError("a fleet without hosts runs nothing")
        self.policy = policy
        self._slots = slots
        self._idempotent = idempotent
        self._workers = [Worker(member) for member in members]
        self._anywhere: deque[Task] = deque()
        self._turn = 0
        self.waiting = 0
        self.under_way = 0
        self.broken: BaseException | None = None
        """Why no host is left, once none is."""

    def add(self, task: Task) -> None:
        """One more that waits."""
        self.waiting += 1
        alive = [worker for worker in self._workers if worker.broken is None]
        if self.policy == "any" or not alive:
            self._anywhere.append(task)
            return
        if self.policy == "round_robin":
            self._turn += 1
            alive[self._turn % len(alive)].own.append(task)
            return
        alive[task.key % len(alive)].own.append(task)

    def has_room(self, task: Task) -> bool:
        """Whether it may begin as soon as it is added, perhaps. Changes nothing, and needs no lock."""
        alive = [worker for worker in self._workers if worker.broken is None]
        if self.policy == "sticky" and alive:
            alive = [alive[task.key % len(alive)]]
        return min([worker.running for worker in alive], default=self._slots) < self._slots

    def begin(self) -> list[tuple[Worker, Task]]:
        """The tasks whose turn it is, each with its host: they are under way from now on."""
        begun: list[tuple[Worker, Task]] = []
        for worker in sorted(self._workers, key=lambda worker: worker.running):
            while worker.broken is None and worker.running < self._slots and (worker.own or self._anywhere):
                task = (worker.own or self._anywhere).popleft()
                self.waiting -= 1
                if not task.future.begins():
                    continue
                task.future.host = worker.member.text
                worker.running += 1
                self.under_way += 1
                begun.append((worker, task))
        return begun

    def failed(self, worker: Worker, task: Task, error: BaseException, reconnects: bool) -> Verdict:
        """A task ended with an error, which may mean that its host takes no more. `reconnects`: after a loss the next
        task there connects anew."""
        lost = classify(error) is Status.LOST
        not_run = isinstance(error, (ConnectError, NotSent)) and not lost and not task.future.attempt.stopped
        if not (lost or not_run):
            return Verdict(False, error)
        task.losses += lost
        if not (lost and reconnects):
            self.out_of_service(worker, error)
        if self.put_back(task, lost):
            return Verdict(True, None)
        if not lost and isinstance(error, NotSent):  # no host is left: it ends as those that wait do
            return Verdict(False, no_host_left(self.broken))
        return Verdict(False, error)

    def out_of_service(self, worker: Worker, error: BaseException) -> None:
        """A host takes no more tasks; those that wait for it are for whoever is left."""
        worker.broken = error
        self._anywhere.extend(worker.own)
        worker.own.clear()
        if all(other.broken is not None for other in self._workers):
            self.broken = error

    def put_back(self, task: Task, lost: bool) -> bool:
        """Have a task that did not come to its end run elsewhere, before all others. False if it may have run and must
        not again, has been lost too often, or no host is left."""
        if self.broken is not None or (lost and not (self._idempotent and task.losses < MOST_LOSSES)):
            return False
        self.waiting += 1
        self._anywhere.appendleft(task)
        return True

    def ended(self, worker: Worker) -> None:
        """A task has left a host."""
        worker.running -= 1
        self.under_way -= 1

    def drop(self) -> list[Task]:
        """Forget those that wait, and return them."""
        dropped: list[Task] = []
        for queue in (self._anywhere, *(worker.own for worker in self._workers)):
            dropped.extend(queue)
            queue.clear()
        self.waiting -= len(dropped)
        return dropped


def no_host_left(error: BaseException | None) -> BrokenExecutor:
    """What waits ends with once the last host is out of service, for this reason."""
    failure = BrokenExecutor(f"no host of the fleet is left; the last one: {error}")
    failure.__cause__ = error
    return failure
