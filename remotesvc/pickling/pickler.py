"""What both forms of a pickle have in common: the standard library's pickler, with the hook of Python 3.8,
`reducer_override`, on all versions; and what need not be in a pickle."""

import functools
import pickle
import sys

from ..bootstrap.calls import bysource as there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 4
"""The newest that every Python from 3.4 on reads."""


_CACHED: "Any" = type(functools.lru_cache()(len))


def importable(thing: "Any") -> "bool":
    """Whether others find a function or class by its module and name."""
    module = thing.__module__
    found = None if module in (None, "__main__") else sys.modules.get(module)
    for name in getattr(thing, "__qualname__", thing.__name__).split("."):
        found = getattr(found, name, None)
    return found is thing


def cached(thing: "Any") -> "Any":
    """How to make a function of `functools.lru_cache` again; None if it is none, or others find it by its name."""
    if not isinstance(thing, _CACHED) or not hasattr(thing, "__name__") or importable(thing):
        return None
    typed = thing.cache_parameters()["typed"] if hasattr(thing, "cache_parameters") else False
    return there.cached, (thing.__wrapped__, thing.cache_info().maxsize, typed)


if TYPE_CHECKING or sys.version_info >= (3, 8):
    Pickler = pickle.Pickler
else:

    class Pickler(pickle._Pickler):
        """The one written in Python: the other asks nobody before it pickles a function or class by its name."""

        def save(self, obj: "Any", save_persistent_id: "bool" = True) -> "None":
            known = id(obj) in self.memo
            reduced = NotImplemented if known else self.reducer_override(obj)
            if reduced is NotImplemented:
                super().save(obj, save_persistent_id)
                return
            function, args, state, _, _, setter = (reduced + (None,) * 4)[:6]
            self.save_reduce(function, args, obj=obj)
            if setter is not None:
                # A call of setter(obj, state), whose result is dropped: what newer versions write.
                self.save(setter)
                self.save(obj)
                self.save(state)
                self.write(pickle.TUPLE2 + pickle.REDUCE + pickle.POP)
