"""Messages of several frames: putting them together, and the room they may take. Thread-safe, without I/O.

Each stream from wire.DYNAMIC up belongs to one large message, generator or channel of its sender. A message that does
not fit into its stream's window waits, after the first of it, until there is room for all of it. There may be many such
streams, each with messages that nobody reads yet, so their credit counts what a frame costs us besides its bytes.
"""
import struct
import time

from ..errors import WireError
from . import wire
from .credit import WINDOW, ReceiveCredit
from .streams import MESSAGE_COST, hold, window_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .streams import Key, Owed, Streams

    Ready = Tuple[Key, "Incoming", int]

# Bytes of messages that may be under assembly or waiting to be decoded here at once: one largest message and as much
# again for all others.
BUDGET = 2 * wire.MAX_MESSAGE
# Bytes that one neighbour below us may have sent of messages for which there is no room yet: each may bring its window
# before it waits, and this is one window for each of several hundred contexts that answer at once.
MAX_AHEAD = 512 * WINDOW
# Bytes a second that a message brings, or it may be late; see `patience`.
LEAST_RATE = 65536


# Bytes after which the first grant of a stream comes that begins with a small message, and how much later the next ones
# come. A generator begins with few items ahead, and goes on with as many times more at each grant: see `calls.unfold`.
SOON, LATER = 4096, 4


class Eager(ReceiveCredit):
    """Grants soon what was used first."""

    def __init__(self, window: "int") -> "None":
        ReceiveCredit.__init__(self, window)
        self._due, self._most = float(SOON), self._due

    def consumed(self, size: "int") -> "int":
        """See ``ReceiveCredit.consumed``."""
        grant = ReceiveCredit.consumed(self, size)
        if grant and self._due < self._most:
            self._due = min(LATER * self._due, self._most)
        return grant


class Assembly(object):
    """The body of one fragmented message while it arrives."""

    def __init__(self, first: "wire.Frame") -> "None":
        if len(first.payload) < 4:
            raise WireError("a first fragment without its length")
        (self.total,) = struct.unpack_from(">I", first.payload)
        if not len(first.payload) - 4 <= self.total <= wire.MAX_MESSAGE:
            raise WireError("a message of %d bytes is announced, at most %d are allowed"
                            % (self.total, wire.MAX_MESSAGE))
        self.body = bytearray()
        self.flags = first.flags

    def add(self, frame: "wire.Frame") -> "bool":
        """Take the next fragment; True once the message is complete. Raises WireError if it does not fit."""
        self.body += frame.payload[4:] if frame.flags & wire.FIRST else frame.payload
        if len(self.body) > self.total or (not frame.flags & wire.MORE and len(self.body) != self.total):
            raise WireError("a fragmented message of %d bytes brought %d" % (self.total, len(self.body)))
        return not frame.flags & wire.MORE


class Incoming(object):
    """A stream towards us: its credit, and the message being put together."""

    __slots__ = ("credit", "assembly", "reserved", "held", "ahead", "touched", "unread", "link", "gone")

    def __init__(self, window: "int", link: "Any", small: "bool") -> "None":
        self.credit = Eager(window) if small else ReceiveCredit(window)
        self.assembly: "Optional[Assembly]" = None
        self.reserved = False
        self.held = 0
        self.ahead = 0  # bytes of the assembly for which nothing is reserved
        self.touched = 0.0  # until then it brought what it should
        self.unread = 0  # large messages: one at most is granted ahead of its reader
        self.link = link
        self.gone = False


