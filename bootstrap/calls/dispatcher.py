"""Runs calls on worker threads: which call, on which thread, when. What running means is in ``execute``.

The reader hands a call to an idle worker by releasing its lock; decoding, importing and running happen there. An idle
main thread is always preferred: signals, asyncio and C libraries behave on it. It is the only worker until the whole
kernel is here: `workers` starts others, and `reader_handover` makes it the reader, too.
"""
import collections
import itertools
import threading

from ..links import wire
from .current import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, List, Optional

# Cancels remembered that came before their call.
MAX_EARLY = 1024
# What ``execute`` returns for a call that belongs on the main thread, and for one that another's thread will run.
to_main, parked = object(), object()
ONLY_PARENTS = "only a parent may call functions here"


class Seat(object):
    """A worker thread's place to wait for work: (message, call)."""

    __slots__ = ("lock", "work", "main")

    def __init__(self, main: "bool") -> "None":
        self.lock = threading.Lock()
        self.lock.acquire()
        self.work: "Any" = None
        self.main = main


class Dispatcher(object):
    """The workers of one context. ``execute(call, message)`` runs one; it never raises."""

    source = None  # as a mailbox: anyone may write, the message says whether an ancestor did

    def __init__(self, router: "Any", concurrency: "int", execute: "Callable[[Call, Any], Any]") -> "None":
        self._router = router
        self._execute = execute
        self.concurrency = concurrency
        self.lock = threading.Lock()
        self.ready: "Deque[Any]" = collections.deque()
        self.caused: "Deque[Any]" = collections.deque()
        self.for_main: "Deque[Any]" = collections.deque()
        self.idle: "List[Seat]" = []
        self.main_idle: "Optional[Seat]" = None
        # The other workers. How the main thread waits, is woken then, whether it reads; how often it took up work.
        self.others: "Any" = None
        self.wait: "Callable[[Seat], Any]" = lambda seat: seat.lock.acquire()
        self.wake: "Callable[[], Any]" = lambda: None
        self.reading = False
        self.steps = 0
        self.extra = 0  # calls that were caused by running ones
        self.abandoned = 0
        self.running: "Dict[int, Call]" = {}
        self._early: "Dict[int, bool]" = collections.OrderedDict()
        self.stopping = False

    # -- on the reader thread

    def on_message(self, message: "Any") -> "None":
        """A call arrived."""
        if not message.commands:
            self.refuse(message, ONLY_PARENTS)
            return
        with self.lock:
            if self._early:
                message.given_up = self._early.pop(message.reply_to, False)
            seat = self._seat()
            if seat is None:
                self._queue(message)
                return
            if message.flags & wire.CAUSED:
                self.extra += 1
            seat.work = self.begun(message)
        seat.lock.release()

    def on_closed(self, error: "BaseException") -> "None":
        """The router is closing; who runs the process ends the workers."""

    def on_cancel(self, handle: "int") -> "None":
        """The caller gave up: a waiting call is dropped, a running one is told and its thread written off."""
        with self.lock:
            for message in itertools.chain(self.ready, self.caused):
                if message.reply_to == handle:
                    message.given_up = True  # and stays: in a chain, others wait for its turn
                    return
            call = self.running.get(handle)
            if call is None:
                self._early[handle] = True
                if len(self._early) > MAX_EARLY:
                    self._early.popitem(last=False)  # type: ignore[call-arg]
                return
            if not call.abandoned and not call.open and not call.parked:
                call.abandoned = True
                self.abandoned += 1
                if self.ready and self.others is not None:
                    self.others.grow()
        call.cancel()

    def _seat(self) -> "Optional[Seat]":
        if self.main_idle is not None:
            seat, self.main_idle = self.main_idle, None
            self.steps += 1
            return seat
        return self.idle.pop() if self.idle and not self.reading else None

    def begun(self, message: "Any") -> "Any":
        """A message becomes a call that runs; the lock is held, so that a cancel finds it here or in the queue."""
        call = Call(self._router, message.reply_to, message.src)
        self.running[call.id or -id(call)] = call  # a cast has no id
        return message, call

    def _queue(self, message: "Any") -> "None":
        if self.others is not None and self.others.full(message):
            return
        if message.flags & wire.CAUSED:
            self.extra += 1
        if self.others is None and (self.running or self.ready):  # it would wait for another
            self._router.ask()
        # One that a running call waits for goes first, on a thread that the others cannot take.
        (self.caused if message.flags & wire.CAUSED else self.ready).append(message)
        self._router.crowded = True
        if self.others is not None and not self.reading:
            self.others.grow()

    @property
    def backlog(self) -> "bool":
        """Does a call wait for a worker?"""
        return bool(self.caused or self.ready)

    def refuse(self, message: "Any", reason: "str", flags: "int" = 0) -> "None":
        """Tell who asked that nobody will answer."""
        message.release()
        self._router.say_dead(message.src, message.reply_to, reason, flags)

    # -- on the workers

    def serve(self, seat: "Seat") -> "None":
        """Work on this thread until ``stop``."""
        while True:
            work = self._next(seat)
            if work is None:
                return
            self._work(work)

    def _next(self, seat: "Seat") -> "Any":
        with self.lock:
            if self.stopping:
                return None
            if seat.main:
                self.steps += 1
                if self.for_main:
                    return self.for_main.popleft()
            elif self.others.too_many():
                return None
            queue = self.caused or self.ready
            if queue:
                work = self.begun(queue.popleft())
                self._router.crowded = self.backlog
                return work
            if seat.main:
                self.main_idle = seat
            else:
                self.idle.append(seat)
        if seat.main:
            self.wait(seat)
        else:
            seat.lock.acquire()
        work, seat.work = seat.work, None
        return work

    def _work(self, work: "Any") -> "None":
        message, call = work
        if message is None:  # of the services: `reader_handover` has lent them the main thread
            call()
            return
        outcome = self._execute(call, message)
        if outcome is to_main and self.others.hand_to_main(message, call):
            return
        with self.lock:
            if message.flags & wire.CAUSED:
                self.extra -= 1
            if not call.open and outcome is not parked:
                self._forget(call)

    def _forget(self, call: "Call") -> "None":
        if self.running.pop(call.id or -id(call), None) is not None and call.abandoned:
            self.abandoned -= 1

    def finished(self, call: "Call") -> "None":
        """A call is over, whoever ran it; the first time counts."""
        with self.lock:
            self._forget(call)

    def stop(self) -> "None":
        """End every idle worker; those that run something end after it."""
        with self.lock:
            self.stopping = True
            seats = self.idle + ([self.main_idle] if self.main_idle else [])
            self.idle, self.main_idle = [], None
        for seat in seats:
            seat.lock.release()
        self.wake()
