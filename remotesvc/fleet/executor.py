"""A `concurrent.futures.Executor` whose workers are the hosts of a fleet.

Ctrl-C raises between any two steps of the main thread, so the books are kept by threads of the executor. Who submits
puts the task on a queue, which is one step, and starts a thread if a host has room; all others wait for who is done.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from remotesvc.bootstrap.errors import ForkedError, NotSent, UsageError
from remotesvc.calling.many import many
from remotesvc.futures import Cancelled

from . import exits
from .links import Links
from .member import Member
from .tasks import RETURNED, HostFuture, Task, Tasks, Worker, no_host_left, sticky_key

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.calling.options import Options

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 100_000
"""Tasks that may wait for a host; `submit` waits beyond it, rather than fill the memory."""


PATIENCE = 5.0
"""Seconds in which tasks that were killed, because the program was interrupted, are to end."""


class FleetExecutor(Executor):
    """Runs tasks on any host of a fleet, `slots` at once on each.

    policy "any": on whichever host has room. "round_robin": on the hosts in turn, whatever room they have. "sticky":
    tasks with the same first argument on the same host, by its value and type (1 and 1.0 differ); the first keyword's
    where there are only keywords.

    A host that cannot be reached, or is lost, takes no more tasks (with Fleet(reconnect=True) a lost one may come
    back). A task that certainly did not run goes to another host; one that may have run ends with Lost, unless
    idempotent=True says that running it again does no harm: then it is lost three times before it does. When no host is
    left, what waits ends with BrokenExecutor.

    As a context manager it waits at the end for all tasks; after Ctrl-C it drops those that have not begun, and kills
    those that run. Without `with`, the end of the program waits for all tasks, unless the fleet was closed.
    """

    def __init__(self, members: Sequence[Member], links: Links, policy: str, slots: int, options: Options,
                 idempotent: bool) -> None:
        self._links = links
        self._options = options
        self._tasks = Tasks(members, policy, slots, idempotent)
        self._incoming: queue.SimpleQueue[Task] = queue.SimpleQueue()  # not yet in the books
        self._lock = threading.Lock()
        self._gates: list[queue.SimpleQueue[None]] = []  # of those that wait for a change
        self._pid = os.getpid()
        self._shut = False
        self._running: set[HostFuture[Any]] = set()
        self._here = threading.local()
        exits.remember(self)

    # What a generator yields comes as a list, unlike anywhere else in `concurrent.futures`.
    @overload
    def submit(self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
               ) -> HostFuture[T]: ...
    @overload
    def submit(self, fn: Callable[P, AsyncIterator[T]], /, *args: P.args, **kwargs: P.kwargs
               ) -> HostFuture[list[T]]: ...
    @overload
    def submit(self, fn: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs) -> HostFuture[list[T]]: ...
    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> HostFuture[T]: ...
    @overload
    def submit(self, fn: str, /, *args: Any, **kwargs: Any) -> HostFuture[Any]: ...

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> HostFuture[Any]:
        """Run `fn(*args, **kwargs)` on one of the hosts. Raises RuntimeError after `shutdown`, BrokenExecutor when
        no host is left, UsageError where a sticky policy cannot place it."""
        key = sticky_key(args, kwargs) if self._tasks.policy == "sticky" else 0
        task = Task(HostFuture[Any](), fn, args, kwargs, key)
        if not self._in_callback():
            self._wait_until(lambda: self._shut or self._incoming.qsize() + self._tasks.waiting < MOST_WAITING)
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._tasks.broken is not None:
                raise no_host_left(self._tasks.broken)
            self._incoming.put(task)
        # Where there is no room, whoever makes some takes the task in: after it has made it.
        if self._tasks.broken is not None or self._tasks.has_room(task):
            self._take_in_aside()
        return task.future

    @overload
    def map(self, fn: Callable[..., Coroutine[Any, Any, T]], *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[T]: ...
    @overload
    def map(self, fn: Callable[..., AsyncIterator[T]], *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[list[T]]: ...
    @overload
    def map(self, fn: Callable[..., Iterator[T]], *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[list[T]]: ...
    @overload
    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[T]: ...
    @overload
    def map(self, fn: str, *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[Any]: ...

    def map(self, fn: Callable[..., Any] | str, *iterables: Iterable[Any],
            timeout: float | None = None, chunksize: int = 1, buffersize: int | None = None) -> Iterator[Any]:
        """The values of `fn` for the items of `iterables`, in order; all are submitted at once, as by `Executor.map`.

        With a `chunksize`, that many calls are one task, which runs them one after the other on one host: the larger,
        the less a short call costs. A call that raises takes the values of its chunk with it, and what is lost, or
        has its time limit from `options`, is the chunk. With a `buffersize`, on any Python, at most that many tasks are
        submitted whose values nobody has read: `iterables` may have no end, and large values do not pile up. Raises
        UsageError, and what `submit` does.
        """
        if chunksize < 1:
            raise UsageError("chunksize must be at least 1")
        if buffersize is not None and buffersize < 1:
            raise UsageError("buffersize must be at least 1, or None for no limit")
        if chunksize == 1:
            return self._map(fn, zip(*iterables, strict=False), timeout, buffersize)
        if self._tasks.policy == "sticky":
            raise UsageError("a policy that places each task by its first argument leaves no chunks: chunksize is 1")
        calls = zip(*iterables, strict=False)
        chunks = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        return _joined(self._map(many(fn), zip(chunks, strict=True), timeout, buffersize))

    def _map(self, fn: Any, calls: Iterator[tuple[Any, ...]], timeout: float | None,
             buffersize: int | None) -> Generator[Any, None, None]:
        deadline = None if timeout is None else time.monotonic() + timeout
        futures = deque(self.submit(fn, *args) for args in itertools.islice(calls, buffersize))
        if buffersize is None:
            calls = iter(())  # what has ended is asked no more: that would take items of those that have not

        def values() -> Generator[Any, None, None]:
            try:
                while futures:
                    value = futures[0].result(None if deadline is None else deadline - time.monotonic())
                    futures.popleft()
                    yield value
                    del value  # it may be large
                    futures.extend(self.submit(fn, *args) for args in itertools.islice(calls, 1))
            finally:
                with suppress(ForkedError):  # left in a fork
                    for future in futures:
                        future.cancel()

        return values()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; `wait` until those taken have ended. cancel_futures drops what has not begun.

        The connections stay with the fleet. Raises RuntimeError if a done-callback of a task would wait for all tasks.
        """
        dropped: list[Task] = []
        with self._lock:
            self._shut = True
            if cancel_futures:
                self._take_in()
                dropped = self._tasks.drop()
                self._running.difference_update(task.future for task in dropped)
        self._tell()
        for task in dropped:
            task.future.drop()
        if wait:
            if self._in_callback():
                raise RuntimeError("a task's done-callback cannot wait for all tasks: shutdown(wait=False)")
            if not self._incoming.empty():  # whoever put it there was interrupted
                self._take_in_aside()
            self._wait_until(self._is_idle)

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        if self.forked:  # it unwinds: the tasks are its parent's
            return
        if kind is None or issubclass(kind, (Exception, GeneratorExit)):  # a generator left early
            self.shutdown()
            return
        # Ctrl-C, or the end of the program: nobody will read what comes of the tasks.
        exits.forget(self)
        self.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            running = list(self._running)
        for future in running:
            future.kill()
        self._wait_until(self._is_idle, PATIENCE)  # one that connects is not waited for

    @property
    def forked(self) -> bool:
        """Whether this is a copy in a fork, which has none of the threads."""
        return os.getpid() != self._pid

    @property
    def busy(self) -> bool:
        """Whether tasks are under way."""
        return not self._is_idle()

    def _is_idle(self) -> bool:
        with self._lock:
            return self._incoming.empty() and not self._tasks.waiting and not self._tasks.under_way

    def _wait_until(self, settled: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait for the books to say so, for `timeout` seconds at most. May be interrupted anywhere."""
        if settled():
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        gate: queue.SimpleQueue[None] = queue.SimpleQueue()
        try:
            self._gates.append(gate)
            while not settled():
                gate.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            pass
        finally:
            with suppress(ValueError):
                self._gates.remove(gate)

    def _tell(self) -> None:
        """The books have changed."""
        for gate in tuple(self._gates):
            gate.put(None)

    def _in_callback(self) -> bool:
        """Whether this thread carries out a task, which is not over before its done-callbacks are."""
        return getattr(self._here, "carries_out", False)

    def _take_in_aside(self) -> None:
        """Have a thread begin what can begin, and stay with the first of it."""
        try:
            threading.Thread(target=self._attend, name="remotesvc-task", daemon=True).start()
        except RuntimeError:  # no more threads
            self._start(self._begin())

    def _attend(self) -> None:
        begun = self._begin()
        if begun:
            self._start(begun[1:])
            self._carry_out(*begun[0])

    def _take_in(self) -> None:
        """What was submitted goes into the books; the lock is held."""
        with suppress(queue.Empty):
            while True:
                self._tasks.add(self._incoming.get_nowait())

    def _begin(self, left: Worker | None = None) -> list[tuple[Worker, Task]]:
        """The tasks that can begin now, after one has `left` a host."""
        with self._lock:
            if left is not None:
                self._tasks.ended(left)
            self._take_in()
            broken = self._tasks.broken
            stranded = [] if broken is None else self._tasks.drop()
            begun = self._tasks.begin()
            self._running.update(task.future for _, task in begun)
        self._tell()
        for each in stranded:
            if not each.future.done() and each.future.begins():
                _settle(each, None, no_host_left(broken))
        return begun

    def _start(self, begun: list[tuple[Worker, Task]]) -> None:
        for worker, task in begun:
            following: Task | None = task
            while following is not None:
                # Connecting, and sending large arguments, block: that must cost only this host.
                thread = threading.Thread(target=self._carry_out, args=(worker, following), name="remotesvc-task",
                                          daemon=True)
                try:
                    thread.start()
                    break
                except RuntimeError as error:  # no more threads: this one has failed, and the next may be luckier
                    following = self._ended(worker, following, None, error)

    def _carry_out(self, worker: Worker, task: Task) -> None:
        self._here.carries_out = True
        while True:
            value, error = self._attempt(worker, task)
            following = self._ended(worker, task, value, error)
            if following is None:
                return
            task = following  # this thread goes on with the host's next task

    def _attempt(self, worker: Worker, task: Task) -> tuple[Any, BaseException | None]:
        context: Context | None = None
        attempt = task.future.attempt
        try:
            context = self._links.context(worker.member)
            calls = context.under(self._options)
            value = attempt.wait(lambda: calls.submit(task.fn, *task.args, **task.kwargs))
            return (list(attempt.each(value)) if hasattr(value, "__next__") else value), None
        except BaseException as error:
            if context is not None:
                self._links.failed(worker.member, context, error)
            if attempt.stopped and isinstance(error, NotSent):
                return None, Cancelled("killed before it was sent", worker.member.text)
            return None, error

    def _ended(self, worker: Worker, task: Task, value: Any, error: BaseException | None) -> Task | None:
        """A task is through, or goes to another host; returns the next task of this host, None if there is none."""
        verdict = RETURNED
        if error is not None:
            with self._lock:
                verdict = self._tasks.failed(worker, task, error, self._links.reconnects)
        if not verdict.elsewhere:
            # Before what follows begins, and after the books know if no host is left: whoever is told may submit.
            _settle(task, value, verdict.error)
            self._running.discard(task.future)
        begun = self._begin(worker)
        mine = next((index for index, (other, _) in enumerate(begun) if other is worker), None)
        following = None if mine is None else begun.pop(mine)[1]
        self._start(begun)
        return following


def _settle(task: Task, value: Any, error: BaseException | None) -> None:
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
