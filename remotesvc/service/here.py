"""Calls to a service of the same process: on the calling thread, and in turn with those from elsewhere."""

import threading

from ..bootstrap.calls.current import Call, enter, running
from ..bootstrap.calls.lineage import TOKENS, tokens_of
from ..bootstrap.data.pack import Encoded
from ..bootstrap.links.patience import settle
from ..calling.waiting import wait_in_call
from .request import Request, yields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

# Seconds between two looks at what finalisers left, as where there are links.
SETTLE_EVERY = 1.0

_NO_ITEM = object()


def call_here(pool: "Any", service: "Any", method: "str", args: "Tuple[Any, ...]", kwargs: "Dict[str, Any]") -> "Any":
    """Call a service of this pool; see ``Pool.call``."""
    lane = pool.table.wait_for(service)
    call = running()  # what runs now is part of the call that runs it
    if call is None:
        call = Call(pool.kernel, 0, pool.kernel.id)
        call.name, call.lineage = "%s:%s" % (lane.name, method), [pool.kernel.id]
    request = LocalRequest(pool, call, "%s:%s" % (lane.name, method))
    request.method, request.args, request.kwargs = method, args, kwargs
    pool.check(lane, request)
    if not lane.invoker.admit(request):
        request.join()
        return request.result()
    held = pool.workers.held()
    if lane in held:  # it is part of a call that has its place
        request.perform()
        return request.result()
    depth = len(held)
    held.append(lane)
    try:
        (_beside if lane.limit is None else _in_turn)(pool.workers, lane, request)
        if request.begun and lane.invoker.holds_stream and request.yields:
            return pool.hold(TurnItems(request, held))
        return request.result()
    finally:
        if not request.kept:
            del held[depth]
        if request.begun and not request.kept:
            pool.workers.done(request)


def _beside(workers: "Any", lane: "Any", request: "Any") -> "None":
    try:
        workers.guests(lane, 1)
    except BaseException as error:  # the pool is closed
        lane.invoker.dropped(request, error)
        request.fail(error)
        return
    try:
        request.perform()
    finally:
        workers.guests(lane, -1)


def _in_turn(workers: "Any", lane: "Any", request: "Any") -> "None":
    try:
        workers.put(lane, request)
        if request.wait_turn(lane):
            request.perform()
    except BaseException as error:  # no room, or Ctrl-C while waiting
        lane.invoker.dropped(request, error)
        request.fail(error)
    finally:
        with workers.lock:
            if not request.begun and request in lane.waiting:
                lane.withdraw(request)


class LocalRequest(Request):
    """A call made in this process: it runs on the calling thread, in its turn."""

    __slots__ = ("begun", "kept", "_turn", "_done", "_value", "_error")
    local = True

    def __init__(self, pool: "Any", call: "Any", name: "str") -> "None":
        super().__init__(pool, call, pool.kernel.id, pool.kernel.id)
        self.name = name
        self.begun = False  # it has its turn, and keeps that for what it yields
        self.kept = False
        self._turn = threading.Event()
        self._done = threading.Event()
        self._value: "Any" = None
        self._error: "Optional[BaseException]" = None

    def begin(self) -> "None":
        """Its turn has come; the pool's lock is held."""
        self.begun = True
        self._turn.set()

    def wait_turn(self, lane: "Any") -> "bool":
        """Wait until it may run; False when it was answered instead."""
        if not self._turn.is_set():
            self._wait(self._turn, lane if lane.limit == 1 else None, self.pool.workers.lock)
        return not self._done.is_set()

    def join(self) -> "None":
        """Wait for the value that another computes."""
        try:
            self._wait(self._done, self.computation, None if self.computation is None else self.lane.invoker.lock)
        except BaseException:  # its caller has given up, or Ctrl-C
            self.pool.gave_up(self)
            raise

    def _wait(self, event: "threading.Event", place: "Any", lock: "Any") -> "None":
        """Wait, but not for what waits for us. Raises Cancelled in a call that its caller gave up."""
        tokens: "Tuple[int, ...]" = ()
        if place is not None:
            from .cycle import Wait
            tokens = (next(TOKENS),) if self.call.in_turn else ()
            causes = tokens_of(self.call, self.pool.kernel.id) + list(tokens)
            if causes:
                self.pool.waits.add(Wait(place, lock, self, causes))
        while not wait_in_call(event.wait, SETTLE_EVERY, tokens):
            settle(self.router)  # what has the turn may have been let go of

    @property
    def yields(self) -> "bool":
        """Has it returned a generator?"""
        return self._error is None and yields(self._value)

    def result(self) -> "Any":
        """The value once it is there; raises its error."""
        while not wait_in_call(self._done.wait, SETTLE_EVERY if self._later else None):
            settle(self.router)  # its Message may be gone, and without a link nobody else looks
        if self._error is not None:
            raise self._error
        return self.decode(self._value) if type(self._value) is Encoded else self._value

    def answer(self, value: "Any") -> "bool":
        return self._end(value, None)

    def send(self, encoded: "Any") -> "bool":
        return self._end(encoded, None)

    def fail(self, error: "BaseException", ours: "bool" = False) -> "bool":
        return self._end(None, error)

    def _end(self, value: "Any", error: "Optional[BaseException]") -> "bool":
        if not self.take_answer():
            return False
        self._value, self._error = value, error
        self._done.set()
        self._turn.set()
        return True

    def decode(self, encoded: "Any") -> "Any":
        """What another caller would get."""
        return self.router.codec.decode(encoded.data, encoded.blobs, encoded.tagged, self.router.bindings)


