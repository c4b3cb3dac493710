"""What the cases share: exceptions to begin with, and all that one does with the error that comes back."""

import builtins
import io
import pickle
import sys

from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, rebuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Group = getattr(builtins, "ExceptionGroup", None)  # type: Any
BaseGroup = getattr(builtins, "BaseExceptionGroup", None)  # type: Any


def raised(exc: "Any") -> "Any":
    """Return the exception with a traceback."""
    try:
        raise exc
    except BaseException as caught:
        return caught


def instance_of(cls: "Any") -> "Any":
    if issubclass(cls, UnicodeDecodeError):
        return cls("utf-8", b"abc\xff", 3, 4, "invalid start byte")
    if issubclass(cls, UnicodeEncodeError):
        return cls("ascii", "abc\xff", 3, 4, "ordinal not in range(128)")
    if issubclass(cls, UnicodeTranslateError):
        return cls("abc", 1, 2, "why not")
    if BaseGroup is not None and issubclass(cls, BaseGroup):
        inner = ValueError("inner") if issubclass(cls, Exception) else KeyboardInterrupt("inner")
        return cls("outer", [raised(inner)])
    if issubclass(cls, OSError):
        return cls(5, "No such thing", "/nope", None, "/other")  # an errno without a class of its own
    if issubclass(cls, SyntaxError):
        return cls("a text", ("f.py", 1, 2, "abc"))
    return cls("a text") if issubclass(cls, ImportError) else cls("a text", 42)


def builtin_classes() -> "dict[str, Any]":
    return {cls.__name__: cls for cls in vars(builtins).values()
            if isinstance(cls, type) and issubclass(cls, BaseException)}


def printed(error: "BaseException") -> "str":
    """Return what Python prints where nobody catches the error: mostly not the work of `traceback`."""
    shown, sys.stderr = sys.stderr, io.StringIO()
    try:
        sys.__excepthook__(type(error), error, error.__traceback__)
        text = sys.stderr.getvalue()
    finally:
        sys.stderr = shown
    return text


def formatted(error: "BaseException") -> "str":
    """Return what the `traceback` module, and with it `logging`, makes of the error."""
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def usable(error: "CallError") -> "CallError":
    """Check that everything one does with an error works, whatever is in it."""
    assert isinstance(error, CallError)
    texts = [str(error), repr(error), error.render(), printed(raised(error)), formatted(error)]
    assert all(len(text) < 9000000 for text in texts)
    again = pickle.loads(pickle.dumps(error))
    assert type(again).__bases__ == type(error).__bases__
    assert again.as_data() == error.as_data()
    assert str(again) == str(error)
    assert again.args == error.args or error.members
    assert (again.host, again.call) == (error.host, error.call)
    return error


def round_trip(exc: "BaseException", **more: "Any") -> "Any":
    return usable(rebuild(describe(exc), "web1", "m:f", **more))
