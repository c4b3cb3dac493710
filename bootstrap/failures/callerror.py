"""CallError, and how a remote traceback looks."""

from ..errors import OutcomeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

    SourceLine = Callable[[str, int], Optional[str]]
    Frames = Sequence[Tuple[str, int, str, str]]

# `finder.ROOT`: what decodes data from a target must not lead to the finder, which unmarshals code.
ROOT = "/proc/remotesvc:/"
_CAUSED = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"


class CallError(OutcomeError):
    """The function raised there. What is raised here derives from the builtin exception raised there, too:
    `except FileNotFoundError` works, with `errno` and `filename`; `remote` tells it from a local one.

    host, call      where, and "module:func"
    type_name       qualified name of the class raised there ("KeyError", "pkg.errors.Bad")
    message         its text, without the host
    args, attrs     its arguments and its attributes (a dict), as plain data; of what does not travel, a text says so
    frames          (file, line, function, source line or ""), oldest call first; ("", n, "", ""): n left out
    notes           texts added there
    cause, context  CallErrors or None, also as `__cause__` and `__context__`
    members         CallErrors of an exception group; from Python 3.11 on it is an ExceptionGroup here, too
    hint            what may help, by whoever shows the error here
    """

    # On the class, so that a class derived from this one and a user's finds these before the user's own.
    remote = True
    message = ""
    host: "Optional[str]" = None
    call: "Optional[str]" = None
    type_name = ""
    mro: "Sequence[str]" = ()
    attrs: "Dict[str, Any]" = {}
    frames: "Frames" = ()
    notes: "Sequence[str]" = ()
    cause: "Optional[CallError]" = None
    context: "Optional[CallError]" = None
    members: "Sequence[CallError]" = ()
    hint = ""
    user_classes: "Dict[str, type]" = {}

    def __init__(self, message: "str" = "", host: "Optional[str]" = None, call: "Optional[str]" = None,
                 type_name: "str" = "Exception") -> "None":
        super().__init__(message, host, call)
        self.type_name = type_name

    def __str__(self) -> "str":
        text = summary(self)
        return "%s: %s" % (self.host, text) if self.host else text

    def render(self, source_line: "Optional[SourceLine]" = None) -> "str":
        """Return the remote traceback, see `format_remote`."""
        return format_remote(self, source_line)

    def as_data(self) -> "Dict[str, Any]":
        """Return the error as plain data, in the layout of `describe`; `failures.rebuild` is its inverse."""
        from .describe import plain

        return {
            "type": self.type_name, "mro": list(self.mro), "message": self.message,
            "args": plain(list(self.args)), "attrs": dict(zip(self.attrs, plain(list(self.attrs.values())))),
            "frames": [list(frame) for frame in self.frames], "notes": list(self.notes),
            "cause": self.cause and self.cause.as_data(), "context": self.context and self.context.as_data(),
            "suppress_context": self.__suppress_context__,
            "members": [member.as_data() for member in self.members],
        }

    def __reduce__(self) -> "Any":
        from .rebuild import restore  # which needs this class

        notes = self.__dict__.get("__notes__")  # with those that were added here
        return restore, (self.as_data(), self.host, self.call, self.user_classes, notes)


CallError.__module__ = "remotesvc"  # where users find it; what a traceback shows


def summary(error: "CallError") -> "str":
    """Return "ValueError: text", Python's last line of a traceback."""
    return "%s: %s" % (error.type_name, error.message) if error.message else error.type_name


def format_remote(error: "CallError", source_line: "Optional[SourceLine]" = None) -> "str":
    """Return the traceback of a remote error as text, with its host, its causes and the members of a group.

    `source_line(file, line number)` supplies source lines of code that was sent there, or None.
    The text is the target's: who shows it on a terminal neutralises it.
    """
    return "\n".join(_lines(error, source_line))


