"""Pure: does a value fit an annotation? What cannot be told is taken to fit; containers are looked at, not into.

``typing`` costs a cold child 10 ms, so nothing here imports it: annotations that use it have done so.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

# What may stand in for what: an int is a fine float.
_WIDER: "Dict[type, Tuple[type, ...]]" = {float: (float, int), complex: (complex, float, int)}


def fits(value: "Any", kind: "Any") -> "bool":
    """Is the value of this kind: a class, None, a tuple of kinds, or an annotation of ``typing``?"""
    if kind is None:
        return value is None
    if isinstance(kind, tuple):
        return any(fits(value, each) for each in kind)
    alternatives = members(kind)
    if alternatives:
        return any(fits(value, each) for each in alternatives)
    origin = getattr(kind, "__origin__", None)
    if origin is not None and origin is _typing("Literal"):
        return any(value == each and type(value) is type(each) for each in kind.__args__)
    kind = origin or kind
    if not isinstance(kind, type):
        return True
    if kind in (int, float, complex) and isinstance(value, bool):
        return False  # True where a number is expected is a mistake
    try:
        return isinstance(value, _WIDER.get(kind, kind))
    except TypeError:  # a protocol, or a class of typing that does not let itself be asked
        return True


def classes_in(kind: "Any") -> "List[type]":
    """The dataclasses, namedtuples and Enums that an annotation names, at any depth: values may become these."""
    enum = sys.modules.get("enum")
    if isinstance(kind, type) and (hasattr(kind, "__dataclass_fields__") or hasattr(kind, "_fields") or (
            enum is not None and issubclass(kind, enum.Enum))):
        return [kind]
    parts = kind if isinstance(kind, tuple) else getattr(kind, "__args__", None) or ()
    return [cls for each in parts if each is not kind for cls in classes_in(each)]


def _typing(name: "str") -> "Any":
    return getattr(sys.modules.get("typing"), name, fits)


def members(kind: "Any") -> "Tuple[Any, ...]":
    """The alternatives of a Union, Optional or ``a | b``."""
    if getattr(kind, "__origin__", None) is _typing("Union") or type(kind).__name__ in ("_Union", "UnionType"):
        return tuple(getattr(kind, "__args__", None) or ())
    return ()


def unlike(value: "Any", kind: "Any") -> "str":
    """A value that is not of a kind, as the error calls it: by its type, unless the kind is one of certain values."""
    if "Literal[" in shown(kind) and isinstance(value, (str, bytes, int)):
        return "%.80r" % (value,)
    return type(value).__name__


def shown(kind: "Any") -> "str":
    """A kind as people write it."""
    if isinstance(kind, tuple):
        return " or ".join(map(shown, kind))
    if isinstance(kind, type):
        return kind.__name__
    return str(kind).replace("typing.", "")