class TurnItems(object):
    """What a generator of this process yields, where the next call begins after its end: iterated by its caller, by
    ``for`` or ``async for``, it has the turn until it ends, is closed or let go of, or the pool closes."""

    gi_frame = None  # as a generator has: who gets it may return it to a caller elsewhere

    def __init__(self, request: "Any", held: "Any") -> "None":
        items = request.result()
        self._items: "Any" = request.pool.loop_of(request.lane).iterate(items) if hasattr(
            type(items), "__anext__") else items
        self._request = request
        self._held = held  # of the thread that called: what else that calls of the service is part of this
        self._steps = threading.RLock()
        self._over: "Optional[BaseException]" = None  # what it ends with, once it is to
        self._released = False
        request.kept = True

    def __iter__(self) -> "TurnItems":
        return self

    def __next__(self) -> "Any":
        with self._steps:
            if self._over is not None:
                raise self._over
            try:
                return self._step(next, self._items)
            except BaseException:  # StopIteration as well
                self._over = StopIteration()
                raise
            finally:
                if self._over is not None:
                    self._release()

    def _step(self, step: "Any", *args: "Any") -> "Any":
        """A step of the generator, on whatever thread: what that calls of its service is part of the turn."""
        before, held, lane = running(), self._request.pool.workers.held(), self._request.lane
        guest = lane not in held
        try:
            enter(self._request.call)
            if guest:
                held.append(lane)
            return step(*args)
        finally:
            enter(before)
            if guest:
                held.remove(lane)

    def __aiter__(self) -> "TurnItems":
        return self

    async def __anext__(self) -> "Any":
        import asyncio
        item = await asyncio.get_event_loop().run_in_executor(None, next, self, _NO_ITEM)
        if item is _NO_ITEM:
            raise StopAsyncIteration
        return item

    def close(self) -> "None":
        """End it: the next call has its turn."""
        self.end(StopIteration())

    def end(self, error: "BaseException") -> "None":
        """End it without waiting for a step on another thread; whoever goes on to iterate gets this error."""
        self._over = self._over or error
        if self._steps.acquire(False):
            try:
                self._release()
            finally:
                self._steps.release()

    def _release(self) -> "None":
        if self._released:
            return
        self._released = True
        try:
            self._step(self._items.close)
        finally:
            if self._request.lane in self._held:
                self._held.remove(self._request.lane)
            self._request.pool.let_go(self, self._request)

    def __del__(self) -> "None":
        if not self._released:  # no locks may be taken here
            self._request.router.forgotten.append(self.close)
