"""Pure: calls whose arguments are plain values, marshalled. Only for descendants, which run our code anyway.

``bootstrap.calls.execute.parts`` reads it. That is one step for either side, where the closed codec, which a target has
in Python only, takes some hundred. Only values that the codec would carry without tags, and tuples, go this way, so
that all arrive as they would by the codec.
"""

import marshal

from ..bootstrap.data.marshalled import FORMAT
from ..bootstrap.data.pack import Encoded
from ..bootstrap.links.wire import FRAGMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

_SCALARS = frozenset([str, bytes, int, float, bool, type(None)])
# Containers looked at, and so the most levels: what may break the limits of the codec is left to that.
MAX_NODES = 500
# Below so many bytes there is no int that the codec would refuse; above, only those of 64 bits are let through.
SMALL = 4096


def marshalled(parts: "List[Any]") -> "Optional[Encoded]":
    """A call's parts, marshalled; None where they hold anything but plain values, or are too large for one frame."""
    try:
        nodes = _simple(parts) or _nodes(parts)
        if nodes is None:
            return None
        data = marshal.dumps(parts, FORMAT)
    except (RuntimeError, ValueError):  # changed by another thread meanwhile, or nested too deep
        return None
    if len(data) > SMALL and (len(data) > FRAGMENT or not all(map(_small, nodes))):
        return None
    return Encoded(data)


def _simple(parts: "List[Any]") -> "Optional[List[Any]]":
    """The containers in nearly all calls: of scalars, without options and modules; None for another."""
    args, values = parts[1], parts[2].values() if len(parts) > 2 else ()
    if len(parts) < 4 and _SCALARS.issuperset(map(type, args)) and _SCALARS.issuperset(map(type, values)):
        return [args, values]
    return None


def _nodes(parts: "List[Any]") -> "Optional[List[Any]]":
    """The containers in a value; None if something in it is not plain."""
    nodes: "List[Any]" = [parts]
    for node in nodes:  # grows as we go
        if not _SCALARS.issuperset(map(type, node)):
            for item in node:
                kind: "Any" = type(item)
                if kind is list or kind is tuple:
                    nodes.append(item)
                elif kind is dict:
                    nodes += item, list(item.values())
                elif kind not in _SCALARS:
                    return None
            if len(nodes) > MAX_NODES:
                return None
    return nodes


def _small(node: "Any") -> "bool":
    return all(type(item) is not int or item.bit_length() <= 64 for item in node)
