"""What keeps a call from being pickled, one of its arguments or what its function uses: looked for once that has
failed, and only then."""

from ..bootstrap.data.record import type_name
from ..bootstrap.errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    # Tries to pickle a value, and raises where it cannot.
    Pickle = Callable[[Any], Any]
    # What goes along with a value that is no list, tuple or dict, by what follows the value's place.
    Inside = Callable[[Any], Dict[str, Any]]

_SCALARS = (str, bytes, int, float, bool, type(None))
# Containers, functions and objects in each other that are looked into.
_LEVELS = 100


def culprit(args: "List[Any]", kwargs: "Dict[str, Any]", pickle: "Pickle", encode: "Callable[[Any, str], Any]",
            inside: "Inside") -> "Optional[EncodeError]":
    """The error that names the innermost value that cannot be pickled; None if each of them alone can be.

    ``encode(value, place)`` raises where data alone cannot have such a value.
    """
    found = _innermost(_parts(args, "args", inside) + _parts(kwargs, "kwargs", inside), pickle, inside, {})
    if found is None:
        return None
    value, place, error = found
    try:
        encode(value, place)
    except EncodeError as refused:
        return refused
    return EncodeError("cannot be pickled, as the call has to be for another of its arguments: %s: %s"
                       % (type(error).__name__, error), place, type_name(type(value)))


def culprit_of(function: "Any", place: "str", pickle: "Pickle", inside: "Inside",
               known_as: "str") -> "Optional[EncodeError]":
    """The same of what a function uses, and of itself. ``known_as``: a name that it could be called by."""
    found = _innermost([(function, place)], pickle, inside, {})
    if found is None:
        return None
    value, place, error = found
    remedy = "; called by its name, \"%s\", it need not be" % known_as if known_as else ""
    kind = type_name(type(value)) if value is not function else ""
    return EncodeError("cannot be pickled: %s: %s%s" % (type(error).__name__, error, remedy), place, kind)


def _innermost(parts: "List[Tuple[Any, str]]", pickle: "Pickle", inside: "Inside", seen: "Dict[int, Any]",
               level: "int" = 0) -> "Any":
    """The first of these that cannot be pickled, or what is in it and cannot: (value, place, why not); None if there is
    none. ``seen``: what was looked into, for functions may use each other."""
    parts, first = [each for each in parts if type(each[0]) not in _SCALARS], None
    while True:
        failed = _first(parts, pickle)
        if failed is None:
            return first
        first = first or failed
        seen[id(failed[0])] = failed[0]
        below = _parts(failed[0], failed[1], inside) if level < _LEVELS else []
        new = [each for each in below if id(each[0]) not in seen]
        deeper = _innermost(new, pickle, inside, seen, level + 1)
        if deeper is not None or len(new) == len(below):
            return deeper or failed
        # What it shares with those around it may be all that is wrong with it.
        parts = parts[[place for _, place in parts].index(failed[1]) + 1:]


def _parts(value: "Any", place: "str", inside: "Inside") -> "List[Tuple[Any, str]]":
    if isinstance(value, dict):
        return [(each, "%s[%s]" % (place, repr(key)[:60] if isinstance(key, _SCALARS) else "..."))
                for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [(each, "%s[%d]" % (place, number)) for number, each in enumerate(value)]
    return [(each, place + name) for name, each in inside(value).items()]


def _first(parts: "List[Tuple[Any, str]]", pickle: "Pickle") -> "Any":
    """The first of these that cannot be pickled: (value, place, why not); None if there is none. Found by halves: many
    together take far less time than each alone."""
    while len(parts) > 1:
        half = parts[:len(parts) // 2]
        parts = parts[len(half):] if _failure([value for value, _ in half], pickle) is None else half
    for value, place in parts:
        error = _failure(value, pickle)
        if error is not None:
            return value, place, error
    return None


def _failure(value: "Any", pickle: "Pickle") -> "Optional[Exception]":
    try:
        pickle(value)
    except Exception as error:  # pickle fails with whatever the object raises
        return error
    return None
