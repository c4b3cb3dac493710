"""The child's logging records, on their way to the parent as plain data.

Nothing here imports `logging` before somebody else has: it costs a cold child more than the rest of a call.
Records are filtered here, by the level the master asked for, and formatted: their arguments may not travel.
"""
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Set

TEXT = 65536  # characters of a message, of an exception's text, and of all extras together
SHORT = 1024  # characters of a name, and of the repr of what cannot travel
EXTRAS = 64


def install(emit: "Callable[[Dict[str, Any]], Any]", level: "int") -> "Any":
    """Hand every record that reaches the root logger to `emit`, as `record_data` describes it.

    Call it once `logging` is there. Returns the handler: `set_level(n)` changes its level and that of the
    root logger; `dropped` counts the records lost because they came from inside `emit` or made it raise. A
    handler installed earlier is replaced, so no record arrives twice. `emit` runs on the thread that logs; no
    lock of `logging` is held then.
    """
    import logging
    standard = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime"}
    pid = os.getpid()
    inside: "Set[int]" = set()

    class Forwarder(logging.Handler):
        """Sends records to the parent."""

        remotesvc = True
        dropped = 0

        def handle(self, record: "logging.LogRecord") -> "Any":
            """Without the handler's lock: `emit` may block, and a finaliser may log while it does."""
            accepted = self.filter(record)
            if accepted:
                self.emit(accepted if isinstance(accepted, logging.LogRecord) else record)
            return accepted

        def emit(self, record: "logging.LogRecord") -> "None":
            """Never raises."""
            if os.getpid() != pid:  # a fork: the link is not its own, its stderr is captured
                if logging.lastResort and record.levelno >= logging.lastResort.level:
                    logging.lastResort.handle(record)
                return
            me = threading.get_ident()
            if me in inside:
                self.dropped += 1
                return
            inside.add(me)
            try:
                emit(record_data(record, standard, _exception_text(record, logging.Formatter())))
            except Exception:
                self.dropped += 1
            finally:
                inside.discard(me)

        def set_level(self, level: "int") -> "None":
            """Records below it are not even made, unless a logger has a level of its own."""
            self.setLevel(level)
            logging.getLogger().setLevel(level)

    root = logging.getLogger()
    for old in root.handlers[:]:
        if getattr(old, "remotesvc", False):
            root.removeHandler(old)
    handler = Forwarder()
    handler.set_level(level)
    root.addHandler(handler)
    return handler


def report_failed_cast(call: "str", error: "BaseException") -> "None":
    """Log that a call without a reply has failed; the record goes where all records of this process go."""
    import logging
    logger = logging.getLogger("remotesvc")
    logger.disabled = False  # logging.config disables what it does not know
    try:
        logger.error("cast of %s failed", call, exc_info=(type(error), error, error.__traceback__))
    except Exception:  # a handler of the user's cannot show it
        logger.error("cast of %s failed: %s", call, type(error))


def record_data(record: "Any", standard: "Set[str]", exception: "str") -> "Dict[str, Any]":
    """A record as plain data of bounded size. What is not in `standard` is an extra: plain, or its repr."""
    try:
        message = str(record.getMessage())
    except Exception as error:  # arguments that do not fit, or a __str__ that raises
        message = "%s  (arguments %s: %s)" % (_repr(record.msg), _repr(record.args), type(error).__name__)
    room = [TEXT]
    extras = [key for key in record.__dict__ if key not in standard and type(key) is str and len(key) < 128]
    return {
        "name": _cut(str(record.name), SHORT),
        "levelno": int(record.levelno),
        "levelname": _cut(str(record.levelname), SHORT),
        "msg": _cut(message, TEXT),
        "created": float(record.created),
        "extra": {key: _plain(record.__dict__[key], room) for key in extras[:EXTRAS]},
        "exc": _cut(exception, TEXT),
        "thread": _cut(str(record.threadName), SHORT),
        "process": int(record.process or 0),
        "funcName": _cut(str(record.funcName), SHORT),
        "lineno": int(record.lineno),
        "pathname": _cut(str(record.pathname), SHORT),
    }


def _exception_text(record: "Any", formatter: "Any") -> "str":
    """The exception and the stack that a record was given, as text."""
    try:
        parts = [record.exc_text or "", record.stack_info or ""]
        if not parts[0] and record.exc_info and record.exc_info[0]:
            parts[0] = formatter.formatException(record.exc_info)
        return "\n".join(part for part in parts if part)
    except Exception as error:
        return "(its text cannot be had: %s)" % type(error).__name__


def _plain(value: "Any", room: "List[int]", depth: "int" = 0) -> "Any":
    """The value if it is plain data for which there is room (characters and items), else a text for it."""
    kind = type(value)
    if kind in (bool, float, type(None)) or kind is int and value.bit_length() <= 64:
        return value
    if room[0] < 0:
        return "..."
    size = len(value) if kind in (str, bytes, list, tuple, dict) else 0
    room[0] -= size + 1
    if room[0] >= 0:
        if kind in (str, bytes):
            return value
        if kind in (list, tuple) and depth < 8:
            return kind(_plain(item, room, depth + 1) for item in value[:])
        if kind is dict and depth < 8 and all(type(key) in (str, int) for key in list(value)):
            return {_plain(key, room): _plain(item, room, depth + 1) for key, item in list(value.items())}
    room[0] += size
    text = "<%s of length %d>" % (kind.__name__, size) if size > SHORT and kind is not str else _repr(value)
    room[0] -= len(text)
    return text


def _repr(value: "Any") -> "str":
    try:
        return _cut(repr(value), SHORT)
    except Exception:
        return "<%s that has no repr>" % type(value).__name__


def _cut(text: "str", most: "int") -> "str":
    """Both ends of a text that is too long, and how much lay between them."""
    if len(text) <= most:
        return text
    return "%s ... %d characters left out ... %s" % (text[:most // 2], len(text) - most, text[-most // 2:])
