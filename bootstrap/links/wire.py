"""Frames: what travels on a link, as plain bytes in and out.

A frame is a 40-byte header and a payload. A message is one frame, or several fragments whose payloads add up to
its body. No fd, thread or clock lives here.

    header   >HBBIIIIQQI   magic kind flags stream dst src auth handle reply_to length
    body     data, or with BLOBS: count, the blobs' lengths, data, then the blobs
"""
import struct

from ..data.limits import MAX_MESSAGE as MAX_MESSAGE
from ..errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

HEADER = struct.Struct(">HBBIIIIQQI")
SIZE = HEADER.size
MAGIC = 0x5256

# The payload of four whole SSH packets (32,704 bytes each) less our header: large enough that the cost per packet
# vanishes, small enough that a ping waits for little.
FRAGMENT = 4 * 32704 - SIZE
MAX_PAYLOAD = 8 * 32704
# From here on a payload is not copied, unless it is a small part of what was read, all of which a view keeps.
LARGE = FRAGMENT // 8

MESSAGE, PING, PONG, ACK, GRANT, CANCEL, DEAD, ROUTE_ADD, ROUTE_DROP, HELLO, CONFIG, BYE, KERNEL = range(1, 14)

# Flags of a MESSAGE.
MORE, FIRST, BLOBS, TAGGED, ERROR, STREAM, END, ABORT = 1, 2, 4, 8, 16, 32, 64, 128

# A call that carries this was caused by a running call of the target: it never waits for that call's slot.
CAUSED = ERROR

# Streams below DYNAMIC are shared by the small messages of one kind; one from DYNAMIC up belongs to a single large
# message, generator or channel.
CALLS, REPLIES, OUTPUT, LOGS, MODULES, DYNAMIC = 1, 2, 3, 4, 5, 16
# Set in the number of a stream that carries a file: its window is wide, and its sender uses what the line needs.
BULK = 1 << 30

# Well-known handles; random ones have the highest bit set, so the two can never meet.
CALL, ASK_MODULE, EMIT_OUTPUT, EMIT_LOG, LEASE_IDS, CALL_SERVICE = 1, 2, 3, 4, 5, 6
PUSH_MODULES = 7
RANDOM = 1 << 63
# The destination of frames between direct neighbours, whatever their ids.
NEIGHBOUR = 0xFFFFFFFF


class Frame(object):
    """One frame; the fields of the header, and ``payload`` as bytes or a view of some."""

    __slots__ = ("kind", "flags", "stream", "dst", "src", "auth", "handle", "reply_to", "payload")

    def __init__(self, kind, flags=0, stream=0, dst=NEIGHBOUR, src=0, auth=0, handle=0, reply_to=0, payload=b""):
        # type: (int, int, int, int, int, int, int, int, bytes) -> None
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.dst = dst
        self.src = src
        self.auth = auth
        self.handle = handle
        self.reply_to = reply_to
        self.payload = payload

    def header(self, length: "int") -> "bytes":
        """The 40 bytes that announce a payload of ``length`` bytes."""
        return HEADER.pack(MAGIC, self.kind, self.flags, self.stream, self.dst, self.src, self.auth, self.handle,
                           self.reply_to, length)

    def pack(self) -> "bytes":
        """The whole frame in one piece."""
        return self.header(len(self.payload)) + self.payload


def queue_of(src: "int", stream: "int") -> "Tuple[int, int]":
    """The queue of a link that a stream's frames wait in: streams take turns, but a reply never overtakes output."""
    return (src, REPLIES) if stream in (OUTPUT, LOGS) else (src, stream)


class Decoder(object):
    """Bytes in, frames out, however the bytes were cut; ``make`` is their class."""

    def __init__(self, make: "Any" = Frame) -> "None":
        self._make = make
        self._parts: "List[bytes]" = []  # of a frame that is not complete
        self._need = SIZE
        self.pending = 0
        """Bytes of a frame that has begun and is not complete."""

    def feed_untrusted(self, data: "bytes") -> "List[Frame]":
        """Take received bytes and return the frames they complete. The payload of a large one may be a memoryview.

        Raises WireError at the first byte that is no frame; what was complete before it is lost with the link.
        """
        unpack, size = HEADER.unpack_from, SIZE
        if self._parts:
            self._parts.append(data)
            self.pending += len(data)
            # A frame of several reads is put together once, when it is complete, so long as the pieces are not tiny.
            if self.pending < self._need:
                if len(self._parts) > 64:
                    self._parts = [b"".join(self._parts)]
                return []
            data = b"".join(self._parts)
        elif size <= len(data) < LARGE:
            fields = unpack(data)
            if fields[9] + size == len(data) and fields[0] == MAGIC and 0 < fields[1] <= KERNEL:
                return [self._make(*fields[1:9] + (data[size:],))]  # nearly all small ones are read alone
        frames: "List[Frame]" = []
        offset, end = 0, len(data)
        while end - offset >= size:
            magic, kind, flags, stream, dst, src, auth, handle, reply_to, length = unpack(data, offset)
            if magic != MAGIC or not 0 < kind <= KERNEL or length > MAX_PAYLOAD:
                raise WireError("not a frame: %r" % bytes(data[offset:offset + 80]))
            start = offset + size
            stop = start + length
            if stop > end:
                self._need = stop - offset
                break
            payload: "Any" = data[start:stop] if length < LARGE or 2 * length < end else memoryview(data)[start:stop]
            frames.append(self._make(kind, flags, stream, dst, src, auth, handle, reply_to, payload))
            offset = stop
        else:
            self._need = size
        self.pending = end - offset
        if offset < end:
            rest = data[offset:]
            if (rest[:2] + b"V")[:2] != b"RV":
                raise WireError("not a frame: %r" % rest[:80])
            self._parts = [rest]
        elif self._parts:
            self._parts = []
        return frames
