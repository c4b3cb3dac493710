"""The workers of a child besides its main thread: when another is started, and when there may be none more.

Threads are started from the timer thread: starting one waits for it, and the reader must not wait.
"""
import threading
import time

from .dispatcher import Seat
from .execute import Refused
from .lineage import main_waits_for, tokens_of, way_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .dispatcher import Dispatcher

# Threads whose call was given up and still runs, that are replaced: beyond it, new calls are refused as Busy.
MAX_ABANDONED = 32
# The flag of a DEAD by which whoever called is told so; for service calls it is `refusals.BEGUN`.
BUSY = 1
# Seconds between two looks whether a call that is for the main thread waits for itself.
LOOK_EVERY = 0.2


class Workers(object):
    """Of one dispatcher, whose lock is held where nothing else is said."""

    def __init__(self, dispatcher: "Dispatcher", timers: "Any") -> "None":
        self._dispatcher = dispatcher
        self._timers = timers
        self._threads = 1  # with the main thread
        self._growing = False
        # Who works on the main thread, too, where that has just read something for it: the pool of services.
        self.guest: "Any" = None
        self.lend: "Callable[[Any], bool]" = lambda guest: False

    def install(self) -> "None":
        """Be the dispatcher's other workers, and see to what waits already. The lock is not held."""
        books = self._dispatcher
        with books.lock:
            books.others = self
            if books.backlog:
                self.grow()

    def _allowed(self) -> "int":
        books = self._dispatcher
        return books.concurrency + min(books.abandoned, MAX_ABANDONED) + books.extra

    def full(self, message: "Any") -> "bool":
        """Refuse a message if calls that were given up have all the threads there may be."""
        books = self._dispatcher
        if books.abandoned < MAX_ABANDONED or self._threads < self._allowed():
            return False
        names = ", ".join(sorted({call.name for call in books.running.values() if call.abandoned})[:8])
        books.refuse(message, "%d calls that were given up still run: %s" % (books.abandoned, names), BUSY)
        return True

    def too_many(self) -> "bool":
        """Should the calling worker end?"""
        if self._threads <= self._allowed():
            return False
        self._threads -= 1
        return True

    def grow(self) -> "None":
        """Something waits: start another worker, if there may be one."""
        if not self._growing and self._threads < self._allowed():
            self._growing = True
            self._timers.after(0, self._start)

    @property
    def backlog(self) -> "bool":
        """Does something wait that was read with what the main thread does?"""
        return self._dispatcher.backlog or (self.guest is not None and bool(self.guest.arrived))

    def step(self) -> "bool":
        """On the main thread, at a guest's work: it gets on. False if there are calls, which it has to see to."""
        books = self._dispatcher
        books.steps += 1
        return not (books.backlog or books.for_main or books.stopping)

    def spread(self) -> "None":
        """The main thread does not get on with what waits: the others take it. The lock is not held."""
        if self.guest is not None:
            self.guest.wake()
        books, seats = self._dispatcher, []
        with books.lock:
            while books.idle and books.backlog:
                seats.append(books.idle.pop())
                seats[-1].work = books.begun((books.caused or books.ready).popleft())
            if books.backlog:
                self.grow()
        for seat in seats:
            seat.lock.release()

    def hand_to_main(self, message: "Any", call: "Any") -> "bool":
        """A call asked for the main thread and is on another. False if it was refused. The lock is not held."""
        books = self._dispatcher
        with books.lock:
            seat, books.main_idle = books.main_idle, None
            if seat is None:
                books.for_main.append((message, call))
            else:
                books.steps += 1
                seat.work = (message, call)
        if seat is None:
            return self._left(message, call)
        seat.lock.release()
        books.wake()
        return True

    def _left(self, message: "Any", call: "Any") -> "bool":
        """Leave a call to the main thread; False, and it is refused, if that waits for what waits for this call.

        Where calls of this process wait for it, this worker stays and looks: it is one that they have beside the
        others, and the main thread may begin to wait later.
        """
        books, tokens = self._dispatcher, tokens_of(call, call.router.id)
        while tokens:
            with books.lock:
                if books.stopping or (message, call) not in books.for_main:
                    break
                needs = main_waits_for()
                held = bool(needs) and set(needs).issubset(tokens)  # one of them would do
                if held:
                    books.for_main.remove((message, call))
            if held:
                message.release()
                call.router.executor.fail(call, message, Refused(
                    "%s would wait for the main thread for ever: a call that waits for this one has it (by way of "
                    "contexts %s)" % (call.name, way_text(call.lineage))))
                return False
            time.sleep(LOOK_EVERY)
        return True

    def _start(self) -> "None":
        books = self._dispatcher
        with books.lock:
            self._growing = False
            if not books.backlog or books.stopping or self._threads >= self._allowed():
                return
            self._threads += 1
        try:
            threading.Thread(target=books.serve, args=(Seat(False),), name="remotesvc-worker", daemon=True).start()
        except RuntimeError:
            # The target allows no more threads: those we have do the work, later.
            with books.lock:
                self._threads -= 1
                books.concurrency = max(1, self._threads)
            return
        with books.lock:
            if books.backlog:
                self.grow()
