"""The threads of a pool of services: one takes messages in, the others run work, the last one ends the pool."""

import threading

from ..bootstrap.calls.dispatcher import Seat
from ..bootstrap.calls.refusals import CLOSING, ServiceInactive
from .lanes import Lanes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, List

# Seconds after which a thread that was not to be had is asked for again.
AGAIN = 0.5


class Workers(object):
    """Threads that take work from lanes and, one at a time, messages from the queue of what has arrived.

    take_in(message)  makes work of a message
    end()             is called on the last thread when it has nothing left to do

    Whoever changes ``lanes`` holds ``lock`` and calls ``call_others`` before letting go of it.
    """

    def __init__(self, kernel: "Any", size: "int", take_in: "Callable[[Any], Any]", end: "Callable[[], Any]") -> "None":
        self.lanes = Lanes(size)
        self.lock = threading.Lock()
        # Set by the pool: a child's doorway has begun the queue, and goes on filling it.
        self.arrived: "Deque[Any]"
        self.state = "open"
        self._kernel = kernel
        self._take_in = take_in
        self._end = end
        self._idle: "List[Seat]" = []
        self._threads = 0
        self._streams = 0
        self._growing = False
        self._taking_in = 0  # the thread that takes a message in
        self._visiting = False  # and it is the main thread, as a visitor
        self._begun: "Any" = None  # what it has taken in and runs next
        self._is_child = hasattr(kernel, "dispatcher")
        self._called = False  # a thread was woken and has not looked yet: it calls others itself
        self._here = threading.local()

    def alive(self) -> "None":
        """Raise ServiceInactive once the pool has been closed."""
        if self.state != "open":
            raise ServiceInactive(CLOSING)

    def arrive(self, message: "Any") -> "bool":
        """On a reader thread: a message; False if it comes too late."""
        with self.lock:
            if self.state != "open":
                return False
            self.arrived.append(message)
            if not self._taking_in and not self._called:
                # A child's main thread, if it has just read this: no other has to wake.
                others = self._kernel.dispatcher.others if self._is_child else None
                self._called = others is not None and others.lend(self)
                self.call_others()
            return True

    def visit(self) -> "None":
        """On a child's main thread: deal with what is here, but for work that is not known to be quick."""
        others = self._kernel.dispatcher.others
        while True:
            work = message = None
            with self.lock:
                self._called = False
                if self.state == "open" and others.step():
                    work = self.lanes.take(True)
                    if work is None and self.arrived and not self._taking_in:
                        self._taking_in, self._visiting = threading.get_ident(), True
                        message = self.arrived.popleft()
                if work is None and message is None:
                    self.call_others()
                    return
            if message is not None:
                self._take_in(message)
                with self.lock:
                    self._taking_in, self._visiting = 0, False
                    work, self._begun = self._begun, None
            if work is not None:
                self._perform(work)

    def put(self, lane: "Any", work: "Any") -> "None":
        """Queue work. Raises Busy, and ServiceInactive once the pool has been closed."""
        with self.lock:
            self.alive()
            here = self._taking_in == threading.get_ident()
            if here and self._visiting and self._begun is None and work.quick and self.lanes.begin(lane, work):
                self._begun = work
                return
            self.lanes.put(lane, work)
            # A thread of ours that takes messages in looks for work next: handing it to another would only cost time.
            if not here or self._visiting:
                self.call_others()

    def count(self, lane: "Any", calls: "int", errors: "int") -> "None":
        """For the statistics."""
        with self.lock:
            lane.calls += calls
            lane.errors += errors

    def done(self, work: "Any") -> "None":
        """Work that ran on a thread of its own has ended."""
        with self.lock:
            self.lanes.done(work)
            self.call_others()

    def abandon(self, request: "Any") -> "None":
        """Nobody waits any more for a request that may be running."""
        with self.lock:
            self.lanes.abandon(request)
            self.call_others()

    def guests(self, lane: "Any", by: "int") -> "None":
        """Calls of this process begin or end on their callers' threads: the pool's end waits for them. Raises
        ServiceInactive."""
        with self.lock:
            if by > 0 and len(self.held()) < 2:  # else it is made by a call that runs, which is to finish
                self.alive()
            lane.guests += by
            if by < 0:
                self.call_others()

    def streams(self, by: "int") -> "None":
        """Generators on threads of their own have begun or ended."""
        with self.lock:
            self._streams += by
            self.call_others()

    def held(self) -> "Any":
        """The lanes whose work this thread is doing."""
        return self._here.__dict__.setdefault("lanes", [])

    def stand_in(self, lanes: "Any") -> "Any":
        """From now on this thread does the work of others, which are in these lanes; returns its own."""
        before, self._here.lanes = self.held(), lanes
        return before

    def wake(self) -> "None":
        """Look whether there is something to do."""
        with self.lock:
            self.call_others()

    def call_others(self) -> "None":
        """Have another thread look for work, if there is some for it; the lock is held."""
        if self.state == "open":
            wanted = bool(self.arrived and not self._taking_in) or self.lanes.ready()
        else:
            wanted = self._may_end()
        if not wanted or self._called:
            return
        if self._idle:
            self._called = True
            self._idle.pop().lock.release()
        elif self.state != "open":
            self._start()
        else:
            self._grow_in(0)  # starting a thread waits for it, and a reader must not wait

    # -- threads

    def _grow(self) -> "None":
        with self.lock:
            self._growing = False
            if not self._idle and self.state != "ended":
                self._start()

    def _grow_in(self, seconds: "float") -> "None":
        if not self._growing:
            self._growing = True
            try:
                self._kernel.timers.after(seconds, self._grow)
            except RuntimeError:  # not even a thread for timers: whoever comes next asks for one again
                self._growing = False

    def _start(self) -> "None":
        self._threads += 1
        try:
            threading.Thread(target=self._serve, name="remotesvc-service", daemon=True).start()
        except RuntimeError:  # no more threads are to be had: those there are do the work, if there are any
            self._threads -= 1
            self._grow_in(AGAIN)

    def _serve(self) -> "None":
        seat = Seat(False)
        while True:
            work, message = self._next(seat)
            if work is None and message is None:
                if seat.main:  # the last one
                    self._end()
                return
            if message is not None:
                self._take_in(message)
                with self.lock:
                    self._taking_in = 0
            else:
                self._perform(work)

    def _next(self, seat: "Seat") -> "Any":
        """Work, or a message to take in, or neither: then this thread ends."""
        woken = False
        while True:
            with self.lock:
                self._called = self._called and not woken
                work = self.lanes.take()
                if work is not None:
                    self.call_others()
                    return work, None
                if self.state != "open":
                    seat.main = self._may_end()  # then it is the last one
                    if seat.main:
                        self.state = "ended"
                    if seat.main or self._threads > 1 or self.state == "ended":
                        self._threads -= 1
                        return None, None
                elif self.arrived and not self._taking_in:
                    self._taking_in = threading.get_ident()
                    return None, self.arrived.popleft()
                elif len(self._idle) > self.lanes.size:
                    self._threads -= 1
                    return None, None
                self._idle.append(seat)
            seat.lock.acquire()
            woken = True

    def _perform(self, work: "Any") -> "None":
        held = self.held()
        depth = len(held)
        held.append(work.lane)
        try:
            work.perform()
        except BaseException as error:
            self._kernel.report(error)
        finally:
            del held[depth:]
            with self.lock:
                self.lanes.done(work)

    # -- the end

    def close(self) -> "Any":
        """Nothing begins any more; returns the messages and the work that will not be dealt with, None if it is closed
        already."""
        with self.lock:
            if self.state != "open":
                return None
            self.state = "closing"
            messages = []
            while self.arrived:
                messages.append(self.arrived.popleft())
            return messages, self.lanes.drop_waiting()

    def finish(self) -> "None":
        """After ``close``: idle threads end, and the last one ends the pool."""
        with self.lock:
            seats, self._idle = self._idle, []
            for seat in seats:
                seat.lock.release()
            if not seats:
                self.call_others()

    def _may_end(self) -> "bool":
        return self.state == "closing" and not self._streams and not self._taking_in and not self.lanes.running()
