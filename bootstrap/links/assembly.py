"""Messages of several frames: putting them together, and the room they may take. Thread-safe, without I/O.

Each stream from wire.DYNAMIC up belongs to one large message, generator or channel of its sender. A message that does
not fit into its stream's window waits, after the first of it, until there is room for all of it. There may be many such
streams, each with messages that nobody reads yet, so their credit counts what a frame costs us besides its bytes.

Room is given in turn by neighbour, so that none can keep the others from it: not by all that it begins, nor by how
slowly that comes, nor by what is complete and waits for its reader. Nothing here looks at all streams, or at all that
wait, for what one neighbour says.
"""
import collections
import struct
import time

from ..errors import WireError
from . import wire
from .credit import WINDOW, ReceiveCredit
from .streams import MESSAGE_COST, hold, window_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

    from .streams import Key, Owed, Streams

    Ready = Tuple[Key, "Incoming", int]

# Bytes of messages that may be under assembly here at once: one largest message and as much again for all others. No
# more of one neighbour are, together with those that nobody has read; these take nothing from others.
BUDGET = 2 * wire.MAX_MESSAGE
# Bytes that one neighbour below us may have under assembly: there is room for a largest message of another beside it.
MOST = BUDGET // 2
# Bytes of a message that needs no such room, one at a time of each neighbour: so what most calls return waits for no
# other target, and hundreds of them take no more than a few times what their windows do.
OWN = 4 * WINDOW
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

    __slots__ = ("credit", "assembly", "reserved", "own", "held", "ahead", "touched", "unread", "link", "gone")

    def __init__(self, window: "int", link: "Any", small: "bool") -> "None":
        self.credit = Eager(window) if small else ReceiveCredit(window)
        self.assembly: "Optional[Assembly]" = None
        self.reserved = False
        self.own = False  # what is reserved is not of the room that all share
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
        self.of: "Dict[int, Set[Key]]" = {}  # the same by context
        self.budget = BUDGET
        # By link, in turn: what waits for room, in its order.
        self.waiting: "Dict[Any, Dict[Key, Incoming]]" = collections.OrderedDict()
        self.holding: "Dict[Key, Incoming]" = {}  # has reserved some of it
        self.looked = 0.0
        # Bytes by the link they came over: for which nothing is reserved; of the room that all share; that wait to be
        # read. And the links that have a message under assembly which needs none of that room.
        self.ahead: "Dict[Any, int]" = {}
        self.reserved: "Dict[Any, int]" = {}
        self.unread: "Dict[Any, int]" = {}
        self.own: "Set[Any]" = set()
        self._streams = streams
        self.lock = streams.lock

    # -- on the reader thread

    def arrived(self, link: "Any", frame: "Any") -> "bool":
        """See ``Streams.arrived``."""
        key, size = (frame.src, frame.stream), len(frame.payload) + wire.SIZE + MESSAGE_COST
        last = frame.flags & wire.END and not frame.flags & wire.MORE
        with self.lock:
            incoming = self.incoming.get(key)
            if incoming is None:
                incoming = self._streams.open(key, self.incoming, Incoming(
                    window_of(frame.stream), link, not frame.flags & wire.FIRST))
                self.of.setdefault(frame.src, set()).add(key)
            ready: "List[Ready]" = []
            if frame.flags & wire.ABORT:  # beside all credit: the sender may be out of it
                self._drop_assembly(key, incoming)
                ready = self._admit(incoming.link) + [(key, incoming, incoming.held)]
                incoming.held = 0
            else:
                incoming.credit.arrived(size)
            if last:
                self._close(key)
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
        assembly, fresh, link = incoming.assembly, incoming.assembly is None, incoming.link
        if assembly is None:
            assembly = Assembly(frame)
        try:
            done = assembly.add(frame)
        except WireError:  # after the last frame nobody else knows of it
            with self.lock:
                self._drop_assembly(key, incoming)
            raise
        with self.lock:  # other threads admit what waits, and forget who is gone
            if incoming.gone:
                return False
            now = time.monotonic()
            incoming.touched = now if fresh else min(now, incoming.touched + size / LEAST_RATE)
            incoming.held += size
            ahead = 0 if incoming.reserved else self._count_ahead(incoming, size)
            ready: "List[Ready]" = []
            if fresh:
                incoming.assembly, incoming.reserved = assembly, False
                if not incoming.unread:
                    ready = self._wait(key, incoming)
            elif incoming.reserved:
                ready = [(key, incoming, incoming.held)]
                incoming.held = 0
            if done:
                # What fitted into its window may have had to wait: its reader grants that.
                size, incoming.held = incoming.held, 0
                self._drop_assembly(key, incoming)
                _count(self.unread, link, assembly.total)
                incoming.unread += 1
                ready += self._admit(link)
        self._grant(ready)
        if ahead > MAX_AHEAD and link.context is not None:
            link.fail("it begins more large messages than there is room for")
        if done:
            hold(link, assembly.total + MESSAGE_COST)
            frame.flags = assembly.flags & ~(wire.MORE | wire.FIRST) | frame.flags & wire.END
            frame.payload, frame.owed = memoryview(assembly.body), (frame.stream, size, link, assembly.total)
        return done

    # -- with the lock

    def _count_ahead(self, incoming: "Incoming", size: "int") -> "int":
        """Book bytes for which nothing is reserved; with ``-incoming.ahead`` there are none any more. Returns what
        there is of its link."""
        incoming.ahead += size
        return _count(self.ahead, incoming.link, size)

    def _wait(self, key: "Key", incoming: "Incoming") -> "List[Ready]":
        """A message waits for room. Returns what to grant."""
        queue = self.waiting.setdefault(incoming.link, collections.OrderedDict())
        queue[key] = incoming
        return self._admit(incoming.link) if len(queue) == 1 else []  # behind others of its neighbour

    def _drop_assembly(self, key: "Key", incoming: "Incoming") -> "None":
        if incoming.assembly is None:
            return
        total, link, incoming.assembly = incoming.assembly.total, incoming.link, None
        self._count_ahead(incoming, -incoming.ahead)
        queue = self.waiting.get(link)
        if incoming.reserved and incoming.own:
            self.own.discard(link)
        elif incoming.reserved:
            self.budget += total
            del self.holding[key]
            _count(self.reserved, link, -total)
        elif queue and queue.pop(key, None) and not queue:
            del self.waiting[link]

    def unread_too_much(self, link: "Any", total: "int") -> "bool":
        """Does a message wait for its neighbour's own messages to be read, rather than for others?"""
        return self.unread.get(link, 0) + self.reserved.get(link, 0) + total > BUDGET

    def has_most(self, link: "Any", total: "int") -> "bool":
        """Does a message wait for others of its neighbour to come? Our parent speaks for all the rest of the world."""
        reserved = self.reserved.get(link, 0)
        return reserved > 0 and reserved + total > MOST and link.context is not None

    def _admit(self, *changed: "Any") -> "List[Ready]":
        """Reserve room for those who wait for it, one of each neighbour in turn, after something of these neighbours
        came, ended or was read. Returns what to grant.

        Only they may have a message now that needs no room of all. So who waits behind the first for which there is
        none need not be looked at: there may be hundreds.
        """
        ready: "List[Ready]" = []
        for link in changed:
            self._admit_own(link, ready)
        turns = collections.deque(self.waiting)
        while turns:
            link = turns.popleft()
            key, incoming = next(iter(self.waiting[link].items()))
            total: "int" = incoming.assembly.total  # type: ignore[union-attr]
            if self.unread_too_much(link, total) or self.has_most(link, total):
                continue
            if total > self.budget:
                break  # nobody behind it overtakes, or it might wait for ever
            self.budget -= total
            self.holding[key] = incoming
            _count(self.reserved, link, total)
            self._reserve(key, incoming, False, ready)
            self._admit_own(link, ready)
            if link in self.waiting:
                turns.append(link)
        return ready

    def _admit_own(self, link: "Any", ready: "List[Ready]") -> "None":
        """Give room to the first message that waits of one neighbour, if it needs none of the room of all."""
        queue = self.waiting.get(link)
        if queue and link not in self.own:
            key, incoming = next(iter(queue.items()))
            total: "int" = incoming.assembly.total  # type: ignore[union-attr]
            if total <= OWN and not self.unread_too_much(link, total):
                self.own.add(link)
                self._reserve(key, incoming, True, ready)

    def _reserve(self, key: "Key", incoming: "Incoming", own: "bool", ready: "List[Ready]") -> "None":
        self._count_ahead(incoming, -incoming.ahead)
        incoming.reserved, incoming.own, incoming.touched = True, own, time.monotonic()
        ready.append((key, incoming, incoming.held))
        incoming.held = 0
        queue = self.waiting.pop(incoming.link)
        del queue[key]
        if queue:  # behind the others
            self.waiting[incoming.link] = queue

    def _close(self, key: "Key") -> "None":
        if self.incoming.pop(key, None) is not None:
            of = self.of[key[0]]
            of.discard(key)
            if not of:
                del self.of[key[0]]

    # -- on any thread

    def consumed(self, src: "int", owed: "Owed") -> "None":
        """See ``Streams.consumed``."""
        stream, size, link, room = owed
        key = src, stream
        incoming, ready = self.incoming.get(key), []  # type: Optional[Incoming], List[Ready]
        with self.lock:
            link.freed += room + MESSAGE_COST if room else size
            if room:
                _count(self.unread, link, -room)
                if incoming is not None:
                    incoming.unread -= 1
                    if not incoming.unread and incoming.assembly is not None:
                        ready = self._wait(key, incoming)
                ready += self._admit(link)
        if incoming is not None:
            ready.append((key, incoming, size))
        self._grant(ready)

    def _grant(self, ready: "List[Ready]") -> "None":
        for key, incoming, size in ready:
            with self.lock:
                grant = incoming.credit.consumed(size)
            if grant:
                self._streams.grant(key[0], key[1], grant)

    def forget(self, gone: "Any") -> "None":
        """See ``Streams.forget``: the room of what was on its way is free again."""
        links: "Set[Any]" = set()
        with self.lock:
            for src in list(self.of) if gone is None else gone:
                for key in list(self.of.get(src, ())):
                    incoming = self.incoming[key]
                    incoming.gone = True
                    links.add(incoming.link)
                    self._close(key)
                    self._drop_assembly(key, incoming)
            ready = self._admit(*links)
        self._grant(ready)


def _count(sums: "Dict[Any, int]", link: "Any", size: "int") -> "int":
    """Add to the sum of a link; one of nothing is not kept."""
    total = sums[link] = sums.get(link, 0) + size
    if not total:
        del sums[link]
    return total


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
