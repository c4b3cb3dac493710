"""An exception as plain data: what `failures.rebuild` makes a `CallError` of at the other end.

The exception is somebody else's code: its `__str__`, its properties and its notes may raise, recurse, lie or
be huge. So nothing is taken for what it should be, everything is measured, and what fails is left out.
The layout, each key always present:

    type, mro           qualified names ("pkg.errors.Bad"; builtins bare: "KeyError"): the class, its bases
    message             str(exc)
    args, attrs         plain data, see `contents`: a list, a dict by attribute name
    frames              [file, line, function, source line or ""], oldest call first;
                        ["", n, "", ""] stands for n frames left out
    notes               texts
    cause, context      descriptions or None; context only where Python would show it
    suppress_context    bool
    members             descriptions, for an exception group
"""

import itertools
import os

from .callerror import ROOT
from .contents import BITS, NODES, carried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set

# Limits of one exception, in characters, bytes or items.
MESSAGE = 65536
SCALAR = 4096
LINE = 256
FRAMES = 100
MEMBERS = 64
ITEMS = 32
# Limits of a whole description: characters, exceptions, groups in groups, exceptions in one another.
# The reply it goes into may have 8 MiB and a character up to four bytes.
TOTAL = 1 << 20
COUNT = 256
GROUPS = 8
DEPTH = 32
# Source lines are looked up in this many files of at most this size.
FILES = 8
FILE_SIZE = 1 << 20

ATTRIBUTES = ("errno", "strerror", "filename", "filename2", "winerror", "name", "path", "msg", "lineno",
              "offset", "text", "end_lineno", "end_offset", "encoding", "start", "end", "reason", "code",
              "value", "message")
"""What exceptions of the standard library keep outside their `__dict__`."""

# The base class's own, whatever a subclass defines under these names.
_REAL = {name: BaseException.__dict__[name].__get__ for name in (
    "args", "__dict__", "__cause__", "__context__", "__suppress_context__", "__traceback__")}
_MRO, _MODULE, _QUALNAME, _NAME = (type.__dict__[name].__get__ for name in (
    "__mro__", "__module__", "__qualname__", "__name__"))


def describe(exc: "BaseException", skip_frames: "int" = 0) -> "Dict[str, Any]":
    """Return `exc` as plain data (see above), without its `skip_frames` oldest frames. Never raises."""
    try:
        return _Description().one(exc, skip_frames, 0, 0)
    except BaseException as error:  # out of memory or stack: here our own code, not the exception's
        return _blank(_NAME(type(exc)), "<cannot be described: %s>" % _NAME(type(error)))


def plain(values: "List[Any]") -> "List[Any]":
    """Return arguments or attributes that were described before, as they may go on."""
    to = _Description()
    return [carried(value, to) for value in values]


def _blank(kind: "str", message: "str") -> "Dict[str, Any]":
    return {"type": kind, "mro": [], "message": message, "args": [], "attrs": {}, "frames": [], "notes": [],
            "cause": None, "context": None, "suppress_context": False, "members": []}


def _try(function: "Callable[..., Any]", *args: "Any") -> "Any":
    """Call code of the exception's; None if it raises, SystemExit and the like included."""
    try:
        return function(*args)
    except BaseException:
        return None


