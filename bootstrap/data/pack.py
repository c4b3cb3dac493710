"""Values to MessagePack (pure): one loop over a list of what is still to do, never recursion.

A value may be nested deeper than the stack of the thread that sends it is large. What is not a plain and short value
is left to `values`, imported when that first happens.
"""
import struct

from .limits import BESIDE, MAX_DEPTH, MAX_NODES, MAX_STRUCTURED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

_H, _I, _FLOAT = [struct.Struct(">B" + code).pack for code in "HId"]
_INTS = [struct.Struct(">B" + code).pack for code in "BHIQbhiq"]  # their header bytes, from 0xcc
_SHORT = BESIDE // 4  # characters that surely take fewer bytes than that


class Encoded(object):
    """A message: its `data`, the `blobs` beside it, whether it is `tagged`, whether it holds a `secret`.

    `bindings` tell what may travel as itself; `strict` refuses what would arrive as another type than it has.
    """

    tagged = secret = False
    blobs: "List[bytes]" = []  # one of its own where there are any

    def __init__(self, data: "bytes" = b"", bindings: "Any" = None, strict: "bool" = False) -> "None":
        self.data = data
        self.bindings = bindings
        self.strict = strict


class End(object):
    """Stands in the list of what is to do where a container ends."""


_END = End()


def pack(root: "Any", state: "Encoded", where: "str") -> "None":
    """Encode `root` into `state`. Raises EncodeError naming the place, which begins with `where`."""
    if root is None or type(root) is int and -32 <= root < 128:  # many a reply is no more than that
        state.data = b"\xc0" if root is None else b"%c" % (root & 0xff)
        return
    out = bytearray()
    todo: "List[Any]" = [root]
    trail: "List[Tuple[Any, str, int]]" = []  # open containers: items reversed, how to show them, len(todo)
    nodes = 0
    value = root
    try:
        while todo:
            value = todo.pop()
            kind = type(value)
            if kind is str or kind is bytes:
                data = value.encode("utf-8", "surrogatepass") if kind is str else value
                size = len(data)
                if size < 32 and kind is str:
                    out.append(0xa0 | size)
                elif size < 256:
                    out += b"%c%c" % (0xd9 if kind is str else 0xc4, size)
                elif size < BESIDE:
                    out += _H(0xda if kind is str else 0xc5, size)
                else:
                    from .values import beside
                    nodes += 1
                    data = beside(data, kind, state)
                out += data
            elif kind is int and -1 << 63 <= value < 1 << 64:
                if -32 <= value < 128:
                    out.append(value & 0xff)
                else:
                    negative = value < 0
                    bits, width = (~value if negative else value).bit_length() + negative, 0
                    while bits > 8 << width:
                        width += 1
                    width += 4 * negative
                    out += _INTS[width](0xcc + width, value)
            elif kind is End:
                trail.pop()
            elif value is None:
                out.append(0xc0)
            elif kind is bool:
                out.append(0xc3 if value else 0xc2)
            elif kind is float:
                out += _FLOAT(0xcb, value)
            else:
                nodes += 1
                code, head, shown = 0, 0x90, "[]"  # type: Any, int, str
                if kind is list or kind is tuple:
                    items = value[::-1]  # a copy: another thread may be at work on the list
                    size = len(items)
                    if kind is tuple:
                        code = 1
                elif kind is dict:
                    items, plain = [], True
                    for pair in list(value.items()):
                        items.extend(pair)
                        if type(pair[0]) is not str or len(pair[0]) >= _SHORT:
                            plain = False
                    items.reverse()
                    head, shown, size = 0x80, "{}", len(items) // 2
                    if not plain:
                        from .values import plain_keys
                        if not plain_keys(items, state):
                            code, head, size = 4, 0x90, len(items)
                else:
                    from .values import leaf, lower
                    code, items, shown = lower(value, state)
                    if code is None:
                        nodes -= 1
                        todo.append(items)  # a plain value in its place
                        continue
                    if type(items) is bytes:
                        out += leaf(code, items, state)
                        continue
                    items = items[::-1]
                    size = len(items)
                if code:
                    state.tagged = True
                    nodes += 1
                    size += 1
                if size < 16:
                    out.append(head | size)
                elif size < 65536:
                    out += _H(0xdc if head == 0x90 else 0xde, size)
                else:
                    out += _I(0xdd if head == 0x90 else 0xdf, size)
                if code:
                    out += b"\xc7\x00"
                    out.append(code)
                _check(len(trail), nodes, len(out) + len(items))
                trail.append((items, shown, len(todo)))
                todo.append(_END)
                todo.extend(items)
        _check(-1, nodes, len(out))
    except Exception as error:  # ours, or that of somebody's property, iterator or __str__
        from .places import refuse
        refuse(error, value, where, trail, len(todo))
    state.data = bytes(out)


def _check(depth: "int", nodes: "int", size: "int") -> "None":
    """Refuse a message that outgrows its limits; `size` in bytes, at least."""
    if depth >= MAX_DEPTH or nodes > MAX_NODES or size > MAX_STRUCTURED:
        from .places import outgrown
        raise outgrown(depth, nodes)
