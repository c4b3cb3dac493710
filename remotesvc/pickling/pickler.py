"""What both forms of a pickle have in common: the standard library's pickler, with the hook of Python 3.8,
`reducer_override`, on all versions; what need not be in a pickle; and what it would make badly, or not at all."""

import copyreg
import functools
import os
import pickle
import sys
from types import FunctionType, ModuleType

from ..bootstrap.calls import bysource as there
from .codes import attributes_of_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Dict, List

PROTOCOL = 4
"""The newest that every Python from 3.4 on reads."""


_OWN = __name__.partition(".")[0] + "."
_CACHED: "Any" = type(functools.lru_cache()(len))
_DISPATCHING: "Any" = functools.singledispatch(len)
# Of Python 3.8.
_PROPERTY: "Any" = getattr(functools, "cached_property", None)
# What pickle fills them with.
_SETTERS: "Any" = {dict: ("__setitem__",), list: ("append", "extend")}
# Of a class that leaves it to pickle how its objects are made again.
_NO_WORD = (object.__reduce_ex__, object.__reduce__)
# With these of its own, a class says what it holds, and relies on its setters to take that.
_GIVERS = ("__getstate__", "items", "__iter__")


def importable(thing: "Any") -> "bool":
    """Whether others find a function or class by its module and name."""
    module = thing.__module__
    found = None if module in (None, "__main__") else sys.modules.get(module)
    for name in getattr(thing, "__qualname__", thing.__name__).split("."):
        found = getattr(found, name, None)
    return found is thing


def reached(modules: "List[ModuleType]", code: "CodeType", known: "Dict[str, Any]") -> "List[ModuleType]":
    """Of modules that a piece of code may reach through packages, by the names in it: all but those of this package
    that do not follow its name. Most of it exists on the master only, and `context.router` is not `remotesvc.router`.
    ``known``: what the variables of the code are."""
    if not any(each.__name__.startswith(_OWN) for each in modules):
        return modules
    ours = {"%s.%s" % (known[name].__name__, attribute) for name, attribute in attributes_of_names(code)
            if isinstance(known.get(name), ModuleType)}
    return [each for each in modules if not each.__name__.startswith(_OWN)
            or any((each.__name__ + ".").startswith(name + ".") for name in ours)]


def reduced(thing: "Any") -> "Any":
    """How to make again what pickle does not, or not well, as ``reducer_override`` returns it; None for all else."""
    if isinstance(thing, (dict, list)):
        return _held(thing)
    if isinstance(thing, BaseException):
        return _raised(thing)
    if isinstance(thing, _CACHED):
        return _cached(thing)
    if isinstance(thing, FunctionType) and thing.__code__ is _DISPATCHING.__code__ and not importable(thing):
        # Its cache holds weak references.
        made = vars(thing)
        return functools.singledispatch, (made["__wrapped__"],), dict(made["registry"]), None, None, there.register
    if type(thing) is memoryview:
        return _viewed(thing)
    if type(thing) is _PROPERTY:  # up to Python 3.11 it has a lock
        return _PROPERTY, (thing.func,), {key: value for key, value in vars(thing).items() if key != "lock"}
    if thing is os.environ:  # as data: a copy that sets the target's variables would be worse than none
        return dict, (dict(thing),)
    return None


def _cached(thing: "Any") -> "Any":
    """A function of `functools.lru_cache`, unless others find it by its name."""
    if not hasattr(thing, "__name__") or importable(thing):
        return None
    typed = thing.cache_parameters()["typed"] if hasattr(thing, "cache_parameters") else False
    return there.cached, (thing.__wrapped__, thing.cache_info().maxsize, typed)


def _raised(thing: "Any") -> "Any":
    """An exception whose class has an `__init__` of its own: what that takes need not be what ``args`` has. Not if the
    class says how it is pickled."""
    kind: "Any" = type(thing)
    base: "Any" = there.builtin_of(kind)
    if kind.__init__ is base.__init__ and kind.__new__ is base.__new__:
        return None
    if kind in copyreg.dispatch_table or (kind.__reduce_ex__, kind.__reduce__) != (_NO_WORD[0], base.__reduce__):
        return None
    made = thing.__reduce__()
    return (there.raised, (kind,) + made[1]) + made[2:]


def _held(thing: "Any") -> "Any":
    """A dict or list whose class has methods of its own to set items, which may forbid that, or need attributes that it
    has later: it gets what it holds past them. Not if the class says how it is pickled."""
    kind: "Any" = type(thing)
    base: "Any" = dict if isinstance(thing, dict) else list
    if all(getattr(kind, name) is getattr(base, name) for name in _SETTERS[base]):
        return None
    if kind in copyreg.dispatch_table or (kind.__reduce_ex__, kind.__reduce__) != _NO_WORD:
        return None
    if any(getattr(kind, name, None) is not getattr(base, name, None) for name in _GIVERS):
        return None
    make, args, state = thing.__reduce_ex__(PROTOCOL)[:3]
    return make, args, (base.copy(thing), state), None, None, there.hold


def _viewed(view: "memoryview") -> "Any":
    """A memoryview of plain numbers, with bytes of its own."""
    from ..bootstrap.data.arrays import build_buffer, lower_buffer
    from ..bootstrap.data.places import Refused
    try:
        return build_buffer, tuple(lower_buffer("memoryview", view)[1])
    except Refused:
        return None


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
            self.save_reduce(function, args, state if setter is None else None, obj=obj)
            if setter is not None:
                # A call of setter(obj, state), whose result is dropped: what newer versions write.
                self.save(setter)
                self.save(obj)
                self.save(state)
                self.write(pickle.TUPLE2 + pickle.REDUCE + pickle.POP)
