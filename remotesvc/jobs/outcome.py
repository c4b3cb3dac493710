"""Pure: what a job came to, as it lies on disk and travels: values of the closed codec, one after the other.

Behind the head (see `record`) come a value; or the items of a generator; or an error, as in the reply to a call,
perhaps behind the items that came before it. The sizes are those of one message, whatever a target says.
"""

import struct

from ..bootstrap.data.limits import BESIDE, MAX_MESSAGE, MAX_STRUCTURED
from ..bootstrap.errors import DecodeError, EncodeError
from .record import HEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

VALUE, ITEMS, ERROR = KINDS = (1, 2, 3)
# Of one part: what it is, whether it is tagged, how many blobs, bytes of data; then the bytes of each blob.
_PART = struct.Struct(">B?IQ")
_BLOB = struct.Struct(">Q")
# Bytes of the whole, at most: a part of each kind at its limit is more than any job writes.
MOST = MAX_MESSAGE + MAX_STRUCTURED + (1 << 20)


def pieces(kind: "int", encoded: "Any") -> "List[bytes]":
    """A part as it is written."""
    blobs = [bytes(blob) for blob in encoded.blobs]
    sizes = b"".join(_BLOB.pack(len(blob)) for blob in blobs)
    return [_PART.pack(kind, bool(encoded.tagged), len(blobs), len(encoded.data)) + sizes, encoded.data] + blobs


def open_value(encoded: "Any") -> "Any":
    """The encoded value itself, if it may lie on a disk. Raises EncodeError for one that holds a Secret."""
    if encoded.secret:
        raise EncodeError("the result of a detached job is kept on disk, and a Secret must not be", "return value",
                          "Secret")
    return encoded


def parts_untrusted(data: "bytes", decode: "Callable[[bytes, List[bytes], bool], Any]") -> "Dict[int, Any]":
    """The decoded parts by kind, of what a target sent as the result of a job. Raises DecodeError and nothing else."""
    found: "Dict[int, Any]" = {}
    at = HEAD.size
    while at < len(data):
        kind, tagged, sizes, at = _layout_untrusted(data, at)
        ends = []
        for size in sizes:
            ends.append((at, at + size))
            at += size
        if kind not in KINDS or kind in found or at > len(data):
            raise DecodeError("the result of the job is damaged")
        body, *blobs = [data[start:end] for start, end in ends]
        found[kind] = decode(body, blobs, tagged)
    if ERROR not in found and len(found) != 1:
        raise DecodeError("the result of the job is damaged")
    return found


def _layout_untrusted(data: "bytes", at: "int") -> "Tuple[int, bool, List[int], int]":
    """Kind, whether tagged, sizes of body and blobs, and where these begin."""
    if len(data) - at < _PART.size:
        raise DecodeError("the result of the job is damaged")
    kind, tagged, count, size = _PART.unpack_from(data, at)
    at += _PART.size
    if count * (BESIDE + _BLOB.size) > len(data) - at:  # nothing smaller than BESIDE is ever a blob
        raise DecodeError("the result of the job is damaged")
    sizes = [size] + [_BLOB.unpack_from(data, at + _BLOB.size * each)[0] for each in range(count)]
    return kind, tagged, sizes, at + _BLOB.size * count
