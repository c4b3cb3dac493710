"""What the marks on a service's methods say, as one table for each class."""

import types

from ..bootstrap.calls.refusals import NoSuchMethod
from ..bootstrap.errors import UsageError
from .arguments import Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

EXPOSED, ARG_SPEC, SILENT = "__remotesvc_policies__", "__remotesvc_arg_spec__", "__remotesvc_no_reply__"


class NoReply(object):
    """The type of ``Service.NO_REPLY``."""

    def __repr__(self) -> "str":
        return "Service.NO_REPLY"


NO_REPLY = NoReply()

# A method may run on a child's main thread, where what was read with its call has to wait for it, as long as its runs
# take no more than QUICK seconds. After one that took longer, it has to be as quick AGAIN times before that.
QUICK, AGAIN = 0.002, 8


class Method(object):
    """An exposed method: its ``policies``, whether it is ``silent`` (``@no_reply``), and its ``signature``."""

    def __init__(self, name: "str", function: "Any") -> "None":
        self.name = name
        self.function = function
        self.policies = getattr(function, EXPOSED)
        self._only = self.policies[0] if len(self.policies) == 1 else None
        self.silent = bool(getattr(function, SILENT, False))
        self._spec = getattr(function, ARG_SPEC, {})
        self._signature: "Any" = None
        self._quick_runs = AGAIN - 1

    @property
    def quick(self) -> "bool":
        """Has it been quick lately?"""
        return self._quick_runs >= AGAIN

    def ran(self, seconds: "float") -> "None":
        """Note how long a run took, its answer included."""
        self._quick_runs = self._quick_runs + 1 if seconds < QUICK else 0

    @property
    def signature(self) -> "Any":
        """What it takes; read at the first use. Raises ArgumentError if the marks contradict the method."""
        if self._signature is None:
            self._signature = Signature(self.function, self._spec)
        return self._signature

    def allows(self, service: "Any", caller: "Any") -> "bool":
        """Do all policies let this caller in?"""
        if self._only is not None:
            return bool(self._only.allows(service, caller))
        return all(policy.allows(service, caller) for policy in self.policies)


def mark(function: "Any", name: "str", change: "Callable[[Any], Any]") -> "Any":
    """Set an attribute of a method to what ``change`` makes of the one it has; returns the method."""
    if type(function) is not types.FunctionType:
        raise UsageError("only methods can be called from elsewhere; %r is a %s" % (function, type(function).__name__))
    setattr(function, name, change(function.__dict__.get(name)))
    return function


def refuse_unbound(cls: "type") -> "None":
    """Raise UsageError where a class marks what is no method: in a staticmethod, the mark counts for nothing."""
    for name, found in vars(cls).items():
        if isinstance(found, (staticmethod, classmethod)) and hasattr(found.__func__, EXPOSED):
            raise UsageError("only methods can be called from elsewhere; %s.%s is a %s"
                             % (cls.__name__, name, type(found).__name__))


def methods_of(cls: "type") -> "Dict[str, Method]":
    """The exposed methods of a service class, by name; read once."""
    found: "Optional[Dict[str, Method]]" = cls.__dict__.get("_remotesvc_methods")
    if found is None:
        found = {}
        for base in reversed(cls.__mro__):
            for name, function in list(vars(base).items()):
                found.pop(name, None)  # an override counts only if it is marked itself
                if not name.startswith("_") and type(function) is types.FunctionType and hasattr(function, EXPOSED):
                    found[name] = Method(name, function)
        cls._remotesvc_methods = found  # type: ignore[attr-defined]
    return found


def method_of(cls: "Any", name: "str", known: "bool") -> "Method":
    """An exposed method. Raises NoSuchMethod, in the same words whether or not something else has that name. Which
    methods there are, the error says only to callers who are ``known`` as our parents."""
    method = methods_of(cls).get(name)
    if method is None:
        names = ", ".join(sorted(methods_of(cls))) or "none"
        raise NoSuchMethod("%s has no method %r that may be called%s"
                           % (cls.name(), name[:200], "; there are: %s" % names if known else ""))
    return method
