"""Pure: how a callable is named on the wire: by module and name where it has one, pickled where it has not."""

import functools
import os
import sys
import types

from ..bootstrap.errors import UsageError
from ..bootstrap.imports.modules import MAIN
from .program import has_text, main_name, typed_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple


# Targets kept, for those who call the same again and again.
MAX_KNOWN = 256


def own_args(args: "Tuple[Any, ...]") -> "Tuple[Any, Any, Tuple[Any, ...]]":
    """``self``, the function to call, and its arguments, of a method that leaves all keywords to the function. Raises
    UsageError."""
    if len(args) < 2:
        raise UsageError("give the function to call")
    return args[0], args[1], args[2:]


class Target(object):
    """A callable to be run elsewhere.

    ``address`` is "module:qualname", or None for what has no name others could find; ``name`` is for people; ``args``
    and ``kwargs`` are what a partial adds in front; ``function`` the object itself, if there is one here; ``module`` is
    where it lives, empty for what travels pickled.
    """

    __slots__ = ("address", "name", "args", "kwargs", "function", "module")

    def __init__(self, address: "Optional[str]", name: "str", args: "Tuple[Any, ...]" = (),
                 kwargs: "Optional[Dict[str, Any]]" = None, function: "Any" = None) -> "None":
        self.address = address
        self.name = name
        self.args = args
        self.kwargs = kwargs or {}
        self.function = function
        self.module = (address or "").partition(":")[0]


class Targets(object):
    """Names callables as ``target_of`` does, and faster what it has named before."""

    def __init__(self) -> "None":
        self._known: "Dict[Any, Target]" = {}

    def method(self, service: "Any", method: "Any", make: "Callable[[Any, Any], Target]") -> "Target":
        """The target that a service's method is, as ``make`` says. Raises UsageError."""
        if type(method) is not str or not (type(service) is str or isinstance(service, type)):
            return make(service, method)
        target = self._known.get((service, method))
        if target is None:
            target = make(service, method)
            self._keep((service, method), target)
        return target

    def _keep(self, key: "Any", target: "Target") -> "None":
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = target

    def of(self, fn: "Any") -> "Target":
        """The target of a callable, or what is a Target already. Raises UsageError."""
        kind = type(fn)
        if kind is not types.FunctionType and kind is not str:  # others may equal what they are not, or have no hash
            return fn if isinstance(fn, Target) else target_of(fn)
        target = self._known.get(fn)
        if target is None or (kind is not str and getattr(sys.modules.get(fn.__module__), fn.__name__, None) is not fn):
            target = target_of(fn)
            if target.address is not None:
                self._keep(fn, target)
        return target


def target_of(fn: "Any") -> "Target":
    """Name a callable. Raises UsageError for what cannot be called."""
    if isinstance(fn, str):
        return _parse(fn)
    if isinstance(fn, functools.partial):
        inner = target_of(fn.func)
        kwargs = dict(inner.kwargs, **fn.keywords)
        return Target(inner.address, inner.name, inner.args + fn.args, kwargs, inner.function)
    if not callable(fn):
        raise UsageError("%s (%s) cannot be called; give a function or \"module:function\""
                         % (_short(fn), type(fn).__name__))
    module, qualname = _names(fn)
    named = module and qualname and "<" not in qualname and _same(_lookup(module, qualname), fn)
    if named and module == MAIN:
        named, module = has_text() and not typed_in(fn), main_name()
    if named:
        _refuse_shadowed(module, qualname)
        address = "%s:%s" % _public(module, qualname, fn)
        return Target(address, address, function=fn)
    return Target(None, "%s:%s" % (module or "?", qualname or type(fn).__name__), function=fn)


def _refuse_shadowed(module: "str", qualname: "str") -> "None":
    """Raise UsageError for what lies in a module of the user's that is named like one of the standard library: a target
    would run what its own has under that name. Distributions do such things on purpose, as setuptools' distutils."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if top not in getattr(sys, "stdlib_module_names", ()) or not file:
        return
    outside = os.path.relpath(file, os.path.dirname(os.__file__)).startswith(os.pardir)
    if outside and not any(part == "lib-dynload" or part.endswith("-packages") for part in file.split(os.sep)):
        raise UsageError("%s:%s is of %s, which is named like a module of the standard library: targets have that one "
                         "under this name. Rename yours" % (module, qualname, file))


def _names(fn: "Any") -> "Tuple[str, str]":
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, type):
        return owner.__module__, "%s.%s" % (owner.__qualname__, fn.__name__)
    if isinstance(owner, types.ModuleType):
        return owner.__name__, fn.__name__
    if owner is not None and not isinstance(fn, types.FunctionType):
        return "", "%s.%s" % (type(owner).__name__, getattr(fn, "__name__", "?"))
    return getattr(fn, "__module__", None) or "", getattr(fn, "__qualname__", None) or ""


def known_as(fn: "Any") -> "str":
    """The name under which a module has a callable, or the object whose method it is, though not its own; "" if none
    has. It need not mean the same there: only people can tell."""
    owner = getattr(fn, "__self__", fn)
    name = (getattr(fn, "__module__", None) if owner is fn else type(owner).__module__) or ""
    module = sys.modules.get(name)
    if module is None or (name == MAIN and (not has_text() or typed_in(fn))):
        return ""
    for each, found in list(vars(module).items()):
        if found is owner and each.isidentifier():
            method = "" if owner is fn else "." + fn.__name__
            return "%s:%s%s" % (main_name() if name == MAIN else name, each, method)
    return ""


def _lookup(module: "str", qualname: "str") -> "Any":
    found: "Any" = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def _public(module: "str", qualname: "str", fn: "Any") -> "Tuple[str, str]":
    """The public names of what lives in a private module; else those given. Other versions may have no such module, or
    not that in it: only in Python 3.13 paths are in `pathlib._local`, and some of their methods in `pathlib._abc`."""
    package, _, last = module.rpartition(".")
    if module == "genericpath" or qualname.startswith("_path_"):
        package = os.path.__name__
    elif not last.startswith("_") or package not in sys.modules:
        return module, qualname
    if _same(_lookup(package, qualname), fn):
        return package, qualname
    name = qualname.rpartition(".")[2]
    for public, found in list(vars(sys.modules[package]).items()):
        if not public.startswith("_"):
            if _same(found, fn):
                return package, public
            if isinstance(found, type) and name != qualname and _same(getattr(found, name, None), fn):  # it inherits it
                return package, "%s.%s" % (public, name)
    return module, qualname


def _same(found: "Any", fn: "Any") -> "bool":
    # A bound method is made anew at each look. Other objects may equal what they are not.
    bound = type(found) is type(fn) and isinstance(fn, (types.MethodType, types.BuiltinMethodType))
    return found is fn or (bound and found == fn)


def _parse(text: "str") -> "Target":
    module, colon, qualname = text.partition(":")
    if not colon or not all(part.isidentifier() for part in module.split(".") + qualname.split(".")):
        raise UsageError("%r is not \"module:function\"" % _short(text))
    address = "%s:%s" % (main_name(), qualname) if module == MAIN else text
    return Target(address, address)


def _short(value: "Any") -> "str":
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # a broken __repr__ must not hide what is wrong
        text = "<%s>" % type(value).__name__
    return text[:80]
