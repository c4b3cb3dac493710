"""What an exception holds besides texts: arguments and attributes as plain data, and what of that is taken at
the other end. Bounded in size and depth; of what does not travel, a text says what it was.
"""

import sys

from ..data.record import Record, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

# Bits of an integer: so many can be written in decimal however low the limit of this Python is set.
BITS = 2048
# Containers and what is in them, of all exceptions of one description; levels of containers; bytes of a leaf;
# characters of a class's or field's name.
NODES = 4096
LEVELS = 8
LEAF = 4096
NAME = 512
_BASES = (list, tuple, set, frozenset, dict)
# Modules whose values the codec carries as leaves.
_LEAVES = ("datetime", "decimal", "fractions", "uuid", "pathlib")


def carried(value: "Any", to: "Any", level: "int" = 0) -> "Any":
    """A value as plain data, as far as it has room in the description `to`. Never raises."""
    try:
        return _carried(value, to, level)
    except BaseException:  # of somebody's property, say
        return marker(type(value), to)


def marker(kind: "type", to: "Any", more: "str" = "") -> "str":
    """The text that stands for a value that does not travel."""
    return to.text("<%s%s does not travel>" % (to.type_name(kind), more), LEAF)  # type: ignore[no-any-return]


def _carried(value: "Any", to: "Any", level: "int") -> "Any":
    kind = type(value)
    scalar = to.scalar(value)
    if value is None or scalar is not None:
        return scalar
    if issubclass(kind, str):
        return to.text(value, LEAF - 64)  # with its mark, it is no longer than LEAF
    if issubclass(kind, BaseException):
        return to.text("<%s: %s>" % (to.type_name(kind), to.message(value)), LEAF - 64)
    base = next((each for each in _BASES if issubclass(kind, each)), None)
    size = base.__len__(value) if base is not None else len(
        [*value.fields, *value._items] if kind is Record else getattr(kind, "__dataclass_fields__", "nv"))
    if level >= LEVELS or size >= to.nodes:
        return marker(kind, to, "" if base is None else " of %d" % size)
    to.nodes -= size + 1
    if kind is Record:
        return _record(value, to, level)
    if base is dict:
        return {_key(key, to): carried(item, to, level + 1) for key, item in list(dict.items(value))}
    if base is not None:
        items = [carried(item, to, level + 1) for item in base.__iter__(value)]
        if base is tuple and hasattr(kind, "_fields"):
            return _named(kind, dict(zip(kind._fields, items)), items)
        if base in (set, frozenset) and not all(each is None or to.scalar(each) is not None for each in items):
            return items  # what cannot be in a set there
        return base(items)
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(kind, enum.Enum):
        return _named(kind, {"name": value._name_, "value": carried(value._value_, to, level + 1)})
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields
        return _named(kind, {field.name: carried(getattr(value, field.name), to, level + 1) for field in fields(value)})
    return _leaf(value, kind, to)


def _named(kind: "type", fields: "Dict[str, Any]", items: "Any" = None) -> "Record":
    return Record(_fitting(type_name(kind), fields), fields, items)


def _fitting(name: "str", fields: "Dict[str, Any]") -> "str":
    if max(map(len, [name, *map(str.__str__, fields)])) > NAME:
        raise ValueError  # the codec would refuse it, and with it the error
    return name


def _record(value: "Record", to: "Any", level: "int") -> "Record":
    # An item and the field that names it stay one object: so the codec knows them.
    made = {id(each): carried(each, to, level + 1) for each in [*value.fields.values(), *value._items]}
    name = _fitting(value.type_name, value.fields)
    return Record(name, {field: made[id(each)] for field, each in value.fields.items()},
                  [made[id(each)] for each in value._items] if value.is_tuple else None)


def _leaf(value: "Any", kind: "Any", to: "Any") -> "Any":
    module = str(kind.__module__).partition("._")[0]
    if kind is complex or (module in _LEAVES and getattr(sys.modules.get(module), kind.__name__, None) is kind):
        from ..data import codec
        encoded = codec.encode(value)
        if len(encoded.data) <= min(LEAF, to.left) and not encoded.blobs:
            to.left -= len(encoded.data)
            return codec.decode(encoded.data, (), encoded.tagged)  # without a time zone of somebody's, say
    return marker(kind, to)


def _key(key: "Any", to: "Any") -> "Any":
    scalar = to.scalar(key)
    return scalar if scalar is not None or key is None else marker(type(key), to)


def fits_untrusted(value: "Any", classes: "Dict[str, type]", left: "List[int]", level: "int" = 0) -> "bool":
    """Whether something that arrived is what `carried` makes, or of one of these classes; ``left``: nodes."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= LEAF + 64
    if kind is int:
        return value.bit_length() <= BITS  # type: ignore[no-any-return]
    if value is None or kind in (bool, float, complex):
        return True
    if kind is dict:
        parts = [*value, *value.values()]
    elif kind in _BASES:
        parts = list(value)
    elif kind is Record:
        parts = [*value.fields.values(), *value._items]
    else:
        return classes.get(type_name(kind)) is kind or str(kind.__module__).partition("._")[0] in _LEAVES
    left[0] -= len(parts) + 1
    return level < LEVELS and left[0] >= 0 and all(fits_untrusted(each, classes, left, level + 1) for each in parts)
