"""Byte paths in memory: a link without pipes, processes or a network, whose faults a test chooses.

``pair()`` gives the two ends. What one end writes the other delivers, on a reader thread of its own, through a buffer
of bounded size: a peer that does not read makes writers wait, as a full pipe does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from remotesvc.bootstrap.links.link import PathEnded
from remotesvc.launch.byte_path import BytePath

# Bytes that fit between the two ends of a path, in each direction.
CAPACITY = 64 * 1024

CLOSED = "we closed the link"
ENDED = "the peer closed the link"
CUT = "the link was cut"


class Pipe:
    """One direction: bytes go in at one end and come out at the other, as many at once as the faults allow."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._buffer = bytearray()
        self._changed = threading.Condition()
        self._ended = ""
        self._stopped = False
        self._stalled = False
        self._piece = 0
        self._left: int | None = None
        self.written = 0

    def put(self, data: memoryview) -> int:
        """Take as much of ``data`` as there is room for, waiting for some; returns how many bytes. Raises PathEnded."""
        with self._changed:
            while len(self._buffer) >= self._capacity and not self._ended and not self._stopped:
                self._changed.wait()
            if self._ended or self._stopped:
                raise PathEnded("the link is closed")
            taken = data[: self._capacity - len(self._buffer)]
            if self._left is not None:
                taken = taken[: self._left]
                self._left -= len(taken)
            self._buffer += taken
            self.written += len(taken)
            if self._left == 0:
                self._ended = CUT
            self._changed.notify_all()
            return len(taken)

    def get(self) -> bytes:
        """The next bytes, waiting for them; none once the direction has ended and all was taken out."""
        with self._changed:
            while not self._stopped and (self._stalled or not (self._buffer or self._ended)):
                self._changed.wait()
            size = self._piece or len(self._buffer)
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._changed.notify_all()
            return data

    def end(self, why: str) -> None:
        """Nothing more will be written; what is in the buffer is still delivered."""
        with self._changed:
            self._ended = self._ended or why
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody will wait for more of it, nor write: what is in the buffer may still be taken."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def why(self) -> str:
        """Why it ended; empty while it has not."""
        return self._ended

    def change(self, **faults: Any) -> None:
        """Set the attributes that make its faults, and wake whoever waits."""
        with self._changed:
            for name, value in faults.items():
                setattr(self, name, value)
            if self._left == 0:
                self._ended = self._ended or CUT
            self._changed.notify_all()


class MemoryPath(BytePath):
    """One end of a pair. The faults are those of the direction this end writes to."""

    def __init__(self, name: str, incoming: Pipe, outgoing: Pipe) -> None:
        self.name = name
        self.status: int | None = None
        self.said = ""
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = False
        self._lock = threading.Lock()
        self._one_writer = threading.Lock()
        self._thread: threading.Thread | None = None

    # -- what a link uses

    def start(self, feed: Callable[[bytes], object], ended: Callable[[str], object]) -> None:
        """Deliver what arrives with ``feed``, then say why it ended, on a thread of this path's own."""
        thread = threading.Thread(target=self._read, args=(feed, ended), name="remotesvc-reader", daemon=True)
        thread.start()
        self._thread = thread  # now it can be joined

    def _read(self, feed: Callable[[bytes], object], ended: Callable[[str], object]) -> None:
        while data := self._incoming.get():
            feed(data)
        ended(CLOSED if self._closed else self._incoming.why)
        self.close()

    def write(self, buffers: Iterable[Any]) -> None:
        """Write every byte; waits while the buffer is full. Raises PathEnded when either end is closed, or the link
        cut; AssertionError when two threads write at once, which no byte path has to bear."""
        assert self._one_writer.acquire(blocking=False), "two threads write to one path at once"
        try:
            for buffer in buffers:
                rest = memoryview(buffer).cast("B")
                while rest:
                    rest = rest[self._outgoing.put(rest) :]
                    if self._outgoing.why == CUT:
                        self._incoming.end(CUT)
                        self._incoming.stop()
        finally:
            self._one_writer.release()

    def close(self) -> None:
        """End both directions: the peer gets what was written, a write under way raises. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # A cut breaks both ways. Whoever notices it first closes, which must not look like an orderly end to the other.
        self._outgoing.end(CUT if self._incoming.why == CUT else ENDED)
        self._incoming.stop()

    def exit_status(self) -> int | None:
        """What ``status`` was set to: that of the program at the other end."""
        return self.status

    def diagnostics(self) -> str:
        """What ``said`` was set to: what the program at the other end wrote to its stderr."""
        return self.said

    def join(self, timeout: float) -> None:
        """Wait for the reader thread to end."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    # -- faults

    @property
    def written(self) -> int:
        """Bytes that this end has written so far."""
        return self._outgoing.written

    def cut_after(self, size: int) -> None:
        """Break the link, both ways, once ``size`` more bytes were written here; those still arrive."""
        self._outgoing.change(_left=size)
        if not size:
            self._incoming.end(CUT)
            self._incoming.stop()

    def deliver_in(self, size: int) -> None:
        """From now on the other end gets at most ``size`` bytes at once; 0: whatever there is."""
        self._outgoing.change(_piece=size)

    def stall(self) -> None:
        """The other end gets nothing until ``resume``; what is written stays in the buffer, until that is full."""
        self._outgoing.change(_stalled=True)

    def resume(self) -> None:
        """End a stall."""
        self._outgoing.change(_stalled=False)


def pair(capacity: int = CAPACITY, names: tuple[str, str] = ("one", "other")) -> tuple[MemoryPath, MemoryPath]:
    """Two ends of a new path; each direction holds ``capacity`` bytes that nobody has read yet."""
    there, back = Pipe(capacity), Pipe(capacity)
    return MemoryPath(names[0], back, there), MemoryPath(names[1], there, back)
