"""From what a MessagePack parser returns to values: extensions, and the one pass over tags (pure)."""

import struct

from ..errors import DecodeError
from . import tags
from .secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Sequence, Set


class Tag(object):
    """Stands first in an array and says what it is."""

    __slots__ = ("code",)

    def __init__(self, code: "int") -> "None":
        self.code = code


_TAGS = {code: Tag(code) for code in range(tags.TUPLE, tags.ARRAY + 1)}


class Unpacking(object):
    """Makes the extensions of one message, and of each array the value that its tag says."""

    def __init__(self, blobs: "Sequence[Any]", bindings: "Any") -> "None":
        self.bindings = bindings
        self._blobs = blobs
        self._taken = 0

    def extension(self, code: "int", payload: "bytes") -> "Any":
        """The Tag or the finished leaf for an extension. Raises DecodeError."""
        if code in _TAGS:
            if payload:
                raise DecodeError("tag %d has a payload" % code)
            return _TAGS[code]
        if code == tags.BLOB:
            return self._blob(payload)
        if code == tags.BIGINT:
            if not 0 < len(payload) <= tags.MAX_BITS // 8 + 1:
                raise DecodeError("an integer of %d bytes" % len(payload))
            return int.from_bytes(payload, "big", signed=True)
        if code == tags.BYTEARRAY:
            return bytearray(payload)
        from .leaves import leaf
        return leaf(code, payload)

    def _blob(self, payload: "bytes") -> "Any":
        # Each is used once and in order: otherwise five bytes would be worth 128 MiB, again and again.
        number = struct.pack(">I", self._taken)
        if len(payload) != 5 or payload[1:] != number or self._taken >= len(self._blobs):
            raise DecodeError("a reference to bytes that are not beside the message")
        blob = self._blobs[self._taken]
        self._taken += 1
        kind = payload[0]
        if kind == tags.STR:
            try:
                return str(blob, "utf-8", "surrogatepass")
            except UnicodeDecodeError:
                raise DecodeError("a text is not UTF-8") from None
        if kind == tags.MUTABLE:
            return bytearray(blob)
        if kind != tags.BYTES:
            raise DecodeError("bytes beside the message of unknown kind %d" % kind)
        return blob if type(blob) is bytes else bytes(blob)

    def finish(self, root: "Any") -> "Any":
        """Replace the tagged arrays of a parsed value, inner ones first. Raises DecodeError."""
        if self._taken != len(self._blobs):
            raise DecodeError("bytes beside the message that nothing refers to")
        holder = [None, root]
        found: "List[Any]" = [(holder, 1, root)]  # each container: who holds it, where, itself
        if type(root) not in _CONTAINERS:
            found = []
            if type(root) in _STRANGE:
                raise DecodeError("a tag outside of an array")
        for _, _, node in found:  # grows as we go: parents first
            if type(node) is list:
                for place, item in enumerate(node):
                    kind = type(item)
                    if kind in _SPECIAL:
                        if kind in _CONTAINERS:
                            found.append((node, place, item))
                        elif place or kind is not Tag:
                            raise DecodeError("a tag that is not the first of its array")
            else:
                for place, item in node.items():
                    kind = type(item)
                    if kind in _SPECIAL:
                        if kind not in _CONTAINERS:
                            raise DecodeError("a tag outside of an array")
                        found.append((node, place, item))
        while found:
            parent, place, node = found.pop()
            if type(node) is list and node and type(node[0]) is Tag:
                parent[place] = self._build(node[0].code, node[1:])
        return holder[1]

    def _build(self, code: "int", items: "List[Any]") -> "Any":
        if code == tags.TUPLE:
            return tuple(items)
        try:
            build = _BUILD.get(code)
            if build is not None:
                return build(items, self.bindings)
            if code in (tags.RECORD, tags.EXCEPTION, tags.CONTEXT, tags.SENDER):
                from .classes import build as build_object
                return build_object(code, items, self.bindings)
            from .leaves import build as build_value
            return build_value(code, items)
        except DecodeError:
            raise
        except Exception as error:  # items of the wrong types or number
            raise DecodeError("malformed value of tag %d: %s" % (code, type(error).__name__)) from None


_CONTAINERS = frozenset([list, dict])
_STRANGE: "Set[type]" = {Tag}
_SPECIAL: "Set[type]" = {list, dict, Tag}


def refuse_type(kind: "type") -> "None":
    """Let the pass refuse what a parser makes without asking: the C package's own class for timestamps."""
    _STRANGE.add(kind)
    _SPECIAL.add(kind)


def _set(items: "List[Any]", bindings: "Any") -> "Any":
    from .guard import check_keys
    check_keys(items, bindings.classes, True)
    return set(items)


def _frozenset(items: "List[Any]", bindings: "Any") -> "Any":
    from .guard import check_keys
    check_keys(items, bindings.classes, True)
    return frozenset(items)


def _dict(items: "List[Any]", bindings: "Any") -> "Any":
    from .guard import check_keys
    if len(items) & 1:
        raise DecodeError("a key without a value")
    keys = items[::2]
    check_keys(keys, bindings.classes, False)
    return dict(zip(keys, items[1::2]))


def _secret(items: "List[Any]", bindings: "Any") -> "Any":
    (value,) = items
    return Secret(value)


_BUILD: "Dict[int, Callable[[List[Any], Any], Any]]" = {
    tags.SET: _set, tags.FROZENSET: _frozenset, tags.DICT: _dict, tags.SECRET: _secret}
