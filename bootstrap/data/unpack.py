"""MessagePack to values (pure): accepts and refuses what the C package does, as `fastcodec` sets it up.

One loop and a list of open containers, so no input can exhaust the stack; nothing is set aside for what a length only
claims.
"""
import struct

from ..errors import DecodeError
from .limits import BESIDE, MAX_DEPTH, MAX_NODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Tuple

_FIXED = {0xca + index: struct.Struct(">" + code) for index, code in enumerate("fdBHIQbhiq")}
_CONSTANTS = {0xc0: None, 0xc2: False, 0xc3: True}
# Header byte -> what begins there, and its length or the width of the length that follows. No str, bytes or extension
# has 64 KiB or more, however its length is written: that would travel beside.
_HEADS = {0xd4 + power: ("ext", 1 << power, 0) for power in range(5)}
for _kind, _first, _widths in (("str", 0xd9, (1, 2, 4)), ("bin", 0xc4, (1, 2, 4)), ("ext", 0xc7, (1, 2, 4)),
                               ("array", 0xdc, (2, 4)), ("map", 0xde, (2, 4))):
    _HEADS.update((_first + place, (_kind, 0, width)) for place, width in enumerate(_widths))


def unpack_untrusted(data: "bytes", ext: "Callable[[int, bytes], Any]") -> "Any":
    """Return the one value that `data` holds; `ext(code, payload)` makes the extensions. Raises DecodeError."""
    try:
        return _unpack(data, ext)
    except UnicodeDecodeError:
        raise DecodeError("a text is not UTF-8") from None
    except (IndexError, struct.error):
        raise DecodeError("the value is cut short") from None


def _unpack(data: "bytes", ext: "Callable[[int, bytes], Any]") -> "Any":
    end = len(data)
    pos = 0
    nodes = 0
    items: "List[Any]" = []  # of the innermost container; a map's keys and values in turn
    missing, is_map = 1, False
    stack: "List[Tuple[List[Any], int, bool]]" = []
    while True:
        byte = data[pos]
        pos += 1
        missing -= 1
        if byte < 0x80:
            items.append(byte)
        elif 0xa0 <= byte < 0xc0:
            stop = pos + byte - 0xa0
            if stop > end:
                raise IndexError
            items.append(data[pos:stop].decode("utf-8", "surrogatepass"))
            pos = stop
        elif byte >= 0xe0:
            items.append(byte - 256)
        elif byte in _CONSTANTS:
            items.append(_CONSTANTS[byte])
        elif byte in _FIXED:
            fixed = _FIXED[byte]
            items.append(fixed.unpack_from(data, pos)[0])
            pos += fixed.size
        else:
            if byte < 0xa0:
                kind, length, width = "map" if byte < 0x90 else "array", byte & 15, 0
            elif byte in _HEADS:
                kind, length, width = _HEADS[byte]
            else:
                raise DecodeError("byte 0x%02x begins no value" % byte)
            if width:
                length = int.from_bytes(data[pos:pos + width], "big")
                pos += width
            if kind == "array" or kind == "map":
                nodes += 1
                if len(stack) >= MAX_DEPTH:
                    raise DecodeError("nested more than %d levels deep" % MAX_DEPTH)
                stack.append((items, missing, is_map))
                is_map = kind == "map"
                items, missing = [], length * 2 if is_map else length
                if missing > end - pos:
                    raise IndexError
            elif length >= BESIDE:
                raise DecodeError("%d bytes that should have been sent beside" % length)
            else:
                code = -1
                if kind == "ext":
                    nodes += 1
                    code = data[pos]
                    pos += 1
                stop = pos + length
                if stop > end:
                    raise IndexError
                raw = data[pos:stop]
                pos = stop
                items.append(raw if kind == "bin" else raw.decode("utf-8", "surrogatepass") if kind == "str"
                             else ext(code - 256 if code > 127 else code, raw))
            if nodes > MAX_NODES:
                raise DecodeError("more than %d containers and tagged values" % MAX_NODES)
        while not missing:
            if not stack:
                if pos != end:
                    raise DecodeError("%d bytes behind the value" % (end - pos))
                return items[0]
            done: "Any" = _mapped(items) if is_map else items
            items, missing, is_map = stack.pop()
            items.append(done)


def _mapped(flat: "List[Any]") -> "Any":
    """[key, value, key, value...] as a dict."""
    keys = flat[::2]
    for key in keys:
        if type(key) is not str and type(key) is not bytes:
            from .guard import check_plain
            check_plain(keys)
            break
    return dict(zip(keys, flat[1::2]))
