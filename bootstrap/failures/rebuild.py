"""Rebuilds a `CallError` from what `describe` made of an exception on a target.

A target is not trusted. It may choose among the builtin exceptions and the classes its caller allowed; no constructor,
property or setter of them runs, and all it sends is measured.
"""

import builtins
import sys

from ..errors import DecodeError
from . import describe as limits
from .callerror import CallError, format_remote, show_by_cause, traceback_lines, with_source
from .contents import NODES, fits_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .callerror import SourceLine

__all__ = ["CallError", "format_remote", "rebuild", "restore"]

_GROUP: "Any" = getattr(builtins, "ExceptionGroup", None)
# A StopIteration raised by accident would end somebody's loop; a group's class comes from its having members.
_BUILTINS = {
    cls.__name__: cls for cls in vars(builtins).values()
    if isinstance(cls, type) and issubclass(cls, Exception)
    and not issubclass(cls, (StopIteration, StopAsyncIteration) + ((_GROUP,) if _GROUP else ()))
}
_TEXTS = ("strerror", "name", "path", "msg", "text", "encoding", "reason", "message")
_NUMBERS = dict.fromkeys(("errno", "winerror", "lineno", "end_lineno", "start", "end"), 1 << 31)
_NUMBERS.update(offset=65536, end_offset=65536)  # Python draws a line of that many "^"
# What may be set outside an instance's dict. More does harm when Python prints the error: for an ImportError
# with a `name_from` it imports the module, for a NameError with a `name` it looks for similar names of ours,
# and a SyntaxError whose `filename` is bytes crashes 3.6.
_SLOTS = {
    OSError: ("errno", "strerror", "filename", "filename2", "winerror"),
    SyntaxError: ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"),
    ImportError: ("msg", "name", "path"),
    UnicodeDecodeError: ("encoding", "start", "end", "reason"),
    UnicodeEncodeError: ("encoding", "start", "end", "reason"),
    UnicodeTranslateError: ("start", "end", "reason"),
}  # type: Dict[type, Tuple[str, ...]]
_CLASSES: "Dict[Tuple[type, ...], type]" = {}
_CACHED = 256


def rebuild(data: "Any", host: "Optional[str]" = None, call: "Optional[str]" = None,
            classes: "Optional[Dict[str, type]]" = None,
            source_line: "Optional[SourceLine]" = None) -> "CallError":
    """Return the CallError to raise for what `describe` made of an exception on `host`.

    `classes` maps type names to exception classes that the caller allows besides the builtin ones;
    `source_line(file, line number)` supplies source lines of code that was sent there, or None.
    What is not as it should be is left out. Raises DecodeError, and only that, where nothing is left.
    """
    if type(data) is not dict or type(data.get("type")) is not str:
        raise DecodeError("a remote error without a type")
    try:
        error = _Rebuilding(host, call, classes or {}, source_line).one(data, 0, 0)
        if sys.version_info < (3, 11):
            show_by_cause(error)
    except Exception as reason:
        raise DecodeError("a remote error cannot be rebuilt: %s" % type(reason).__name__) from None
    return error


def restore(data: "Dict[str, Any]", host: "Optional[str]", call: "Optional[str]",
            classes: "Dict[str, type]", notes: "Any") -> "CallError":
    """Unpickle a CallError: its class is made here, so it is not found by name."""
    error = rebuild(data, host, call, classes)
    if notes is not None:
        error.__dict__["__notes__"] = notes
    return error


