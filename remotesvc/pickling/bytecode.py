"""Pickles that only the same Python can read, by cloudpickle: quick to make, and of whatever has code at all."""

import io
import sys
from types import CodeType, FunctionType, ModuleType

from ..bootstrap.calls import bysource as there
from .pickler import PROTOCOL, importable, reached, reduced
from .statement import content_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Set, Tuple


# What it has in the place of a file, where that is not a path of this machine: tracebacks could name no line.
_FILES = ("<dynamic-code>",)


class NoBytecode(Exception):
    """There is no cloudpickle for this process, or not for this value; the message says why."""


def pickled(value: "Any", sent: "Callable[[FunctionType], None]", own: "Callable[[Any], Any]",
            shown: "Callable[[CodeType], str]") -> "Tuple[bytes, Set[str]]":
    """The pickle of a value, and the modules that unpickling it may import. NoBytecode, and what pickling raises.

    ``sent``: called with each function whose code goes. ``own``: with each Context and Sender. ``shown``: what code is
    to call its file there.
    """
    file = io.BytesIO()
    pickler = _pickler()(file, PROTOCOL)
    pickler.modules, pickler.cells, pickler.sent, pickler.own, pickler.shown = set(), {}, sent, own, shown
    pickler.dump(value)
    return file.getvalue(), pickler.modules - {"__main__", "builtins"}


def _pickler() -> "Any":
    """cloudpickle's, which notes the modules of the functions, classes and objects that it meets."""
    if sys.version_info < (3, 8):
        raise NoBytecode("cloudpickle needs Python 3.8, and this is %d.%d" % sys.version_info[:2])
    try:
        import cloudpickle
    except ImportError as error:  # a minimal target may lack what it imports, or its parent may not give it
        raise NoBytecode("cloudpickle cannot be imported: %s" % error) from None

    from types import CellType  # of Python 3.8

    class Noting(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: "Any") -> "Any":
            name = obj.__name__ if isinstance(obj, ModuleType) else getattr(obj, "__module__", None)
            if isinstance(name, str):
                self.modules.add(name)
            if isinstance(obj, FunctionType) and not importable(obj):
                self.sent(obj)
            if hasattr(type(obj), "__remotesvc_wire__"):
                self.own(obj)
                return obj.__remotesvc_reduce__()
            if isinstance(obj, CodeType):
                make, parts = self.dispatch_table[CodeType](obj)
                return make, tuple(self.shown(obj) if type(each) is str and each in _FILES + (obj.co_filename,)
                                   else each for each in parts)
            if isinstance(obj, type) and _has_private_slots(obj) and not importable(obj):
                raise NoBytecode("cloudpickle loses the private __slots__ of %s" % obj.__qualname__)
            if id(obj) in self.cells:
                return there.cell, ()
            again = reduced(obj)
            if again is not None:
                return again
            made = super().reducer_override(obj)
            if isinstance(obj, FunctionType) and isinstance(made, tuple):
                made[2][1]["_cloudpickle_submodules"] = _submodules(obj, made[2][1]["_cloudpickle_submodules"])
                if obj.__closure__:
                    return self.sharing(obj.__closure__, *made)
            return made

        def sharing(self, closure: "Any", make: "Any", args: "Any", state: "Any", *rest: "Any") -> "Any":
            """How to make a function, whose variables may be those of others, too: cloudpickle makes new ones for it,
            and copies what is in them."""
            self.cells.update((id(cell), cell) for cell in closure)
            state[1]["__closure__"] = tuple(CellType(*content_of(cell)) for cell in closure)
            return (make, args[:4] + (closure,), state) + rest

    return Noting


def _submodules(function: "FunctionType", found: "List[ModuleType]") -> "List[ModuleType]":
    if not found:
        return found
    known = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        known.update((name, each) for each in content_of(cell))
    return reached(found, function.__code__, known)


def _has_private_slots(cls: "type") -> "bool":
    slots = vars(cls).get("__slots__", ())
    return not isinstance(slots, str) and any(name.startswith("__") and not name.endswith("__") for name in slots)