def _lines(error: "CallError", source_line: "Optional[SourceLine]") -> "List[str]":
    lines: "List[str]" = []
    for before, sentence in ((error.cause, _CAUSED), (error.context, _DURING)):
        if before is not None:
            lines += _lines(before, source_line) + ["", sentence, ""]
    lines += traceback_lines(error, source_line) + _misspelt(error, source_line)
    lines.append(summary(error))
    lines += error.notes
    for number, member in enumerate(error.members, 1):
        lines.append("  +---------------- %d ----------------" % number)
        lines += ["  | " + line for text in _lines(member, source_line) for line in text.split("\n")]
    return lines


def traceback_lines(error: "CallError", source_line: "Optional[SourceLine]" = None) -> "List[str]":
    """Return the lines of one error's frames and a headline; none if it has no frames."""
    frames = with_source(error.frames, source_line)
    if not frames:
        return []
    lines = ["Remote traceback%s%s (most recent call last):" % (
        " on " + error.host if error.host else "", ", calling " + error.call if error.call else "")]
    last = None
    repeated = 0
    for frame in [*frames, None]:  # None: one turn more, to count the last ones
        if frame is not None and frame == last:
            repeated += 1
        else:
            if repeated > 2:
                lines.append("  [Previous line repeated %d more times]" % (repeated - 2))
            last, repeated = frame, 0
        if frame is None or repeated > 2:
            continue
        file, number, function, source = frame
        if not file:
            lines.append("  [%d frames are not shown]" % number)
            continue
        lines.append('  File "%s", line %d, in %s' % (shown_file(file), number, function))
        if source:
            lines.append("    " + source)
    return lines


def _misspelt(error: "CallError", source_line: "Optional[SourceLine]") -> "List[str]":
    """Return the lines that show where a SyntaxError is, as Python's own traceback has them; none for other errors."""
    file, number, offset = (error.attrs.get(name) for name in ("filename", "lineno", "offset"))
    if "SyntaxError" not in error.mro or type(file) is not str or type(number) is not int:
        return []
    lines = ['  File "%s", line %d' % (shown_file(file), number)]
    text = error.attrs.get("text")
    if type(text) is not str:  # some compilers have none
        [(_file, _number, _function, text)] = with_source([(file, number, "", "")], source_line)
        offset = None
    source = text.strip().split("\n")[0]
    if source:
        lines.append("    " + source)
        column = offset - 1 - (len(text) - len(text.lstrip())) if type(offset) is int else -1
        if 0 <= column <= len(source):
            lines.append("    %s^" % (" " * column))
    return lines


def shown_file(file: "str") -> "str":
    """Return a file name as people see it: of a label only what tells something."""
    return "remotesvc:/" + file[len(ROOT):] if file.startswith(ROOT) else file


def with_source(frames: "Iterable[Tuple[str, int, str, str]]",
                source_line: "Optional[SourceLine]") -> "List[Tuple[str, int, str, str]]":
    """Return the frames, those of code that was sent there with the source line found here."""
    filled = []
    for file, number, function, source in frames:
        if source_line is not None and not source and file.startswith((ROOT, "<")):
            try:
                source = (source_line(file, number) or "").strip()
            except Exception:  # a source that cannot be read must not hide the error it belongs to
                source = ""
        filled.append((file, number, function, source))
    return filled


class _RemoteTraceback(Exception):
    """Carries the text of a remote traceback as an error's cause."""

    remotesvc_display_only = True  # for `describe`


def show_by_cause(error: "CallError") -> "None":
    """Make Python show the remote traceback where it is too old for notes (3.10): as its first cause."""
    first = error
    while first.cause or first.context:
        first = first.cause or first.context  # type: ignore[assignment]
    suppressed = BaseException.__dict__["__suppress_context__"]
    as_told = suppressed.__get__(first)  # whoever it is passed on to is told the same; setting a cause changes it
    BaseException.__dict__["__cause__"].__set__(first, _RemoteTraceback("\n" + format_remote(error)))
    suppressed.__set__(first, as_told)


_RemoteTraceback.__module__ = "remotesvc"
