"""What a method takes, read from the method itself, and whether given arguments fit. Pure.

``inspect`` and ``typing`` cost a cold child 20 ms: a function says all that is needed in its code object.
"""

from ..bootstrap.calls.refusals import ArgumentError
from ..bootstrap.data.record import type_name
from .kinds import classes_in, fits, members, shown, unlike
from .message import CALLER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Sequence

_ARGS, _KWARGS = 4, 8  # CO_VARARGS, CO_VARKEYWORDS
# The annotation that asks for the caller's message, by its full name: it may be given as text.
_MESSAGE = "remotesvc.service.message.Message"
# What a Receiver gives, which is mistaken for it.
_RECEIVED = "remotesvc.messages.message.Message"


class Signature(object):
    """The parameters of one method, without ``self``.

    ``message`` is the name of the parameter that asks for the caller's Message, "" if none does; ``classes`` are those
    its annotations name, by name, into which arguments may be turned.
    """

    def __init__(self, function: "Any", spec: "Dict[str, Any]") -> "None":
        function = _unwrapped(function)
        code, annotations = function.__code__, _annotations(function)
        names = code.co_varnames
        either, keyword = code.co_argcount, code.co_kwonlyargcount
        skip = getattr(code, "co_posonlyargcount", 0)
        self.name = function.__name__
        self.positional: "List[str]" = list(names[1:either])
        self.only_positional = names[1:skip]
        self.defaults: "Dict[str, Any]" = dict(zip(reversed(names[:either]), reversed(function.__defaults__ or ())))
        self.defaults.update(function.__kwdefaults__ or {})
        self.open_args = bool(code.co_flags & _ARGS)
        self.open_kwargs = bool(code.co_flags & _KWARGS)
        self.names = self.positional + list(names[either:either + keyword])
        self.kinds: "Dict[str, Any]" = {name: annotations[name] for name in self.names if name in annotations}
        self.message = self._message()
        self.kinds = {name: kind for name, kind in self.kinds.items() if type(kind) is not Unknown}
        self.kinds.update(spec)
        self.required = [name for name in self.names if name not in self.defaults]
        self.required += [name for name in spec if name not in self.names]
        if self.message:
            self.kinds.pop(self.message, None)
            self.names.remove(self.message)
            self.positional = [name for name in self.positional if name != self.message]
            self.required = [name for name in self.required if name != self.message]
        unknown = [] if self.open_kwargs else [name for name in spec if name not in self.names]
        if unknown:
            raise ArgumentError("%s() has no argument %r, which its arg_spec names" % (self.name, unknown[0]))
        # Who gives just these, and nothing by position, needs no look at what is missing or too much.
        self._exactly = set(self.names) if not self.open_kwargs and set(self.required) <= set(self.names) else None
        self.classes = {type_name(cls): cls for kind in self.kinds.values() for cls in classes_in(kind)}

    def _message(self) -> "str":
        """The parameter that asks for the Message. Raises ArgumentError where it cannot be told which that is: what is
        not taken for it, a caller may make up."""
        found = []
        for name in self.names:
            kind = self.kinds.get(name)
            meant = {_full_name(each) for each in (members(kind) or (kind if isinstance(kind, tuple) else (kind,)))}
            if _RECEIVED in meant:
                raise ArgumentError("%s(): the annotation of %r is remotesvc.Message, which a Receiver gives; "
                                    "the caller is a remotesvc.service.Message" % (self.name, name))
            if _MESSAGE in meant or self.defaults.get(name) is CALLER:
                found.append(name)
            elif type(kind) is Unknown and "Message" in kind.words():
                raise ArgumentError("%s(): the annotation %r of %r cannot be evaluated: import what it names at run "
                                    "time, too, or give it the default CALLER" % (self.name, str(kind), name))
        if len(found) > 1:
            raise ArgumentError("%s() asks for the Message twice: %s" % (self.name, ", ".join(found)))
        return found[0] if found else ""

    def bind(self, args: "Sequence[Any]", kwargs: "Dict[str, Any]", what: "str") -> "Dict[str, Any]":
        """The arguments by name, defaults not filled in. Raises ArgumentError naming the one that is wrong."""
        if not args and kwargs.keys() == self._exactly:
            self._check(kwargs, what)
            return dict(kwargs)
        if args and self.open_args:
            raise ArgumentError("%s: give arguments by name; positions do not reach *args" % what)
        if len(args) > len(self.positional):
            raise ArgumentError("%s takes at most %d positional arguments, %d were given"
                                % (what, len(self.positional), len(args)))
        bound = dict(zip(self.positional, args))
        for name, value in kwargs.items():
            if name in bound:
                raise ArgumentError("%s: argument %r was given twice" % (what, name))
            if name == self.message or (name not in self.names and not self.open_kwargs):
                raise ArgumentError("%s has no argument %r; it takes %s"
                                    % (what, name, ", ".join(self.names) or "none"))
            bound[name] = value
        for name in self.required:
            if name not in bound:
                raise ArgumentError("%s: argument %r is missing" % (what, name))
        self._check(bound, what)
        return bound

    def _check(self, bound: "Dict[str, Any]", what: "str") -> "None":
        for name, kind in self.kinds.items():
            if name in bound and type(bound[name]) is not kind and not fits(bound[name], kind):
                default = name in self.defaults and self.defaults[name] is bound[name]
                if not default:  # `depth: int = None` is common
                    raise ArgumentError("%s: argument %r must be %s, not %s"
                                        % (what, name, shown(kind), unlike(bound[name], kind)))

    def call(self, function: "Any", bound: "Dict[str, Any]", message: "Any") -> "Any":
        """Call the bound method with what ``bind`` returned and, where it asks for it, the message."""
        if self.message:
            bound = dict(bound)
            bound[self.message] = message
        if not self.only_positional:
            return function(**bound)
        rest = dict(bound)
        given = len(self.only_positional)
        while given and self.only_positional[given - 1] not in rest:
            given -= 1
        # Whoever leaves out one of them and gives a later one, by name, leaves it its default.
        first = [rest.pop(name) if name in rest else self.defaults[name] for name in self.only_positional[:given]]
        return function(*first, **rest)

    def filled(self, bound: "Dict[str, Any]") -> "Dict[str, Any]":
        """What ``bind`` returned, with defaults: two calls that mean the same look the same."""
        full = {name: value for name, value in self.defaults.items() if name in self.names}
        full.update(bound)
        return full


