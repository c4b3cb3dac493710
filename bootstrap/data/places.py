"""Why a value cannot travel, and where in it that stands: needed when an encoding fails, and only then."""

from ..errors import EncodeError
from .limits import MAX_DEPTH, MAX_MESSAGE, MAX_NODES, MAX_STRUCTURED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, NoReturn, Tuple

_SCALARS = frozenset([str, bytes, int, float, bool, type(None)])
FOREIGN = "it belongs to another Router, whose numbers mean other processes here"
_SHOWN = 200  # characters of a place in an error


class Refused(Exception):
    """A value cannot travel; says why. Where it stands is for `refuse` to find out."""


def outgrown(depth: "int", nodes: "int") -> "Refused":
    """Why a message is beyond the limits that `pack` checks."""
    if depth >= MAX_DEPTH:
        return Refused("nested more than %d levels deep" % MAX_DEPTH)
    if nodes > MAX_NODES:
        return Refused("has more than %d containers and tagged values" % MAX_NODES)
    return Refused("too large: a message has at most %d MiB besides str, bytes and arrays of 64 KiB and "
                   "more, %d MiB in all" % (MAX_STRUCTURED >> 20, MAX_MESSAGE >> 20))


def refuse(error: "Exception", value: "Any", where: "str", trail: "List[Tuple[Any, str, int]]",
           left: "int") -> "NoReturn":
    """Raise the EncodeError for a value that `pack` could not encode, and what it was doing when it gave up."""
    from .pack import End
    known = isinstance(error, Refused)
    kind = "" if type(value) is End else _name(type(value))  # at its end it is the whole that is refused
    text = str(error) if known else "raised %s while it was encoded" % _name(type(error))
    raise EncodeError(text, _place(where, trail, left), kind) from (None if known else error)


def oversized(total: "int", where: "str") -> "EncodeError":
    """The error for a message of so many bytes, blobs included."""
    return EncodeError("%.1f MiB; a message has at most %d MiB, of which %d MiB besides str, bytes and arrays of "
                       "64 KiB and more" % (total / 1048576, MAX_MESSAGE >> 20, MAX_STRUCTURED >> 20), where)


def _name(kind: "type") -> "str":
    from .record import type_name
    return type_name(kind)


def _place(where: "str", trail: "List[Tuple[Any, str, int]]", left: "int") -> "str":
    """The place of the value that was just taken from the list: "args[0]['x'][3]"."""
    lefts = [base for _, _, base in trail[1:]] + [left]
    for (items, shown, base), now in zip(trail, lefts):
        index = len(items) - (now - base - 1) - 1  # the marker of the end lies below the items
        if shown == "[]":
            where += "[%d]" % index
        elif shown == "{}":
            key = items[len(items) - 1 - (index & ~1)]
            text = repr(key)[:60] if type(key) in _SCALARS else "<%s>" % _name(type(key))
            where += ("[%s]" if index & 1 else " key %s") % text
        elif shown == ".":
            where += ".%s" % items[len(items) - 1 - ((index - 1) | 1)] if index > 2 else ""
        elif shown == "*":
            where += " element"
        else:
            where += ".reveal()"
            break  # what is inside a Secret is not for an error message
    half = _SHOWN // 2
    return where if len(where) <= _SHOWN else "%s ... %s" % (where[:half], where[-half:])
