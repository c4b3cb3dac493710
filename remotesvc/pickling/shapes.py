"""Classes without methods of their own that can be made again by what they consist of: Enums and namedtuples."""

import collections
import functools
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple


def shape_of(cls: "type") -> "Optional[Tuple[Any, ...]]":
    """The function, and its arguments, that make such a class; None for any other."""
    shape = _enum(cls) if hasattr(cls, "__members__") else _namedtuple(cls) if hasattr(cls, "_fields") else None
    try:
        made = shape[0](*shape[1]) if shape is not None else None
    except (TypeError, ValueError):  # a metaclass, or values, of its own
        return None
    return shape if made is not None and _adds_nothing(cls, made) else None


def _enum(cls: "Any") -> "Optional[Tuple[Any, ...]]":
    mixed, base = (None,) * (2 - len(cls.__bases__)) + cls.__bases__[-2:]
    if getattr(base, "__module__", "") != "enum" or len(cls.__bases__) > 2:
        return None
    said = {"module": cls.__module__, "qualname": cls.__qualname__}
    if mixed is not None:
        said["type"] = mixed
    # With the aliases.
    return functools.partial(base, **said), (cls.__name__, [(name, each.value) for name, each in
                                                            cls.__members__.items()])


def _namedtuple(cls: "Any") -> "Optional[Tuple[Any, ...]]":
    if cls.__bases__ != (tuple,):
        return None
    said = {"module": cls.__module__}
    defaults = cls.__new__.__defaults__
    if defaults:  # not for Python 3.6
        said["defaults"] = defaults
    return functools.partial(collections.namedtuple, **said), (cls.__name__, list(cls._fields))


def _adds_nothing(cls: "type", made: "type") -> "bool":
    """Is nothing in a class that is not in what would be made for it?"""
    for name, value in vars(cls).items():
        value = getattr(value, "__func__", value)
        other = getattr(vars(made).get(name), "__func__", vars(made).get(name))
        if name not in vars(made):
            if not name.startswith("__") or (callable(value) and not name.startswith("__annot")):
                return False
        elif isinstance(value, FunctionType) and value.__code__ != getattr(other, "__code__", None):
            return False
    return True
