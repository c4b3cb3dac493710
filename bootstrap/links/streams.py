"""The streams of one context: what it may still send on each, and what it owes for each.

Thread-safe book-keeping without I/O; ``grant(src, stream, size)`` is how it says that a grant should go out. Messages
of several frames are put together by `assembly`, whose code a child gets later.
"""
import threading

from ..errors import WireError
from . import wire
from .credit import WIDE_WINDOW, WINDOW, ReceiveCredit, SendCredit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    Key = Tuple[int, int]
    Owed = Tuple[int, int, Any, Any]  # its stream, bytes, link; the credit, or the room it took

# Bytes of whole messages from one neighbour that nobody has used yet. Windows bound each stream, and a message that
# ends its stream leaves no window behind: this bounds them together, above what honest streams add up to.
MAX_HELD = 2 * wire.MAX_MESSAGE + 16 * WIDE_WINDOW
# What the smallest message costs us besides its bytes.
MESSAGE_COST = 512
# Streams that may be open towards us at once: more than the threads of a few hundred targets could feed.
MAX_STREAMS = 65536
_OF_SEVERAL = wire.FIRST | wire.MORE | wire.ABORT


class Outgoing(object):
    """Credit towards one stream of one context, and the threads that wait for it; a frame takes ``cost`` more bytes."""

    def __init__(self, window: "int", cost: "int" = 0) -> "None":
        self.credit = SendCredit(window)
        self.cost = cost
        self.lock = threading.Lock()
        self.wake = threading.Condition(self.lock)
        self.closed = ""

    def acquire(self, size: "int", deadline: "Optional[float]", given_up: "Optional[Callable[[], bool]]") -> "None":
        """Wait until ``size`` bytes may be sent. Raises NotSent or CallTimeout."""
        with self.lock:
            if self.credit.take(size + self.cost):
                return
        from .waiting import wait_for_credit
        wait_for_credit(self, size + self.cost, deadline, given_up)

    def granted(self, size: "int") -> "None":
        """A grant arrived. Raises WireError if it is more than was sent."""
        with self.lock:
            self.credit.granted(size)
            self.wake.notify_all()

    def close(self, reason: "str") -> "None":
        """The other end is gone."""
        with self.lock:
            self.closed = reason
            self.wake.notify_all()


class Streams(object):
    """All streams of one context. ``large`` puts messages of several frames together; None until its code is here."""

    def __init__(self, grant: "Callable[[int, int, int], Any]") -> "None":
        self.grant = grant
        self._outgoing: "Dict[Key, Outgoing]" = {}
        # Of the shared streams; `large` knows the others, under the same lock.
        self.incoming: "Dict[Key, ReceiveCredit]" = {}
        self.lock = threading.Lock()
        self.large: "Any" = None
        self.early: "Optional[List[Tuple[Any, wire.Frame]]]" = []
        self.booking = threading.Lock()  # while not only the reader books what arrives: see `assembly.begin`
        self._next = wire.DYNAMIC
        self.on_full: "Callable[[Key, Any], bool]" = lambda key, streams: False  # True: another goes for it

    # -- towards others

    def new(self) -> "int":
        """A stream number that nobody else uses."""
        with self.lock:
            self._next += 1
            return self._next & (wire.BULK - 1)

    def out(self, dst: "int", stream: "int") -> "Outgoing":
        """The credit towards a stream."""
        outgoing = self._outgoing.get((dst, stream))
        if outgoing is None:
            with self.lock:
                outgoing = self._outgoing.setdefault((dst, stream), Outgoing(
                    window_of(stream), MESSAGE_COST if stream >= wire.DYNAMIC else 0))
        return outgoing

    def ended(self, dst: "int", stream: "int") -> "None":
        """Nothing more will be sent on it."""
        self._outgoing.pop((dst, stream), None)

    def granted(self, src: "int", stream: "int", size: "int") -> "None":
        """A grant arrived; one for a stream that has ended means nothing."""
        outgoing = self._outgoing.get((src, stream))
        if outgoing is not None:
            outgoing.granted(size)

    # -- towards us: on the reader thread

    def arrived(self, link: "Any", frame: "Any") -> "bool":
        """Take a MESSAGE frame; True if it completes its message, whose flags and body it has then, and what is to be
        released. Raises WireError."""
        stream, size = frame.stream, len(frame.payload) + wire.SIZE
        if stream >= wire.DYNAMIC:
            return self.large.arrived(link, frame)  # type: ignore[no-any-return]
        if frame.flags & _OF_SEVERAL:
            raise WireError("a message of several frames on a stream that is shared")
        credit = self.incoming.get((frame.src, stream))
        if credit is None:
            with self.lock:
                credit = self.open((frame.src, stream), self.incoming, ReceiveCredit(window_of(stream)))
        credit.arrived(size)
        hold(link, size + MESSAGE_COST)
        frame.owed = stream, size, link, credit
        return True

    def arrived_early(self, link: "Any", frame: "wire.Frame") -> "bool":
        """``arrived`` until the whole kernel is here: what is neither a small call nor a reply waits for that, bounded
        by the windows our parent keeps to."""
        with self.booking:
            if self.early is not None and (frame.stream >= wire.DYNAMIC or wire.CALL < frame.handle < wire.RANDOM):
                self.early.append((link, frame))
                return False
            return self.arrived(link, frame)

    def open(self, key: "Key", streams: "Dict[Key, Any]", new: "Any") -> "Any":
        """Book a stream towards us, the lock is held. Raises WireError if there are too many."""
        if len(streams) >= MAX_STREAMS and not self.on_full(key, streams):
            raise WireError("more than %d streams are open" % MAX_STREAMS)
        streams[key] = new
        return new

    def consumed(self, src: "int", owed: "Owed") -> "None":
        """The user of a message is done with it: credit, and the room of a large one, are free again."""
        stream, size, link, room = owed
        if stream >= wire.DYNAMIC:
            self.large.consumed(src, owed)
            return
        with self.lock:
            link.freed += size + MESSAGE_COST
            grant = room.consumed(size)
        if grant:
            self.grant(src, stream, grant)

    # -- ends

    def forget(self, gone: "Any", reason: "str") -> "None":
        """These contexts, or all, are gone: who waits for their credit is released."""
        with self.lock:
            keys = [key for key in list(self._outgoing) if gone is None or key[0] in gone]
            outgoing = [self._outgoing.pop(key, None) for key in keys]  # one may have `ended` meanwhile
            for key in [key for key in self.incoming if gone is None or key[0] in gone]:
                del self.incoming[key]
        if self.large is not None:
            self.large.forget(gone)
        for each in outgoing:
            if each is not None:
                each.close(reason)


def hold(link: "Any", size: "int") -> "None":
    """Book what a message takes here until it is used; on the reader thread of its link."""
    link.taken += size
    if link.taken - link.freed > MAX_HELD:
        link.fail("it sends more messages than anybody here takes")


def window_of(stream: "int") -> "int":
    """Bytes that may be under way on a stream."""
    return WIDE_WINDOW if stream in (wire.CALLS, wire.REPLIES) or stream & wire.BULK else WINDOW
