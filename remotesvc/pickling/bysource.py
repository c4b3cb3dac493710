"""Pickles that another Python can read: what cloudpickle would send as bytecode goes as source instead.

What becomes of it there is in `remotesvc.bootstrap.calls.bysource`.
"""

import builtins
import functools
import importlib
import io
import sys
from types import FunctionType, ModuleType

from ..bootstrap.calls import bysource as there
from .codes import attributes_in, names_at_once, names_in
from .pickler import PROTOCOL, Pickler, importable, reached, reduced
from .shapes import shape_of
from .source import NoSource, Sources
from .statement import content_of, own_functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    from .statement import Statement


_DESCRIPTORS: "Any" = {staticmethod: ("__func__",), classmethod: ("__func__",), property: ("fget", "fset", "fdel")}


class SourcePickler(Pickler):
    """Notes the modules that it meets, as the other pickler does."""

    def __init__(self, file: "io.BytesIO", sources: "Sources", own: "Callable[[Any], Any]") -> "None":
        super().__init__(file, PROTOCOL)
        self._sources = sources
        self._own = own
        self.modules: "Set[str]" = set()
        self._shared: "Dict[int, Dict[str, Any]]" = {}
        # By their ids: of closures that go, whose functions bring what is in them.
        self._cells: "Dict[int, Any]" = {}
        # By the id of one that is in it.
        self._outers: "Dict[int, type]" = {}

    def reducer_override(self, obj: "Any") -> "Any":
        if isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
            return importlib.import_module, (obj.__name__,)
        again = reduced(obj)
        if again is not None:
            return again
        if isinstance(obj, FunctionType) and not importable(obj):
            return self._function(obj)
        if id(obj) in self._cells:
            return there.cell, ()
        if isinstance(obj, type) and not importable(obj) and obj.__module__ != "builtins":
            return self._class(obj)
        if isinstance(obj, (FunctionType, type)) and _public(obj):
            return getattr, (sys.modules[obj.__module__.rpartition(".")[0]], obj.__name__)
        if type(obj) in _DESCRIPTORS:
            return type(obj), tuple(getattr(obj, name) for name in _DESCRIPTORS[type(obj)])
        if hasattr(type(obj), "__remotesvc_wire__"):
            self._own(obj)
            return obj.__remotesvc_reduce__()
        name = getattr(obj, "__module__", None)
        if type(obj).__name__ == "TypeVar" and not importable(obj):
            return _type_variable(obj)
        if isinstance(name, str):
            self.modules.add(name)
        return NotImplemented

    def _names_of(self, names: "Dict[str, Any]", module: "str") -> "Dict[str, Any]":
        """What stands for the globals of a module there; one dict for all that was written in it. Two modules may have
        one name."""
        return self._shared.setdefault(id(names), {"__name__": names.get("__name__", module)})

    def _function(self, function: "FunctionType") -> "Any":
        code = function.__code__
        piece = self._sources.of_function(function)
        module = str(function.__module__)
        used = _used(names_in(code), function.__globals__)
        closure = dict(zip(code.co_freevars, function.__closure__ or ()))
        self._cells.update((id(cell), cell) for cell in closure.values())
        state = {
            "globals": used,
            "imports": _submodules(code, used),
            "closure": {name: content_of(cell) for name, cell in closure.items()},
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            "qualname": function.__qualname__,
            "module": module,
            "attributes": {key: value for key, value in vars(function).items() if key != "__wrapped__"},
        }
        made = piece, self._sources.files.shown(code), self._names_of(function.__globals__, module), closure
        return there.function, made, state, None, None, there.fill

    def _class(self, cls: "type") -> "Any":
        outer = self._outer(cls)
        try:
            statement = self._statement(cls)
        except NoSource:
            shape = shape_of(cls)
            if shape is None:
                raise
            return shape
        given, lost = statement.since(cls, self._sources.check) if statement is not None else ({}, [])
        self._outers.update((id(each), cls) for each in given.values() if isinstance(each, type))
        changed = dict(_attributes(cls), **given), lost
        if outer is not None or statement is None:
            return getattr, (outer, cls.__name__), ({}, {}) + changed, None, None, there.fill_class
        names, code = statement.names, statement.code
        known = dict({each.__name__: each for each in cls.__bases__}, **names)
        needed = dict(_used(names_at_once(code) - {cls.__name__}, known), **statement.bases(cls))
        shared = self._names_of(names, cls.__module__)
        made = statement.piece, self._sources.files.shown(statement.method), shared, needed, cls.__module__
        return there.cls, made, (shared, _used(names_in(code), known)) + changed, None, None, there.fill_class

    def _statement(self, cls: "type") -> "Optional[Statement]":
        """What makes a class; None for one that something else has put into another."""
        outer = self._outer(cls)
        if outer is None:
            return self._sources.of_class(cls)
        around = self._statement(outer)
        return around and around.inside(cls)

    def _outer(self, cls: "type") -> "Optional[type]":
        """The class that one stands in, where that is found; None for one of the top level."""
        path = cls.__qualname__.split(".")[:-1]
        if not path or "<locals>" in path:
            return None
        module: "Any" = vars(sys.modules.get(cls.__module__, builtins))
        found = next((each.__globals__ for each in own_functions(cls)), module).get(path[0])
        for name in path[1:]:
            found = getattr(found, name, None)
        found = self._outers.get(id(cls), found)
        return found if isinstance(found, type) and vars(found).get(cls.__name__) is cls else None