def _unwrapped(function: "Any") -> "Any":
    for _ in range(100):  # `functools.wraps` may be made to go round in circles
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    if not hasattr(function, "__code__"):
        raise ArgumentError("%r is not a function whose arguments are known" % (function,))
    return function


def _annotations(function: "Any") -> "Dict[str, Any]":
    try:
        found = dict(function.__annotations__)
    except Exception:  # evaluated only now, from Python 3.14 on, and naming what is not imported
        import importlib
        annotationlib = importlib.import_module("annotationlib")
        found = annotationlib.get_annotations(function, format=annotationlib.Format.STRING)
    evaluated = {name: _evaluated(kind, function.__globals__) if isinstance(kind, str) else kind
                 for name, kind in found.items()}
    return {name: kind for name, kind in evaluated.items() if kind is not None}


class Unknown(str):
    """The text of an annotation that cannot be evaluated; it is not checked."""

    def words(self) -> "List[str]":
        """The names in it."""
        return "".join(each if each.isalnum() or each == "_" else " " for each in self).split()


def _evaluated(text: "str", names: "Dict[str, Any]") -> "Any":
    """What an annotation given as text stands for; Unknown if that cannot be told."""
    try:
        return eval(text, dict(names))
    except Exception:  # evaluating it may raise anything
        parts = [_evaluated(each, names) for each in text.split("|")] if "|" in text else []  # before Python 3.10
        return Unknown(text) if not parts or Unknown in map(type, parts) else tuple(parts)


def _full_name(kind: "Any") -> "str":
    kind = getattr(kind, "__origin__", kind)  # of Annotated
    return "%s.%s" % (kind.__module__, kind.__qualname__) if isinstance(kind, type) else ""

