"""The codec at the speed of C: the same wire, limits and values as `bootstrap.data.codec` (zone M).

The C package does plain values, which are nearly all, in one call; it decodes tagged ones too. What has a tag
is encoded by the pure codec: a hook called for each of many tuples was 2.5 times slower. So is whatever C
refuses or would do otherwise, which brings the place of what cannot travel. Differential tests hold the two
together.

What the C package would do otherwise:

* it takes 1,024 levels, more than we do: it is given the value inside so many levels of ours that one which is
  too deep for us is too deep for it, and fails before anything is built;
* it counts no nodes: bytes that could begin one are counted, and only where those are too many, the nodes;
* it hashes whatever stands as a key of a map: only str and bytes, whose hashes are seeded, are let through;
  other keys cost a second parse in which `guard` sees them first;
* it makes its own class of extension -1, the timestamp: the pass over tags refuses that class;
* it packs bytearray, memoryview and its own ExtType whatever it is told: where there are bytes that could
  come of one, the value is looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgpack
from msgpack import Packer, unpackb

from .bootstrap.data import codec, limits, resolve
from .bootstrap.data.codec import NO_BINDINGS, Bindings, check_size
from .bootstrap.data.guard import check_plain
from .bootstrap.data.pack import Encoded
from .bootstrap.data.resolve import Unpacking
from .bootstrap.errors import DecodeError

if msgpack.Packer.__module__ != "msgpack._cmsgpack":  # pragma: no cover
    raise ImportError("the C extension of msgpack is needed; its pure Python fallback is ten times slower")

_C_DEPTH = 1024  # of the C unpacker
_LONGEST = limits.BESIDE - 1
_NODES = bytes([*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)])
_RAW = bytes([*range(0xC4, 0xCA), *range(0xD4, 0xD9)])  # headers of bytes and extensions
_SCALARS = frozenset([str, bytes, int, float, bool, type(None)])
_LONG = b"\xc6\xdb"  # headers of bytes and str with a 32-bit length
_PREFIX = b"\x91" * (_C_DEPTH - limits.MAX_DEPTH)

resolve.refuse_type(msgpack.Timestamp)


def encode(value: Any, bindings: Bindings | None = None, strict_types: bool = False,
           where: str = "value") -> Encoded:
    """Return `value` encoded; see `codec.encode`. Raises EncodeError."""
    if not _bulky(value):
        try:
            # Little set aside: most values are short, and it grows.
            data: bytes = Packer(strict_types=True, unicode_errors="surrogatepass", buf_size=4096).pack(value)
        except Exception:  # a value that C does not know
            data = b""
        if data and _as_pure(value, data):
            return Encoded(data)
    return codec.encode(value, bindings, strict_types, where)


def _bulky(value: Any) -> bool:
    """Whether bulk data lies near the surface: it would be copied in vain."""
    kind = type(value)
    if kind is bytes or kind is str:
        return len(value) >= limits.BESIDE
    if kind is list and len(value) <= 8 and bytes in map(type, value):
        return any(type(item) is bytes and len(item) >= limits.BESIDE for item in value)
    return False


def _as_pure(value: Any, data: bytes) -> bool:
    """Whether the pure codec would make the same of a value as C did."""
    size = len(data)
    if size == 1:
        return True  # none of what follows is that short
    if size != len(data.translate(None, _RAW)) and not _plain(value):
        return False
    if size > limits.MAX_DEPTH and (size > limits.MAX_STRUCTURED or not _bounded(data)):
        return False
    if size < limits.BESIDE or size == len(data.translate(None, _LONG)):
        return True
    try:  # those bytes may be anything: see whether a str or bytes is really too long to be here
        msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass",
                        max_str_len=_LONGEST, max_bin_len=_LONGEST)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> bool:
    """Whether a value that C packed holds nothing but plain values."""
    todo: list[Any] = [[value]]
    for node in todo:  # grows as we go
        if type(node) is dict:
            if not _SCALARS.issuperset(map(type, node)):
                return False
            node = node.values()
        if not _SCALARS.issuperset(map(type, node)):
            for item in node:
                kind: Any = type(item)
                if kind is list or kind is dict:
                    todo.append(item)
                elif kind not in _SCALARS:
                    return False
    return True


def _bounded(data: bytes) -> bool:
    """Whether a value keeps the limits on depth and nodes. What is no value at all may pass."""
    most = len(data) - len(data.translate(None, _NODES))
    if most > limits.MAX_DEPTH:
        unpacker = msgpack.Unpacker(max_buffer_size=len(data) + len(_PREFIX))
        unpacker.feed(_PREFIX + data)
        try:
            unpacker.skip()
        except msgpack.StackError:
            return False
        except Exception:  # malformed: the parser's business
            return True
    return most <= limits.MAX_NODES or _count_nodes(data) <= limits.MAX_NODES


_LENGTHS = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4,
            0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
          0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}


def _count_nodes(data: bytes) -> int:
    """Arrays, maps and extensions in a value, as far as the limit: a flat scan, header by header."""
    pos, end, nodes = 0, len(data), 0
    is_node = [byte in _NODES for byte in range(256)]
    while pos < end and nodes <= limits.MAX_NODES:
        byte = data[pos]
        pos += 1
        nodes += is_node[byte]
        if 0xA0 <= byte < 0xC0:
            pos += byte & 31
        elif byte in _FIXED:
            pos += _FIXED[byte]
        elif byte in _LENGTHS:
            width = _LENGTHS[byte]
            if byte < 0xDC:
                pos += int.from_bytes(data[pos : pos + width], "big") + (0xC7 <= byte <= 0xC9)
            pos += width
    return nodes


def decode(data: Any, blobs: Sequence[Any] = (), tagged: bool = True,
           bindings: Bindings | None = None) -> Any:
    """Return the value in `data` and `blobs`; see `codec.decode`. Raises DecodeError and nothing else."""
    if not tagged and not blobs and type(data) is bytes and len(data) <= limits.MAX_DEPTH:
        try:
            # Nearly all: too short for any limit to matter.
            return unpackb(data, ext_hook=_refuse, strict_map_key=True, unicode_errors="surrogatepass",
                           max_str_len=_LONGEST, max_bin_len=_LONGEST, max_ext_len=0)
        except Exception:
            pass  # said below, or it has keys that need a look
    if blobs or len(data) > limits.MAX_DEPTH:  # most are short
        check_size(data, blobs)
    if type(data) is not bytes:
        data = bytes(data)
    if len(data) > limits.MAX_DEPTH and not _bounded(data):
        raise DecodeError(f"more than {limits.MAX_DEPTH} levels or {limits.MAX_NODES} containers and tagged ones")
    try:
        return _decode(data, blobs, tagged, bindings or NO_BINDINGS, None)
    except DecodeError:
        raise
    except ValueError:  # malformed, or a key that is neither str nor bytes
        pass
    except Exception as error:
        raise DecodeError(f"malformed value: {type(error).__name__}") from None
    try:
        return _decode(data, blobs, tagged, bindings or NO_BINDINGS, _map)
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"malformed value: {type(error).__name__}: {error}"[:200]) from None


def _decode(data: bytes, blobs: Sequence[Any], tagged: bool, bindings: Bindings,
            make_map: Callable[[Any], dict[Any, Any]] | None) -> Any:
    state = Unpacking(blobs, bindings) if tagged or blobs else None
    root = unpackb(
        data, ext_hook=state.extension if tagged and state else _refuse, object_pairs_hook=make_map,
        strict_map_key=make_map is None, unicode_errors="surrogatepass", max_str_len=_LONGEST,
        max_bin_len=_LONGEST, max_ext_len=limits.BESIDE if tagged else 0,
    )
    return root if state is None else state.finish(root)


def _refuse(code: int, payload: bytes) -> Any:
    raise DecodeError(f"extension {code} in a value that claims to have none")


def _map(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    check_plain([key for key, _ in pairs])
    return dict(pairs)
