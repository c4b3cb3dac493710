"""A link: the byte path to a neighbour, with its queue, its writer and its heartbeat.

Reading happens on the path's reader thread: it decodes and hands frames to the router, and never blocks or sends
anything that could block. Writing happens on the caller's thread when hardly anything is under way, else on the link's
writer thread, which coalesces: a pipeline of small calls becomes few writes.
"""
import collections
import threading
import time

from ..errors import WireError
from . import wire
from .credit import ACK_DELAY, ACK_EVERY, DIRECT, Flight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, List, Optional

# One write of the writer thread: beyond 64 KiB more coalescing gains nothing.
BATCH = 64 * 1024
# Bytes that may queue here: each stream is bounded by its credit; this catches a neighbour that ignores credit.
MAX_QUEUE = 64 * 1024 * 1024
# Control frames that may wait here: a neighbour that asks and does not read must not fill our memory.
MAX_CONTROL = 128 * 1024
# Seconds of silence: then we ask, then we doubt, then it is lost; busy: while user code runs there and its TCP lives.
PING_AFTER, LOST_AFTER, BUSY_LOST_AFTER = 5.0, 20.0, 60.0


class PathEnded(OSError):
    """Says a path's ``write``; all else a signal's handler raised."""


class Link(object):
    """One neighbour. ``deliver(link, frame)`` is called on the reader thread, ``lost(link, reason)`` on that of whoever
    noticed; ``make`` is the class of the frames."""

    def __init__(self, path: "Any", context: "Optional[int]", deliver: "Callable[[Link, Any], None]",
                 lost: "Callable[[Link, str], None]", make: "Any" = wire.Frame) -> "None":
        self.path = path
        self.context = context
        self.heard = time.monotonic()
        self.suspect = False
        self.strikes = 0
        self.received = 0
        self.taken = self.freed = 0  # bytes that messages of it took and gave back here; the first is the reader's
        self.closed = self.parting = ""  # why it ended, or is about to from here
        self.ping_after, self.lost_after, self.busy_lost_after = PING_AFTER, LOST_AFTER, BUSY_LOST_AFTER
        self.on_hello: "Any" = None
        self.make_error: "Any" = None
        self.pace: "Any" = None  # see `pace`
        self._deliver = deliver
        self._lost = lost
        self.decoder = wire.Decoder(make)
        self._acked = 0
        self._acked_at = 0.0
        self.flight = Flight()
        self.lock = threading.Lock()
        self.controls: "List[Any]" = []  # that wait to be written, before all else
        self.queues: "Dict[Any, Deque[Any]]" = collections.OrderedDict()
        self.queued = 0  # bytes
        self.writing = False
        self._sleeping = False  # the writer, until it is told
        self.corked = False  # somebody will write in a moment: what is small waits for that
        self._wake = threading.Condition(self.lock)
        self.broken: "Any" = None
        self._thread: "Optional[threading.Thread]" = None

    # -- reading: on the path's reader thread

    def feed(self, data: "bytes") -> "None":
        """Take received bytes; a peer that sends no frames loses the link."""
        self.received += len(data)
        self.heard = time.monotonic()
        try:
            for frame in () if self.closed else self.decoder.feed_untrusted(data):
                kind = frame.kind
                if kind == wire.MESSAGE:
                    self._deliver(self, frame)
                elif self.pace is not None and self.pace(self):
                    return
                elif kind == wire.ACK:
                    with self.lock:
                        self.flight.ack(frame.handle, self.heard)
                        if self.queued:
                            self.wake_writer()
                elif kind == wire.PING and frame.dst == wire.NEIGHBOUR:
                    self.control(wire.Frame(wire.PONG, handle=frame.handle))
                else:
                    self._deliver(self, frame)
                if self.closed:  # what follows comes from nobody any more
                    return
        except WireError as error:
            self.fail("the stream is corrupt: %s" % error)
        except Exception as error:  # a reader that dies silently would look like a dead target
            self.fail("cannot read from the link: %r" % error)
        # Each wakes the writer, so within a frame only if it takes its time.
        if self.received - self._acked >= ACK_EVERY and (
                not self.decoder.pending or self.heard - self._acked_at > ACK_DELAY):
            self._acked, self._acked_at = self.received, self.heard
            self.control(wire.Frame(wire.ACK, handle=self._acked))

    # -- writing: on any thread

    def control(self, frame: "wire.Frame") -> "None":
        """Send a small frame ahead of everything queued; never blocks."""
        with self.lock:
            if self.closed:
                return
            full = len(self.controls) >= MAX_CONTROL
            if not full:
                self.controls.append(frame.pack())
                # The reader must not write: on an SSH link that would stop the transport's own thread.
                if not self.corked:
                    self.wake_writer()
        if full:
            self.fail("the peer does not read what it is told")

    def send(self, key: "Any", tag: "int", buffers: "List[Any]", size: "int", direct: "bool") -> "bool":
        """Send one frame of ``size`` bytes; never waits for the peer. Returns False when the link is closed.

        ``key`` names the stream it belongs to (streams take turns), ``tag`` the call it could be withdrawn with,
        ``direct`` says that the caller waits for the answer, so that the hand-off to the writer is worth saving.
        """
        mine = False
        try:
            with self.lock:
                if self.closed:
                    return False
                if not (direct and not self.writing and not self.queued and not self.controls
                        and self.flight.sent - self.flight.acked + size <= DIRECT):
                    queue = self.queues.get(key)
                    if queue is None:
                        queue = self.queues[key] = collections.deque()
                    queue += ((tag, buffers, size),)
                    self.queued += size
                    if not self.corked or self.queued > BATCH // 4:
                        self.wake_writer()
                    return True
                self.writing = mine = True
                self.flight.sent += size
            self.write(buffers)
        finally:
            if mine:  # after Ctrl-C, too
                self.writing = False
                self.wrote()
        return True

    def wake_writer(self) -> "None":
        """Something is to be written; the lock is held."""
        if self._thread is None:
            thread = threading.Thread(target=self._loop, name="remotesvc-writer", daemon=True)
            thread.start()  # may fail: then the next frame tries again
            self._thread = thread
        elif self._sleeping and not self.writing:
            self._wake.notify_all()
            self._sleeping = False

    def _loop(self) -> "None":
        while True:
            with self.lock:
                # One writer at a time: a caller may be writing its own frame just now.
                while not self.closed and (self.writing or not self.controls and not (
                        self.queued and self.flight.flying < self.flight.limit)):
                    self._sleeping = True
                    self._wake.wait()
                if self.closed:
                    return
                buffers = self.batch()
                self.writing = True
            try:
                self.write_own(buffers)
            except Exception as error:
                self.fail("cannot write to the link: %r" % error)

    def batch(self) -> "List[Any]":
        """Control first, then one frame of each stream in turn, up to BATCH bytes or the limit in flight."""
        buffers: "List[Any]" = self.controls
        self.controls = []
        size = sum(map(len, buffers))
        while self.queued and size < BATCH and (self.flight.flying + size < self.flight.limit or not size):
            key, queue = self.queues.popitem(last=False)  # type: ignore[call-arg]
            if not queue:
                continue
            while True:
                _tag, parts, length = queue.popleft()
                buffers += parts
                size += length
                self.queued -= length
                if self.queues or not queue or size >= BATCH or self.flight.flying + size >= self.flight.limit:
                    break  # others wait, too: they take turns
            if queue:
                self.queues[key] = queue
        self.flight.send(size, time.monotonic(), self.queued > 0)
        return [b"".join(buffers)] if size <= BATCH else buffers

    def write(self, buffers: "List[Any]") -> "None":
        """Write; for who has set ``writing``. The writer goes on with what is interrupted."""
        noted = self.path.noted = []  # bytes that each step took
        try:
            self.path.write(buffers)
        except PathEnded as error:
            # The reader will know better why, in a moment: an exit status, or a signal.
            self.broken = self.broken or (time.monotonic(), "cannot write to the link: %s" % error)
        except BaseException:
            self.controls.insert(0, memoryview(b"".join(buffers))[sum(noted):])
            self.flight.sent -= len(self.controls[0])
            raise

    def write_own(self, buffers: "List[Any]") -> "None":
        """Write on this thread, which has set ``writing``, and let others go on."""
        try:
            self.write(buffers)
        finally:
            self.writing = False
            self.wrote()

    def wrote(self) -> "None":
        # Only now: who queues something looks at `writing` after that, so one of us sees the other.
        if self.queued or self.controls:
            with self.lock:
                self.wake_writer()

    # -- life

    def fail(self, reason: "str") -> "None":
        """Close the link and tell the router, once."""
        with self.lock:
            if self.closed:
                return
            self.closed = self.parting or reason or "the link ended"
            self.queues.clear()
            self.queued = 0
            self._wake.notify_all()
        try:
            self.path.close()
        finally:
            self._lost(self, self.closed)

    def join(self, timeout: "float") -> "None":
        """Wait for the writer thread to end."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
