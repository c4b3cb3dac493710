"""Leader and follower: who reads a child's link. Its main thread while it has nothing else to do, else the path's own
reader.

So a call is read, run and answered by one thread, without waking another, which takes longer than all the rest. What
it has read it runs one after the other, and the replies are written together. The path's reader stands in for it:
each TICK it looks whether the main thread has got on. Where a call keeps it, the reader reads until it is free again,
and what was read already goes to the other workers; that, too, where calls wait rather than compute.
"""
import os
import threading
import time

from ..links import outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Set

# Seconds between two looks. So long, and as long again, a call may have to wait for another that was read with it.
TICK = 0.002
# Steps in a tick (a call is two) up to which the stand-in, once the main thread reads again, sleeps until it is woken:
# an idle child costs nothing, one that is called now and then three switches of threads. With more it is not woken for
# each call.
FEW = 2


class ReaderHandover(object):
    """The main thread's and the stand-in's turns. Made and installed while the stand-in reads."""

    def __init__(self, path: "Any", link: "Any", dispatcher: "Any", never_wait: "Set[int]") -> "None":
        self._path = path
        self._link = link
        self._dispatcher = dispatcher
        self._never_wait = never_wait  # threads that do not wait for their output to be sent: those who read
        self._turn = threading.Lock()  # who has it reads
        self._turn.acquire()
        self._call = threading.Lock()  # wakes the stand-in
        self._call.acquire()
        self._asleep = self._over = self._polling = False
        self._seen = dispatcher.steps
        self._main = threading.main_thread().ident or 0

    def install(self) -> "None":
        """Be how the main thread waits and is woken, and what the path's reader does after each read."""
        dispatcher = self._dispatcher
        dispatcher.wait, dispatcher.wake = self.wait, self.wake
        dispatcher.others.lend = self.lend
        self._path.rest = self.rest

    # -- on the main thread

    def wait(self, seat: "Any") -> "None":
        """Return when there is work in ``seat``; read meanwhile, if it is our turn."""
        dispatcher, link, path = self._dispatcher, self._link, self._path
        if self._over or not self._turn.acquire(False):
            self._release()
            seat.lock.acquire()
            return
        try:
            dispatcher.reading = True
            self._never_wait.add(self._main)
            while not seat.lock.acquire(False):
                self._release()
                self._polling = True
                if seat.lock.acquire(False):  # since nobody would have woken us yet
                    return
                try:
                    ready = path.wait()
                finally:
                    self._polling = False
                link.corked = True
                if not path.take(ready, link.feed):
                    self._over = True
                    break
        except OSError:  # the stand-in will meet it, too, and knows what to do
            self._over = True
        finally:
            dispatcher.reading = False
            self._never_wait.discard(self._main)
            self._turn.release()
            if self._asleep:
                self._asleep = False
                self._call.release()
        if self._over:
            self._release()
            seat.lock.acquire()

    def lend(self, guest: "Any") -> "bool":
        """Have the main thread ``visit()`` a guest next, if it has nothing else to do. Where it is the one that reads,
        no other has to wake for that. The guest is told by ``wake()`` when this takes too long."""
        dispatcher = self._dispatcher
        with dispatcher.lock:
            seat, dispatcher.main_idle = dispatcher.main_idle, None
            if seat is None:
                return False
            dispatcher.others.guest = guest
            dispatcher.steps += 1
            seat.work = None, guest.visit
        seat.lock.release()
        if threading.get_ident() != self._main:
            self.wake()
        return True

    def _release(self) -> "None":
        link = self._link
        link.corked = False
        if link.queued or link.controls:
            outbox.flush(link)

    def wake(self) -> "None":
        """From another thread: there is work for the main thread."""
        path = self._path
        if self._polling:
            with path._lock:
                if not path._closed:
                    os.write(path._wake_write, b"x")

    # -- on the stand-in

    def rest(self) -> "None":
        """Let the main thread read for as long as it gets on."""
        dispatcher, link = self._dispatcher, self._link
        if dispatcher.steps == self._seen:  # it is still at what it was at when we stood in
            return
        self._turn.release()
        quiet = waited = False
        while True:
            seen, before = dispatcher.steps, time.process_time()
            if not quiet:
                self._call.acquire(True, TICK)
                quiet = dispatcher.steps - seen <= FEW and self._turn.locked()
            else:
                self._asleep = True  # first, so that whoever takes a step after our look wakes us
                if dispatcher.steps == seen:
                    self._call.acquire()
                self._asleep = quiet = False
            if dispatcher.steps == seen:
                if self._turn.acquire(False):
                    break
                continue
            if link.queued:  # calls that take long enough, but not too long
                outbox.flush(link)
            if waited and dispatcher.others.backlog and time.process_time() - before < TICK / 2:
                dispatcher.others.spread()
            waited = dispatcher.others.backlog
        self._seen = seen
        self._release()
        dispatcher.others.spread()
