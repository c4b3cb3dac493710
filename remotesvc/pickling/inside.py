"""Pure: what goes along with a value that is pickled, for those who look for what cannot."""

from types import FunctionType, MethodType

from .codes import names_in
from .pickler import importable
from .statement import content_of, functions_in, own_functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

# What an object says itself is not what its attributes are.
_SAYS = ("__reduce__", "__reduce_ex__", "__getstate__")


def inside(value: "Any") -> "Dict[str, Any]":
    """What goes along with a function, a method, a class or an object, by what is written behind its name; empty for
    what says itself what it holds, and what others find by its name."""
    if isinstance(value, MethodType):
        return {" -> self": value.__self__, ".__func__": value.__func__}
    if isinstance(value, FunctionType):
        return {} if importable(value) else {" -> " + name: each for name, each in _used(value).items()}
    if isinstance(value, type):
        return _of_class(value) if _goes(value) else {}
    kind: "Any" = type(value)
    if any(getattr(kind, name, None) is not getattr(object, name, None) for name in _SAYS):
        return {}
    held = {".%s" % name: each for name, each in getattr(value, "__dict__", {}).items()}
    return dict(held, **{" -> class": kind}) if _goes(kind) else held


def _goes(cls: "type") -> "bool":
    """Whether a class goes by value: not one written in C, whose name need not be one that others find."""
    return not importable(cls) and any(True for _ in own_functions(cls))


def _used(function: "FunctionType") -> "Dict[str, Any]":
    code = function.__code__
    found = {name: function.__globals__[name] for name in sorted(names_in(code)) if name in function.__globals__}
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        found.update((name, each) for each in content_of(cell))
    defaults = function.__defaults__ or ()
    found.update(zip(code.co_varnames[code.co_argcount - len(defaults):code.co_argcount], defaults))
    found.update(function.__kwdefaults__ or {})
    return found


def _of_class(cls: "type") -> "Dict[str, Any]":
    found: "Dict[str, Any]" = {}
    for name, each in vars(cls).items():
        functions = list(functions_in(each))
        if functions or not (name.startswith("__") or hasattr(type(each), "__get__")):
            found[".%s" % name] = functions[0] if functions else each
    return found