class _Description:
    """One description in the making: what may still go into it, and what is in it."""

    def __init__(self) -> "None":
        self.left = TOTAL
        self.nodes = NODES
        self.count = 0
        self.seen: "Set[int]" = set()

    def one(self, exc: "BaseException", skip: "int", depth: "int", groups: "int") -> "Dict[str, Any]":
        self.count += 1
        self.seen.add(id(exc))
        mro = [self.type_name(cls) for cls in _MRO(type(exc))[:ITEMS]]
        data = _blank(mro[0], self.message(exc))
        data["mro"] = [name for name in mro if name != "object"]
        data["args"] = [carried(arg, self) for arg in _REAL["args"](exc)[:ITEMS]]
        data["attrs"] = self.attrs(exc)
        data["frames"] = self.frames(_REAL["__traceback__"](exc), skip)
        notes = data["notes"] = self.notes(exc)
        data["suppress_context"] = suppress = _REAL["__suppress_context__"](exc)
        cause = _REAL["__cause__"](exc)
        context = _REAL["__context__"](exc)
        if cause is not None:
            data["cause"] = self.linked(cause, notes, depth, groups)
        elif context is not None and not suppress:
            data["context"] = self.linked(context, notes, depth, groups)
        if any(name.rpartition(".")[2] == "BaseExceptionGroup" for name in mro):  # or the backport's
            members = _try(getattr, exc, "exceptions")
            members = members if type(members) in (tuple, list) else ()
            for member in members[:MEMBERS if groups < GROUPS else 0]:
                if self.count < COUNT and issubclass(type(member), BaseException):
                    data["members"].append(self.one(member, 0, depth + 1, groups + 1))
            if len(members) > len(data["members"]):
                notes.append("[%d members are not shown]" % (len(members) - len(data["members"])))
        return data

    def linked(self, exc: "BaseException", notes: "List[str]", depth: "int",
               groups: "int") -> "Optional[Dict[str, Any]]":
        """Describe a cause or context, unless it was described before or is only there to be looked at."""
        if id(exc) in self.seen or _try(getattr, type(exc), "remotesvc_display_only"):
            return None
        if depth >= DEPTH or self.count >= COUNT:
            notes.append("[what came before is not shown]")
            return None
        return self.one(exc, 0, depth + 1, groups)

    def text(self, value: "str", limit: "int") -> "str":
        """Return an exact str of at most `limit` characters and a mark that says how many are missing."""
        value = str.__str__(value)
        limit = min(limit, self.left)
        self.left -= min(limit, len(value))
        if len(value) <= limit:
            return value
        return "%s... [%d more characters]" % (value[:limit], len(value) - limit)

    def scalar(self, value: "Any") -> "Any":
        """Return a plain and small value, of an exact builtin type; None for all others."""
        kind = type(value)
        size = 8
        if issubclass(kind, str):
            value = str.__str__(value)
            size = len(value)
        elif kind is bytes:
            size = len(value)
        elif issubclass(kind, int):
            value = value if kind is bool else int.__int__(value)
            if value.bit_length() > BITS:
                return None
        elif issubclass(kind, float):
            value = float.__pos__(value)
        else:
            return None
        if size > min(SCALAR, self.left):
            return None
        self.left -= size
        return value

    def type_name(self, cls: "type") -> "str":
        module = _try(_MODULE, cls)
        name = self.text(_QUALNAME(cls), LINE)
        if not issubclass(type(module), str) or str.__eq__(module, "builtins"):
            return name
        return self.text(module, LINE) + "." + name

    def message(self, exc: "BaseException") -> "str":
        try:
            return self.text(str(exc), MESSAGE)
        except BaseException as error:
            return "<str() of the exception raised %s>" % self.type_name(type(error))

    def notes(self, exc: "BaseException") -> "List[str]":
        notes = _try(getattr, exc, "__notes__")
        found = [_try(str, note) for note in notes[:ITEMS]] if type(notes) in (list, tuple) else []
        return ["<str() of a note failed>" if note is None else self.text(note, MESSAGE) for note in found]

    def attrs(self, exc: "BaseException") -> "Dict[str, Any]":
        own = list(itertools.islice(dict.items(_REAL["__dict__"](exc)), ITEMS))
        named = [(name, _try(getattr, exc, name)) for name in ATTRIBUTES]
        attrs = {}
        for name, value in [pair for pair in named if pair[1] is not None] + own:
            if type(name) is str and len(name) <= LINE and name[:1] != "_":
                attrs[name] = carried(value, self)
        return attrs

    def frames(self, traceback: "Any", skip: "int") -> "List[List[Any]]":
        found = []
        dropped = 0
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if skip > 0:
                skip -= 1
            elif not code.co_filename.startswith("<frozen importlib"):  # as Python's own tracebacks do
                found.append((code, traceback.tb_lineno or 0))
                if len(found) > FRAMES:  # a runaway recursion may have a million: keep both ends
                    del found[FRAMES // 2]
                    dropped += 1
            traceback = traceback.tb_next
        lines = _source([(code.co_filename, line) for code, line in found])
        frames: "List[List[Any]]" = []
        for index, (code, line) in enumerate(found):
            if dropped and index == FRAMES // 2:
                frames.append(["", dropped, "", ""])
            frames.append([self.text(code.co_filename, SCALAR), line, self.text(code.co_name, LINE),
                           self.text(lines.get((code.co_filename, line), ""), LINE)])
        return frames


def _source(places: "List[Any]") -> "Dict[Any, str]":
    """Map (file, line number) to that line, for files of this machine; without linecache, which costs an
    import and keeps whole files. Code that was sent here is not looked up: who sent it has its source.
    """
    wanted: "Dict[str, Set[int]]" = {}
    for name, number in reversed(places):  # the innermost matter most
        mine = os.path.isabs(name) and not name.startswith(ROOT)
        if mine and (name in wanted or len(wanted) < FILES):
            wanted.setdefault(name, set()).add(number)
    found: "Dict[Any, str]" = {}
    for name in wanted:
        _try(_read, name, wanted[name], found)
    return found


def _read(name: "str", numbers: "Set[int]", found: "Dict[Any, str]") -> "None":
    if not os.path.isfile(name) or os.path.getsize(name) > FILE_SIZE:  # opening a FIFO would hang
        return
    with open(name, "rb") as file:
        for number, line in enumerate(itertools.islice(file, max(numbers)), 1):
            if number in numbers:
                found[name, number] = line.strip().decode("utf-8", "replace")
