"""Dict keys and set elements chosen by somebody who is not trusted (pure).

str and bytes have seeded hashes; numbers and what is made of them do not. One million 64-bit integers chosen
for the order in which CPython probes its tables keep `dict()` busy for a minute, in C and holding the GIL;
equal hashes do the same. So before such a dict or set is built its hashes are looked at here. Only what an
attack needs is refused: nothing that happens by chance comes near.
"""

import sys

from ..errors import DecodeError
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

_SEEDED = frozenset([str, bytes])
_PLAIN = frozenset([str, bytes, int, float, bool, type(None)])
EQUAL = 64
"""Most equal hashes in one container. Honest ones come from -1 and -2 inside tuples: six places make 64."""
STEPS = 1 << 20
"""Most steps spent on comparing the things behind equal hashes of one container."""
FEW = 1024
"""Below this number of keys even the worst order costs less than a millisecond."""
PROBES = 32
"""Most probes a key, on average. Keys that differ only above bit 32 need 6, an attack thousands."""


def check_plain(keys: "List[Any]") -> "None":
    """Raise DecodeError unless all are what a plain map may have as keys, and harmless together."""
    for key in keys:
        if type(key) not in _PLAIN:
            raise DecodeError("a map has a key of type %s" % type(key).__name__)
    check_hashes(keys, False)


def check_keys(keys: "List[Any]", classes: "Dict[str, type]", is_set: "bool") -> "None":
    """Raise DecodeError unless a dict or set of these can be built without harm and without running users'
    code."""
    if classes:  # else there is no object here that could have methods of its own
        _refuse_methods(keys)
    try:
        check_hashes(keys, is_set)
    except DecodeError:
        raise
    except Exception as error:  # unhashable, a signalling NaN, or compared too deep
        raise DecodeError("not fit for a dict or set: %s" % error) from None


def check_hashes(keys: "List[Any]", is_set: "bool") -> "None":
    """Raise DecodeError where the hashes of these are an attack; any error of `hash` where they have none."""
    hashes = [hash(key) for key in keys if type(key) not in _SEEDED]
    if len(hashes) < 2:
        return
    if len(hashes) > FEW:
        _check_probes([hash(key) for key in keys], is_set)
    order = sorted(hashes)  # not a set of them: that would be the attack's second chance
    equal, most = 1, 1
    for one, other in zip(order, order[1:]):
        equal = equal + 1 if one == other else 1
        most = max(most, equal)
    if most > EQUAL:
        raise DecodeError("%d keys or elements have the same hash" % most)
    if most > 1 and any(type(key) not in _PLAIN for key in keys):
        _check_comparisons(keys)


def _check_probes(hashes: "List[int]", is_set: "bool") -> "None":
    """Go through CPython's probing of the tables that `hashes` meet, in their order, while the container
    grows."""
    size = 8
    while True:
        used = min(len(hashes), size * 2 // 3)
        if used > FEW:
            mask = size - 1
            taken = bytearray(size)
            left = used * PROBES
            for perturb in hashes[:used]:
                perturb &= 0xffffffffffffffff
                slot = perturb & mask
                while taken[slot]:
                    left -= 1
                    perturb >>= 5
                    slot = (slot * 5 + perturb + 1) & mask
                    if left < 0:
                        raise DecodeError("the hashes of %d keys or elements collide" % len(hashes))
                taken[slot] = 1
        if used == len(hashes):
            return
        # A set looks at nine neighbours of each slot too; that changes who sits where, not how far one walks.
        size *= 4 if is_set and used <= 50000 else 2


def _check_comparisons(keys: "List[Any]") -> "None":
    """Refuse equal hashes of things whose comparison is itself dear: sets of sets whose hashes are equal."""
    groups: "Dict[int, List[Any]]" = {}
    for key in keys:
        if type(key) not in _SEEDED:
            groups.setdefault(hash(key), []).append(key)
    left = STEPS
    for group in groups.values():
        if len(group) > 1:
            for key in group:
                left -= len(group) * _weight(key, left // len(group))
                if left < 0:
                    raise DecodeError("keys or elements of equal hash are too large to compare")


def _weight(key: "Any", limit: "int") -> "int":
    """About how many steps it takes to compare `key` with another of the same hash; more than `limit` counts
    as is."""
    total = 0
    todo = [(key, 1)]
    while todo and total <= limit:
        value, times = todo.pop()
        total += times
        if isinstance(value, frozenset):
            order = sorted(hash(item) for item in value)
            equal = 1
            most = 1
            for one, other in zip(order, order[1:]):
                equal = equal + 1 if one == other else 1
                most = max(most, equal)
            times *= most
        if isinstance(value, tuple):
            value = tuple(tuple.__iter__(value))  # whatever a namedtuple's class makes of it
        if isinstance(value, (tuple, frozenset)):
            total += len(value) * times
            if total <= limit:
                todo.extend((item, times) for item in value)
        elif type(value) is Record:
            todo.append((tuple(value.fields.values()) + tuple(value), times))
    return total


def _refuse_methods(keys: "List[Any]") -> "None":
    """Refuse objects that would run a `__hash__` or `__eq__` written by a user, at any depth."""
    enum = sys.modules.get("enum")
    allowed = [getattr(enum, "Enum", object)]
    todo = list(keys)
    while todo:
        value = todo.pop()
        cls = type(value)
        if not getattr(cls, "__module__", "").startswith(_OURS) and cls not in _PLAIN:
            for name in ("__hash__", "__eq__"):
                owner = next(base for base in cls.__mro__ if name in base.__dict__)
                if owner.__flags__ & _HEAP and owner not in allowed and owner.__module__ not in _TRUSTED:
                    raise DecodeError("%s has its own %s: it can be no key or element" % (cls.__name__, name))
        if isinstance(value, tuple):
            todo.extend(tuple.__iter__(value))  # whatever a namedtuple's class makes of it
        elif isinstance(value, frozenset):
            todo.extend(value)
        elif cls is Record:
            todo.extend(value.fields.values())
            todo.extend(value if value.is_tuple else ())


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_OURS = __name__.partition(".")[0] + "."
# Of the types the codec builds itself, where the standard library has them in Python.
_TRUSTED = frozenset(["datetime", "decimal", "_pydecimal", "fractions", "uuid", "pathlib", "pathlib._local"])
