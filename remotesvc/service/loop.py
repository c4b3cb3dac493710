"""The event loop of one service, which all that its methods await shares: a service may keep what asyncio binds to one.

It runs on a thread of its own. Who called waits on another, as for any method; what is asked there about the running
call, and which turns are its own, holds for each step of the coroutine and of the tasks that it begins.
"""

import threading

from ..bootstrap.calls.awaiting import end_loop, iterate_async, settled
from ..bootstrap.calls.current import enter, running
from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

# Seconds for which the end of the pool waits for what is left over: who blocks its loop holds up nothing else.
FAREWELL = 0.5

_here = threading.local()  # `loop`: the Loop whose thread this is


class Loop(object):
    """It starts with the first coroutine, and ends with the pool."""

    def __init__(self, pool: "Any", name: "str") -> "None":
        self._pool = pool
        self._workers = pool.workers
        self._name = name
        self._lock = threading.Lock()
        self._thread: "Any" = None
        self._loop: "Any" = None
        self._over = False
        self._awaited: "Any" = None  # the Loop that a blocking call on our thread waits for

    def run(self, awaitable: "Any", wanted: "bool" = True) -> "Any":
        """Await it there; returns or raises what it does. ``wanted``: see ``settled``. Raises UsageError where this
        loop waits for the thread that calls."""
        loop, here = self._begun(), getattr(_here, "loop", None)
        if here is not None:
            here._awaited = waits = self  # first: of two that do so at a time, one sees the other
            while waits not in (None, here):
                waits = waits._awaited
            if waits is here:
                here._awaited = None
                if hasattr(awaitable, "close"):
                    awaitable.close()
                raise UsageError("an async method of %s is called by what its loop waits for, and would wait for "
                                 "itself: await what an async method calls" % self._name)
        try:
            return self._run(loop, awaitable, wanted)
        finally:
            if here is not None:
                here._awaited = None

    def _run(self, loop: "Any", awaitable: "Any", wanted: "bool") -> "Any":
        done, tasks = threading.Event(), []  # type: Any, Any
        call = running()
        steps = Steps(settled(self._ending(awaitable, call), wanted), call, list(self._workers.held()), self._workers)

        def begin() -> "None":
            tasks.append(loop.create_task(steps))
            tasks[0].add_done_callback(lambda task: done.set())

        loop.call_soon_threadsafe(begin)
        try:
            done.wait()
        except BaseException:  # Ctrl-C: what it does then is still part of its turn; a second one does not wait for it
            loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            done.wait()
            raise
        returned, value = tasks[0].result()
        if not returned:
            raise value
        return value

    async def _ending(self, awaitable: "Any", call: "Any") -> "Any":
        try:
            return await awaitable
        finally:
            if call is not None and self._pool.kernel.forked:  # it ends here: who waits for it is not there
                self._pool.runner.drain(call.id)

    def iterate(self, items: "Any") -> "Iterator[Any]":
        """Iterate an asynchronous generator from another thread."""
        return iterate_async(self.run, items)

    def close(self) -> "None":
        """End it, and what is left over on it."""
        self._over = True
        if self._thread is not None:
            try:
                self._loop.call_soon_threadsafe(self._loop.stop)
            except RuntimeError:  # it was ending just now
                pass
            self._thread.join(FAREWELL)

    def _begun(self) -> "Any":
        with self._lock:
            if self._thread is None:
                import asyncio
                loop = self._loop = asyncio.new_event_loop()
                loop.set_task_factory(self._task)
                thread = threading.Thread(target=self._serve, name="remotesvc-loop", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # this host has no room for another
                    loop.close()
                    raise
                self._thread = thread
        return self._loop

    def _serve(self) -> "None":
        import asyncio
        asyncio.set_event_loop(self._loop)
        _here.loop = self
        try:
            while not self._over:  # a method may stop it, but it is not its own
                try:
                    self._loop.run_forever()
                except BaseException as error:  # SystemExit of a task, which ends that alone
                    self._pool.kernel.report(error)
        finally:
            end_loop(self._loop)

    def _task(self, loop: "Any", coroutine: "Any", **options: "Any") -> "Any":
        """A task: part of the call whose step begins it."""
        import asyncio
        call = running()
        if call is not None:
            coroutine = Steps(coroutine, call, list(self._workers.held()), self._workers)
        return asyncio.Task(coroutine, loop=loop, **options)


class Steps(object):
    """A coroutine each of whose steps is part of a call."""

    def __init__(self, coroutine: "Any", call: "Any", held: "Any", workers: "Any") -> "None":
        self._coroutine = coroutine
        self._call = call
        self._held = held
        self._workers = workers

    def send(self, value: "Any") -> "Any":
        return self._step(self._coroutine.send, value)

    def throw(self, *error: "Any") -> "Any":
        return self._step(self._coroutine.throw, *error)

    def close(self) -> "None":
        self._step(self._coroutine.close)

    def __await__(self) -> "Any":
        return self._coroutine.__await__()  # for asyncio, which only asks whether it is there

    def __getattr__(self, name: "str") -> "Any":
        return getattr(self._coroutine, name)  # its frame and name, for whoever shows tasks

    def _step(self, step: "Any", *args: "Any") -> "Any":
        before, held = running(), self._workers.stand_in(self._held)
        enter(self._call)
        try:
            return step(*args)
        finally:
            enter(before)
            self._workers.stand_in(held)
