"""Messages of several parts: blobs beside the data, and bodies cut into fragments. Pure; most calls never need it."""
import struct

from ..data.limits import BESIDE
from ..errors import DecodeError
from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Sequence, Tuple

# Marks the stream of a large reply, so that hops too keep it behind what was printed before it.
RESULT = 1 << 31


def body(data: "bytes", blobs: "Sequence[Any]") -> "Tuple[int, List[Any]]":
    """Join a message's parts: the flags it needs and the buffers in wire order."""
    if not blobs:
        return 0, [data]
    views = [memoryview(blob).cast("B") for blob in blobs]
    prefix = struct.pack(">I%dI" % len(views), len(views), *[len(view) for view in views])
    return wire.BLOBS, [prefix, data] + views


def parts_untrusted(flags: "int", payload: "Any") -> "Tuple[Any, List[Any]]":
    """Undo ``body``: a message's data and blobs. Raises DecodeError where the lengths do not add up."""
    if not flags & wire.BLOBS:
        return payload, []
    view = memoryview(payload)
    try:
        (count,) = struct.unpack_from(">I", view)
        if count > len(view) // BESIDE:  # nothing smaller travels beside, and each takes a hundred bytes here
            raise DecodeError("a message claims %d blobs" % count)
        lengths = struct.unpack_from(">%dI" % count, view, 4)
    except struct.error:
        raise DecodeError("the list of blobs is cut short") from None
    start = 4 + 4 * count
    rest = len(view) - start - sum(lengths)
    if rest < 0:
        raise DecodeError("blobs are longer than their message")
    data = view[start:start + rest]
    blobs, start = [], start + rest
    for length in lengths:
        blobs.append(view[start:start + length])
        start += length
    return data, blobs


def fragments(buffers: "Sequence[Any]", total: "int") -> "Iterator[Tuple[int, int, List[Any]]]":
    """Cut a body into payloads of at most wire.FRAGMENT bytes, copying nothing.

    Yields (flags, length, buffers); the first payload of several begins with the body's total length.
    """
    if total <= wire.FRAGMENT:
        yield 0, total, list(buffers)
        return
    piece, room, flags = [struct.pack(">I", total)], wire.FRAGMENT - 4, wire.FIRST  # type: List[Any], int, int
    for buffer in buffers:
        view, start = memoryview(buffer), 0
        while start < len(view):
            if not room:
                yield flags | wire.MORE, wire.FRAGMENT, piece
                piece, room, flags = [], wire.FRAGMENT, 0
            part = view[start:start + room]
            piece.append(part)
            start += len(part)
            room -= len(part)
    yield flags, wire.FRAGMENT - room, piece