def portable(value: "Any", sources: "Sources", own: "Callable[[Any], Any]") -> "Tuple[bytes, Set[str]]":
    """The pickle of a value for any Python, and the modules it names; ``own`` is called with each Context and Sender.
    Raises NoSource, and what pickling raises."""
    file = io.BytesIO()
    pickler = SourcePickler(file, sources, own)
    pickler.dump(value)
    return file.getvalue(), pickler.modules - {"__main__", "builtins"}


def _public(thing: "Any") -> "bool":
    """Whether something of a private module is also in the package above it. Its public name is the one to go by:
    paths are in `pathlib._local` from Python 3.13 on, and in `pathlib` everywhere."""
    package, _, module = thing.__module__.rpartition(".")
    return module.startswith("_") and getattr(sys.modules.get(package), thing.__name__, None) is thing


def _attributes(cls: "type") -> "Dict[str, Any]":
    """The plain values among the attributes of a class. Its statement, run there, may give others: of globals that have
    changed since, or before they were set."""
    if type(cls).__name__ not in ("type", "ABCMeta"):  # an Enum's members, say
        return {}
    return {name: value for name, value in vars(cls).items()
            if not (name.startswith("__") and name.endswith("__")) and _is_plain(value)}


def _is_plain(value: "Any") -> "bool":
    """Whether it holds nothing but plain values, 8 levels of them at most. One thing that many hold is looked at once
    in each level."""
    level = {id(value): value}
    for depth in range(9):
        below: "Dict[int, Any]" = {}
        for each in level.values():
            kind: "Any" = type(each)
            if kind in (list, tuple, set, frozenset, dict) and depth < 8 and len(each) <= 1000:
                below.update((id(part), part) for part in each)
                below.update((id(part), part) for part in (each.values() if kind is dict else ()))
            elif each is not None and kind not in (str, bytes, int, float, complex, bool):
                return False
        level = below
    return True


def _type_variable(variable: "Any") -> "Any":
    said = {"bound": variable.__bound__, "covariant": variable.__covariant__,
            "contravariant": variable.__contravariant__}
    kind: "Any" = type(variable)
    make: "Any" = functools.partial(kind, **{name: value for name, value in said.items() if value})
    return make, (variable.__name__,) + variable.__constraints__


def _submodules(code: "CodeType", found: "Dict[str, Any]") -> "List[ModuleType]":
    """Modules that it reaches through packages: `import a.b` gives a name to `a` only."""
    packages = [each.__name__ for each in found.values() if isinstance(each, ModuleType)]
    names = sorted("%s.%s" % (package, name) for package in packages for name in attributes_in(code))
    return reached([sys.modules[name] for name in names if isinstance(sys.modules.get(name), ModuleType)], code, found)


def _used(names: "Set[str]", known: "Dict[str, Any]") -> "Dict[str, Any]":
    return {name: known[name] for name in sorted(names) if name in known}