class Assemblies(object):
    """The streams towards one context that are not shared; ``streams`` knows all others."""

    def __init__(self, streams: "Streams") -> "None":
        self.incoming: "Dict[Key, Incoming]" = {}
        self.budget = BUDGET
        self.waiting: "List[Ready]" = []
        self.looked = 0.0
        self.ahead: "Dict[Any, int]" = {}  # bytes for which nothing is reserved, by the link they came over
        self._streams = streams
        self._lock = streams.lock

    # -- on the reader thread

    def arrived(self, link: "Any", frame: "Any") -> "bool":
        """See ``Streams.arrived``."""
        key, size = (frame.src, frame.stream), len(frame.payload) + wire.SIZE + MESSAGE_COST
        last = frame.flags & wire.END and not frame.flags & wire.MORE
        with self._lock:
            incoming = self.incoming.get(key)
            if incoming is None:
                incoming = self._streams.open(key, self.incoming, Incoming(
                    window_of(frame.stream), link, not frame.flags & wire.FIRST))
            ready: "List[Ready]" = []
            if frame.flags & wire.ABORT:  # beside all credit: the sender may be out of it
                self._drop_assembly(incoming)
                ready = self._admit() + [(key, incoming, incoming.held)]
                incoming.held = 0
            else:
                incoming.credit.arrived(size)
            if last:
                self.incoming.pop(key, None)
        self._grant(ready)
        if frame.flags & wire.ABORT:
            if link.pace is not None:
                link.pace(link)
            return False
        if incoming.assembly is None and not frame.flags & wire.FIRST:
            hold(link, size)
            frame.owed = frame.stream, size, link, 0
            return True
        return self._assemble(key, incoming, frame, size)

    def _assemble(self, key, incoming, frame, size):
        # type: (Key, Incoming, Any, int) -> bool
        assembly, fresh = incoming.assembly, incoming.assembly is None
        if assembly is None:
            assembly = Assembly(frame)
        try:
            done = assembly.add(frame)
        except WireError:  # after the last frame nobody else knows of it
            with self._lock:
                self._drop_assembly(incoming)
            raise
        with self._lock:  # other threads admit what waits, and forget who is gone
            if incoming.gone:
                return False
            now = time.monotonic()
            incoming.touched = now if fresh else min(now, incoming.touched + size / LEAST_RATE)
            incoming.held += size
            ahead = 0 if incoming.reserved else self._ahead(incoming, size)
            ready: "List[Ready]" = []
            if fresh:
                incoming.assembly, incoming.reserved = assembly, False
                if not incoming.unread:
                    self.waiting.append((key, incoming, assembly.total))
                    ready = self._admit()
            elif incoming.reserved:
                ready = [(key, incoming, incoming.held)]
                incoming.held = 0
            if done:
                # What fitted into its window may have had to wait: its reader grants that.
                size, incoming.held = incoming.held, 0
                self._drop_assembly(incoming)
                self.budget -= assembly.total
                incoming.unread += 1
        self._grant(ready)
        if ahead > MAX_AHEAD and incoming.link.context is not None:
            incoming.link.fail("it begins more large messages than there is room for")
        if done:
            hold(incoming.link, assembly.total + MESSAGE_COST)
            frame.flags = assembly.flags & ~(wire.MORE | wire.FIRST) | frame.flags & wire.END
            frame.payload, frame.owed = memoryview(assembly.body), (frame.stream, size, incoming.link, assembly.total)
        return done

    def _ahead(self, incoming: "Incoming", size: "int") -> "int":
        """Book bytes for which nothing is reserved; with ``-incoming.ahead`` there are none any more. Returns what
        there is of its link; the lock is held."""
        incoming.ahead += size
        ahead = self.ahead[incoming.link] = self.ahead.get(incoming.link, 0) + size
        if not ahead:
            del self.ahead[incoming.link]
        return ahead

    def _drop_assembly(self, incoming: "Incoming") -> "None":
        if incoming.assembly is not None:
            self._ahead(incoming, -incoming.ahead)
            if incoming.reserved:
                self.budget += incoming.assembly.total
            self.waiting = [entry for entry in self.waiting if entry[1] is not incoming]
            incoming.assembly = None

    def _admit(self) -> "List[Ready]":
        """Reserve room for those who wait for it, in their order; the lock is held. Returns what to grant."""
        ready: "List[Ready]" = []
        while self.waiting and self.waiting[0][2] <= self.budget:
            key, incoming, total = self.waiting.pop(0)
            self.budget -= total
            self._ahead(incoming, -incoming.ahead)
            incoming.reserved, incoming.touched = True, time.monotonic()
            ready.append((key, incoming, incoming.held))
            incoming.held = 0
        return ready

    # -- on any thread

    def consumed(self, src: "int", owed: "Owed") -> "None":
        """See ``Streams.consumed``."""
        stream, size, link, room = owed
        key = src, stream
        incoming, ready = self.incoming.get(key), []  # type: Optional[Incoming], List[Ready]
        with self._lock:
            link.freed += room + MESSAGE_COST if room else size
            if room:
                self.budget += room
                if incoming is not None:
                    incoming.unread -= 1
                    if not incoming.unread and incoming.assembly is not None:
                        self.waiting.append((key, incoming, incoming.assembly.total))
                ready = self._admit()
        if incoming is not None:
            ready.append((key, incoming, size))
        self._grant(ready)

    def _grant(self, ready: "List[Ready]") -> "None":
        for key, incoming, size in ready:
            with self._lock:
                grant = incoming.credit.consumed(size)
            if grant:
                self._streams.grant(key[0], key[1], grant)

    def forget(self, gone: "Any") -> "None":
        """See ``Streams.forget``: the room of what was on its way is free again."""
        with self._lock:
            for key in [key for key in self.incoming if gone is None or key[0] in gone]:
                incoming = self.incoming.pop(key)
                incoming.gone = True
                self._drop_assembly(incoming)
            ready = self._admit()
        self._grant(ready)


def begin(router: "Any") -> "None":
    """From now on a router takes large messages, too, and first what waited for that."""
    streams = router.streams
    streams.large = Assemblies(streams)
    while True:
        with streams.booking:
            if not streams.early:
                streams.early, router.arrived = None, streams.arrived
                return
            router.take(*streams.early.pop(0), arrived=streams.arrived)
