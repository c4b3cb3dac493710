"""What the messages of a transfer hold: pure packing and parsing.

    message   one byte, PLAIN or ZLIB, then whole records; one message is one frame
    record    kind (1 byte), length (4), payload

A file is FILE, then DATA and HOLE in their order, then END with the sha256 of its content. A tree is the same, with
DIRECTORY and UP around what lies in each directory; names are single components, so no path is ever joined from what
a peer says. SMALL is a whole file of a tree in one record. DONE closes the stream, ABANDON takes all of it back. COPY
stands for a range of what the receiver has under the same name.
"""

import struct
import zlib

from ..bootstrap.links import wire
from .errors import TransferRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Optional, Tuple

DIRECTORY, UP, FILE, LINK, DATA, HOLE, END, SKIPPED, DONE, ABANDON, COPY, SMALL = range(1, 13)
PLAIN, ZLIB = 0, 1

HEAD = struct.Struct(">BI")
FILE_HEAD = struct.Struct(">IqQQ")
DIRECTORY_HEAD = struct.Struct(">Iq")
LINK_HEAD = struct.Struct(">H")
NUMBER = struct.Struct(">Q")
RANGE = struct.Struct(">QQ")
DONE_HEAD = struct.Struct(">QQ")
# Mode, time, sha256, length of the name; then the name and the content.
SMALL_HEAD = struct.Struct(">Iq32sH")

# A message is one frame, so that no message is ever put together from fragments, and the largest there is: what a
# frame costs both ends, its acknowledgement and its turns of threads, is worth it up to here.
LARGEST = wire.MAX_PAYLOAD - wire.SIZE
ROOM = 1 + HEAD.size
CHUNK = LARGEST - ROOM
# The size of a source that is not known before it has been read.
UNKNOWN = (1 << 64) - 1
DIGEST_SIZE = 32
# No file system takes longer names, and what is larger than these is an attack rather than a tree.
MAX_NAME = 255
MAX_TARGET = 4096
MAX_SIZE = 1 << 62
# Directories below each other. Each is a descriptor on either side, of 1,024 as a rule that all transfers of a process
# share, and two frames of Python's 1,000; real trees have a third of it.
MAX_DEPTH = 100


def name_untrusted(raw: "Any") -> "bytes":
    """One component of a path as it came. Raises TransferRefused for what is none: it may lead elsewhere."""
    name = bytes(raw)
    if not name or name in (b".", b"..") or b"/" in name or b"\0" in name or len(name) > MAX_NAME:
        raise TransferRefused("%r is not the name of an entry" % name[:80])
    return name


def target_inside(target: "bytes", depth: "int") -> "bool":
    """Does a link ``depth`` directories below the top stay below the top, whatever other links of that kind there are?

    ".." may only stand at its beginning, where the directories above are real ones; a link that is passed on the way
    is held to the same rule.
    """
    if not target or target.startswith(b"/") or b"\0" in target:
        return False
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    ups = 0
    while ups < len(parts) and parts[ups] == b"..":
        ups += 1
    return ups <= depth and b".." not in parts[ups:]


class Packer(object):
    """Puts records into messages, PLAIN ones. Small records share one; whoever uses it takes those that are ready after
    each step. ``largest`` is how many bytes of a message small records may fill."""

    def __init__(self) -> "None":
        self.largest = LARGEST
        self._ready: "List[Any]" = []
        self._open = bytearray(1)

    def add(self, kind: "int", *parts: "Any") -> "None":
        """One record that fits into a message."""
        size = sum(map(len, parts))
        if len(self._open) + HEAD.size + size > self.largest:
            self.flush()
        self._open += HEAD.pack(kind, size)
        for part in parts:
            self._open += part

    def whole(self, block: "bytearray", size: "int") -> "None":
        """A message of nothing but DATA: ``size`` bytes stand in ``block`` behind ROOM bytes for the heads."""
        self.flush()
        HEAD.pack_into(block, 1, DATA, size)
        self._ready.append(block if ROOM + size == len(block) else block[:ROOM + size])

    def flush(self) -> "None":
        """Close the message that is open."""
        if len(self._open) > 1:
            self._ready.append(self._open)
            self._open = bytearray(1)

    def take(self) -> "List[Any]":
        """The messages that are ready."""
        ready, self._ready = self._ready, []
        return ready


def records_untrusted(body: "Any") -> "Iterator[Tuple[int, memoryview]]":
    """The records of one message: (kind, payload). Raises TransferRefused for what is no message."""
    view = memoryview(body)
    if not len(view):
        return
    if view[0] == ZLIB:
        unpack = zlib.decompressobj()
        try:
            view = memoryview(unpack.decompress(view[1:], LARGEST))
        except zlib.error:
            raise TransferRefused("a message is not what zlib packs") from None
        if not unpack.eof or unpack.unconsumed_tail:
            raise TransferRefused("a message holds more than fits into one")
    elif view[0] == PLAIN:
        view = view[1:]
    else:
        raise TransferRefused("a message is packed in the unknown way %d" % view[0])
    offset, end = 0, len(view)
    while offset < end:
        if end - offset < HEAD.size:
            raise TransferRefused("a record is cut short")
        kind, size = HEAD.unpack_from(view, offset)
        offset += HEAD.size
        if size > end - offset:
            raise TransferRefused("a record is cut short")
        yield kind, view[offset:offset + size]
        offset += size


def fields_untrusted(layout: "struct.Struct", payload: "memoryview", kind: "str") -> "Tuple[Any, ...]":
    """The fixed fields at the beginning of a record. Raises TransferRefused."""
    if len(payload) < layout.size:
        raise TransferRefused("a record for %s is cut short" % kind)
    return layout.unpack_from(payload)


ABANDONED = bytes(bytearray([PLAIN])) + HEAD.pack(ABANDON, 0)


def file_head(mode: "int", mtime: "int", size: "Optional[int]", offset: "int") -> "bytes":
    """The beginning of a FILE record; ``mtime`` in nanoseconds, ``size`` None if it is not known."""
    return FILE_HEAD.pack(mode, mtime, UNKNOWN if size is None else size, offset)
