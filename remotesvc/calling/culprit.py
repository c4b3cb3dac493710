"""Which of a call's arguments keeps it from being pickled: looked for once that has failed, and only then."""

from ..bootstrap.data.record import type_name
from ..bootstrap.errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

_SCALARS = (str, bytes, int, float, bool, type(None))
# Containers in containers that are looked into.
_LEVELS = 100


def culprit(args: "List[Any]", kwargs: "Dict[str, Any]", pickle: "Callable[[Any], Any]",
            encode: "Callable[[Any, str], Any]") -> "Optional[EncodeError]":
    """The error that names the innermost value that cannot be pickled; None if each of them alone can be.

    ``pickle(value)`` and ``encode(value, place)`` raise where they cannot.
    """
    parts, found = _parts(args, "args") + _parts(kwargs, "kwargs"), None  # type: Any, Any
    for _ in range(_LEVELS):
        failed = _first([each for each in parts if type(each[0]) not in _SCALARS], pickle)
        if failed is None:
            break
        found, parts = failed, _parts(failed[0], failed[1])
    if found is None:
        return None
    value, place, error = found
    try:
        encode(value, place)
    except EncodeError as refused:
        return refused
    return EncodeError("cannot be pickled, as the call has to be for another of its arguments: %s: %s"
                       % (type(error).__name__, error), place, type_name(type(value)))


def _parts(value: "Any", place: "str") -> "List[Tuple[Any, str]]":
    if isinstance(value, dict):
        return [(each, "%s[%s]" % (place, repr(key)[:60] if isinstance(key, _SCALARS) else "..."))
                for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [(each, "%s[%d]" % (place, number)) for number, each in enumerate(value)]
    return []


def _first(parts: "List[Tuple[Any, str]]", pickle: "Callable[[Any], Any]") -> "Any":
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


def _failure(value: "Any", pickle: "Callable[[Any], Any]") -> "Optional[Exception]":
    try:
        pickle(value)
    except Exception as error:  # pickle fails with whatever the object raises
        return error
    return None
