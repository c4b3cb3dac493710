"""A `concurrent.futures.Executor` whose workers are the hosts of a fleet."""

from __future__ import annotations

import itertools
import threading
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost, NotSent, UsageError
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.calling.many import many
from remotesvc.futures import Cancelled, InterruptibleFuture

from .attempt import Attempt, call_all
from .links import Links
from .member import Member

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.calling.options import Options

MOST_WAITING = 100_000
"""Tasks that may wait for a host; `submit` waits beyond it, rather than fill the memory."""
MOST_LOSSES = 3
"""How often an idempotent task may be lost: by then the task is likely to be what ends its hosts, one after another."""
POLICIES = ("any", "round_robin", "sticky")


class HostFuture(InterruptibleFuture):
    """A task of a fleet's executor. `host` is where it runs, or ran; None while it waits.

    As everywhere in `concurrent.futures`, `cancel` of a running task is False; `kill` ends that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.host: str | None = None
        self._attempt = Attempt()

    def kill(self) -> bool:
        """Give the task up wherever it is: one that waits is cancelled, one that runs is told and ends with
        Cancelled. False if it has ended."""
        if self.cancel():
            return True
        if self.done():
            return False
        call_all(self._attempt.stop())
        return True


@dataclass
class _Task:
    future: HostFuture
    fn: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    losses: int = 0


@dataclass
class _Worker:
    """One host: its tasks under way, those that wait for just this host, and whether it is out of service."""

    member: Member
    running: int = 0
    own: deque[_Task] = field(default_factory=deque)
    broken: BaseException | None = None


class FleetExecutor(Executor):
    """Runs tasks on any host of a fleet, `slots` at once on each.

    policy "any": on whichever host has room. "round_robin": on the hosts in turn, whatever room they have. "sticky":
    tasks with an equal first argument on the same host.

    A host that cannot be reached, or is lost, takes no more tasks (with Fleet(reconnect=True) a lost one may come
    back). A task that certainly did not run goes to another host; one that may have run ends with Lost, unless
    idempotent=True says that running it again does no harm: then it is lost three times before it does. When no host is
    left, what waits ends with BrokenExecutor.
    """

    def __init__(self, members: Sequence[Member], links: Links, policy: str, slots: int, options: Options,
                 idempotent: bool) -> None:
        if policy not in POLICIES:
            raise UsageError(f"policy is one of {', '.join(POLICIES)}, not {policy!r}")
        if slots < 1:
            raise UsageError("slots must be at least 1")
        if not members:
            raise UsageError("a fleet without hosts runs nothing")
        self._links = links
        self._policy = policy
        self._slots = slots
        self._options = options
        self._idempotent = idempotent
        self._workers = [_Worker(member) for member in members]
        self._waiting: deque[_Task] = deque()
        self._count = 0
        self._under_way = 0
        self._turn = 0
        self._changed = threading.Condition(threading.Lock())
        self._shut = False
        self._broken: BaseException | None = None

    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> HostFuture:
        """Run `fn(*args, **kwargs)` on one of the hosts. Raises RuntimeError after `shutdown`, BrokenExecutor when
        no host is left."""
        task = _Task(HostFuture(), fn, args, kwargs)
        with self._changed:
            while self._count >= MOST_WAITING and not self._shut:
                self._changed.wait()
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._broken is not None:
                raise _no_host_left(self._broken)
            self._queue(task)
            starts = self._starts()
        self._start(starts)
        return task.future

    def map(self, fn: Callable[..., Any] | str, *iterables: Iterable[Any],
            timeout: float | None = None, chunksize: int = 1) -> Iterator[Any]:
        """The values of `fn` for the items of `iterables`, in order; all are submitted at once, as by `Executor.map`.

        With a `chunksize`, that many calls are one task, which runs them one after the other on one host: the larger,
        the less a short call costs. A call that raises takes the values of its chunk with it, and what is lost, or
        has its time limit from `options`, is the chunk. Raises UsageError, and what `submit` does.
        """
        if chunksize < 1:
            raise UsageError("chunksize must be at least 1")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)  # type: ignore[arg-type]
        if self._policy == "sticky":
            raise UsageError("a policy that places each task by its first argument leaves no chunks: chunksize is 1")
        calls = zip(*iterables, strict=False)
        chunks = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        return _joined(super().map(many(fn), chunks, timeout=timeout))  # type: ignore[arg-type]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; `wait` until those taken have ended. cancel_futures drops what has not begun.

        The connections stay with the fleet.
        """
        dropped: list[_Task] = []
        with self._changed:
            self._shut = True
            if cancel_futures:
                for queue in (self._waiting, *(worker.own for worker in self._workers)):
                    dropped.extend(queue)
                    queue.clear()
                self._count = 0
            self._changed.notify_all()
        for task in dropped:
            if task.future.cancel():
                task.future.set_running_or_notify_cancel()
        if wait:
            with self._changed:
                while self._count or self._under_way:
                    self._changed.wait()

    # -- which task goes where; the lock is held

    def _queue(self, task: _Task) -> None:
        self._count += 1
        alive = [worker for worker in self._workers if worker.broken is None]
        if self._policy == "any" or not alive:
            self._waiting.append(task)
            return
        if self._policy == "round_robin":
            self._turn += 1
            alive[self._turn % len(alive)].own.append(task)
            return
        key = zlib.crc32(repr(task.args[:1]).encode("utf-8", "backslashreplace"))
        alive[key % len(alive)].own.append(task)

    def _starts(self) -> list[tuple[_Worker, _Task]]:
        """The tasks that can begin now, each with its host; they count as under way."""
        starts: list[tuple[_Worker, _Task]] = []
        for worker in sorted(self._workers, key=lambda worker: worker.running):
            while worker.broken is None and worker.running < self._slots and (worker.own or self._waiting):
                task = (worker.own or self._waiting).popleft()
                self._count -= 1
                if not task.future.running() and not task.future.set_running_or_notify_cancel():
                    continue
                task.future.host = worker.member.text
                worker.running += 1
                self._under_way += 1
                starts.append((worker, task))
        self._changed.notify_all()
        return starts

    # -- carrying it out

    def _start(self, starts: list[tuple[_Worker, _Task]]) -> None:
        for worker, task in starts:
            # Connecting, and sending large arguments, block: that must cost only this host.
            threading.Thread(target=self._carry_out, args=(worker, task), name="remotesvc-task", daemon=True).start()

    def _carry_out(self, worker: _Worker, task: _Task) -> None:
        while True:
            value, error = self._attempt(worker, task)
            following = self._ended(worker, task, value, error)
            if following is None:
                return
            task = following  # this thread goes on with the host's next task

    def _attempt(self, worker: _Worker, task: _Task) -> tuple[Any, BaseException | None]:
        context: Context | None = None
        try:
            context = self._links.context(worker.member)
            calls, attempt = context.under(self._options), task.future._attempt
            value = attempt.wait(lambda: calls.submit(task.fn, *task.args, **task.kwargs))
            return (list(attempt.each(value)) if hasattr(value, "__next__") else value), None
        except BaseException as error:
            if context is not None:
                self._links.failed(worker.member, context, error)
            if task.future._attempt.stopped and isinstance(error, NotSent):
                return None, Cancelled("killed before it was sent", worker.member.text)
            return None, error

    def _ended(self, worker: _Worker, task: _Task, value: Any, error: BaseException | None) -> _Task | None:
        """A task is through, or goes to another host; returns the next task of this host, None if there is none."""
        not_run = isinstance(error, (ConnectError, NotSent)) and not task.future._attempt.stopped
        lost = isinstance(error, Lost)
        task.losses += lost
        broken: list[_Task] = []
        with self._changed:
            if not_run or lost:
                self._out_of_service(worker, error, lost)
                if all(other.broken is not None for other in self._workers):
                    self._broken = error  # before anybody is told of his task's end, and submits another
            elsewhere = not_run or (lost and self._idempotent and task.losses < MOST_LOSSES)
            if elsewhere and any(other.broken is None for other in self._workers):
                self._count += 1
                self._waiting.appendleft(task)
            else:
                elsewhere = False
        if not elsewhere:
            self._settle(task, value, error)
        with self._changed:
            worker.running -= 1
            self._under_way -= 1
            if all(other.broken is not None for other in self._workers):
                broken = [*self._waiting, *(each for other in self._workers for each in other.own)]
                self._waiting.clear()
                for other in self._workers:
                    other.own.clear()
                self._count -= len(broken)
            starts = self._starts()
        for each in broken:
            if each.future.done() or (not each.future.running() and not each.future.set_running_or_notify_cancel()):
                continue
            each.future.set_exception(_no_host_left(error))
        mine = next((index for index, (other, _) in enumerate(starts) if other is worker), None)
        following = None if mine is None else starts.pop(mine)[1]
        self._start(starts)
        return following

    def _out_of_service(self, worker: _Worker, error: BaseException | None, lost: bool) -> None:
        if lost and self._links.reconnects:
            return  # its next task connects anew
        worker.broken = error
        self._waiting.extend(worker.own)  # for whoever is left
        worker.own.clear()

    def _settle(self, task: _Task, value: Any, error: BaseException | None) -> None:
        with suppress(Exception):  # ended in another way meanwhile
            if error is not None:
                task.future.set_exception(error)
            else:
                task.future.set_result(value)


def _joined(chunks: Generator[list[Any], None, None]) -> Iterator[Any]:
    """What is in the chunks; who reads no further gives up those that have not begun."""
    with closing(chunks):
        for chunk in chunks:
            yield from chunk


def _no_host_left(error: BaseException | None) -> BrokenExecutor:
    failure = BrokenExecutor(f"no host of the fleet is left; the last one: {error}")
    failure.__cause__ = error
    return failure