class _Rebuilding:
    """What all errors of one description share."""

    def __init__(self, host: "Optional[str]", call: "Optional[str]", classes: "Dict[str, type]",
                 source_line: "Optional[SourceLine]") -> "None":
        self.host = host
        self.call = call
        self.classes = classes
        self.used: "Dict[str, type]" = {}
        self.source_line = source_line
        self.count = 0
        self.left = 2 * limits.TOTAL
        self.nodes = [2 * NODES]

    def one(self, data: "Dict[str, Any]", depth: "int", groups: "int") -> "CallError":
        self.count += 1
        found = _list(data.get("members"), limits.MEMBERS if groups < limits.GROUPS else 0)
        members = [error for error in [self.linked(item, depth, groups + 1) for item in found] if error]
        attrs = self.attrs(data.get("attrs"))
        mro = self.texts(data.get("mro"), limits.ITEMS, 2 * limits.LINE)
        error: "CallError" = _new(self.class_of(mro, bool(members)), attrs.get("message", ""), members)
        for name, value in attrs.items():
            _set(error, name, value)
        error.__dict__.update(
            host=self.host, call=self.call, type_name=self.text(data["type"], 2 * limits.LINE), mro=mro,
            message=self.text(data.get("message"), limits.MESSAGE), attrs=attrs, members=tuple(members),
            notes=self.texts(data.get("notes"), limits.ITEMS + 2, limits.MESSAGE),
            frames=with_source([self.frame(item) for item in _list(data.get("frames"), limits.FRAMES + 1)],
                               self.source_line),
            cause=self.linked(data.get("cause"), depth, groups),
            context=self.linked(data.get("context"), depth, groups), user_classes=self.used,
        )
        for name, value in (("args", tuple(map(self.content, _list(data.get("args"), limits.ITEMS)))),
                            ("__cause__", error.cause), ("__context__", error.context),
                            ("__suppress_context__", data.get("suppress_context") is True)):
            BaseException.__dict__[name].__set__(error, value)  # past the user's properties
        notes = [*error.notes, "\n".join(traceback_lines(error))]
        error.__dict__["__notes__"] = notes if notes[-1] else notes[:-1]
        return error

    def linked(self, data: "Any", depth: "int", groups: "int") -> "Optional[CallError]":
        if type(data) is not dict or type(data.get("type")) is not str:
            return None
        if depth >= limits.DEPTH + limits.GROUPS or self.count >= limits.COUNT:
            return None
        return self.one(data, depth + 1, groups)

    def frame(self, data: "Any") -> "Tuple[str, int, str, str]":
        file, number, function, source = (_list(data, 4) + [None] * 4)[:4]
        number = number if type(number) is int and 0 <= number < 1 << 31 else 0
        return (self.text(file, limits.SCALAR), number, self.text(function, limits.LINE),
                self.text(source, limits.LINE))

    def text(self, data: "Any", limit: "int") -> "str":
        """Return a str of the length `describe` allows, its mark included."""
        data = data[:min(limit + 64, self.left)] if type(data) is str else ""
        self.left -= len(data)
        return data  # type: ignore[no-any-return]

    def content(self, data: "Any") -> "Any":
        """Return an argument or attribute if it is data; else None."""
        return data if fits_untrusted(data, self.classes, self.nodes) else None

    def attrs(self, data: "Any") -> "Dict[str, Any]":
        attrs = {}
        for name, value in data.items() if type(data) is dict and len(data) <= 3 * limits.ITEMS else ():
            if type(name) is not str or not name.isidentifier() or name[0] == "_" or len(name) > limits.LINE:
                continue
            if name in _NUMBERS and not (type(value) is int and abs(value) < _NUMBERS[name]):
                continue
            if name in _TEXTS and type(value) is not str:
                continue
            content = self.content(value)
            if content is not None or value is None:
                attrs[name] = content
        return attrs

    def texts(self, data: "Any", items: "int", limit: "int") -> "List[str]":
        return [self.text(item, limit) for item in _list(data, items)]

    def class_of(self, mro: "List[str]", group: "bool") -> "type":
        """Return CallError, or a class of it that also derives from what the remote class derives from."""
        named = [_GROUP] if group and _GROUP else []
        for name in mro:
            cls = self.classes.get(name) or _BUILTINS.get(name)
            if isinstance(cls, type) and issubclass(cls, Exception) and (group or not _is_group(cls)):
                named.append(cls)
                if name in self.classes:
                    self.used[name] = cls
        bases: "List[type]" = []
        for cls in named:
            if cls not in bases and not any(other is not cls and issubclass(other, cls) for other in named):
                bases.append(cls)
        # Not every two classes go together in this Python: then the first alone, at worst none.
        for some in (bases[:4], bases[:1]):
            if some and some != [Exception]:
                try:
                    return _derive_class(tuple(some))
                except Exception:  # a TypeError, or whatever a metaclass raises
                    continue
        return CallError


def _derive_class(bases: "Tuple[type, ...]") -> "type":
    cls = _CLASSES.get(bases)
    if cls is None:
        namespace: "Dict[str, Any]" = {"__module__": "remotesvc", "__doc__": CallError.__doc__}
        if any(map(_is_group, bases)):
            namespace["derive"] = _derive
        cls = type("CallError[%s]" % bases[0].__name__, (CallError,) + bases, namespace)
        if len(_CLASSES) >= _CACHED:
            _CLASSES.clear()
        _CLASSES[bases] = cls
    return cls


def _new(cls: "type", message: "str", members: "List[Any]") -> "Any":
    """Make an instance by the builtin class underneath, past all constructors of the user's."""
    solid: "Any" = cls
    while solid.__module__ != "builtins":
        solid = solid.__base__
    return solid.__new__(cls, message, members) if _is_group(cls) else solid.__new__(cls)


def _is_group(cls: "type") -> "bool":
    return _GROUP is not None and issubclass(cls, _GROUP)


def _derive(self: "Any", members: "List[Any]") -> "Any":
    """Make a part of a group for `except*`: same host, call and traceback, fewer members."""
    text = _GROUP.message.__get__(self)
    part = _new(type(self), text, members)
    part.__dict__.update(self.__dict__)
    part.members = tuple(members)
    part.message = "%s (%d sub-exception%s)" % (text, len(members), "s" if len(members) > 1 else "")
    return part


def _set(error: "CallError", name: "str", value: "Any") -> "None":
    """Set an attribute: in the builtin class's slot or the instance's dict, never through the user's code."""
    for cls in type(error).__mro__:
        if name in vars(cls):
            found = vars(cls)[name]
            if issubclass(CallError, cls) or not hasattr(type(found), "__get__"):
                break
            fits = type(value) is str or name in _NUMBERS or cls is OSError  # a file name of bytes, say
            if fits and name in _SLOTS.get(cls, ()):
                try:
                    found.__set__(error, value)
                except Exception:  # another type is wanted: then without
                    pass
            return
    if not hasattr(CallError, name):
        error.__dict__[name] = value


def _list(data: "Any", limit: "int") -> "List[Any]":
    return list(data[:limit]) if type(data) in (list, tuple) else []
