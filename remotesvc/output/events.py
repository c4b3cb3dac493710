"""Records of a target's output and logging, and the events they become. Pure.

The records come from `bootstrap.output.capture` and `bootstrap.output.logs`, that is, from a target: nothing in them is
believed before its type and size have been looked at. All state is bounded: of what a call printed, no more is held
than the first bytes of a character whose last ones have not come.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.output.logs import EXTRAS, TEXT
from remotesvc.bootstrap.output.units import LINE

MOST_TEXT = TEXT + 256  # the child cuts at TEXT and says how much is missing
MOST_ITEMS = 8 * TEXT  # characters and items of extras: the child stops at TEXT, but has to say "..." for the rest
MOST_PENDING = 1024
"""How many unfinished characters are kept, over all calls of a router."""

Stream = Literal["stdout", "stderr"]
_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}
Piece = tuple[str, "bytes | None"]
"""What was printed as text, and its bytes where not all of them were UTF-8."""
_PLAIN = frozenset([type(None), bool, int, float, str, bytes, list, tuple, dict])


@dataclass(frozen=True, slots=True)
class OutputEvent:
    """One line that was printed in a context, its newline included; or a part of one, without.

    A part comes when the rest takes longer than 100 ms, was flushed, or lies beyond 64 KiB. `call` is 0 where it
    is not known who wrote: a subprocess, a C library, a thread that the call started. What is not UTF-8 is U+FFFD
    in `data`; `raw` has the bytes that were printed.
    """

    context: int
    host: str
    stream: Stream
    data: str
    call: int
    undecoded: bytes | None = field(default=None, repr=False)
    """The bytes, where not all of them were UTF-8."""

    def lines(self) -> Iterator[OutputEvent]:
        """An event for each line, and for what is left after the last, where this one holds several."""
        content: Any = self.data if self.undecoded is None else self.undecoded
        newline: Any = "\n" if self.undecoded is None else b"\n"
        start = 0
        while start < len(content):
            end = content.find(newline, start) + 1 or len(content)
            text, undecoded = (content[start:end], None) if self.undecoded is None else _decoded(content[start:end])
            yield OutputEvent(self.context, self.host, self.stream, text, self.call, undecoded)
            start = end

    @property
    def raw(self) -> bytes:
        """What was printed, byte for byte."""
        return self.data.encode() if self.undecoded is None else self.undecoded


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One record of a context's `logging`, in the words of `logging.LogRecord`; `msg` and `exc` are final texts."""

    context: int
    host: str
    name: str
    levelno: int
    levelname: str
    msg: str
    created: float
    extra: Mapping[str, object] = field(default_factory=dict)
    exc: str = ""
    thread: str = ""
    process: int = 0
    funcName: str = ""
    lineno: int = 0
    pathname: str = ""


class Decoder:
    """Output records in, text out: one incremental UTF-8 decoder for each (context, stream, call). Pure."""

    def __init__(self) -> None:
        self._pending: dict[tuple[int, Stream, int], bytes] = {}

    def feed_untrusted(self, context: int, record: object) -> tuple[Stream, int, Piece]:
        """(stream, call, piece) of `[fd, call, bytes]`; the piece is all lines in it, without the beginning of a
        character at its end. Raises WireError. What is not UTF-8 becomes U+FFFD.
        """
        if type(record) is not list or len(record) != 3:
            raise WireError("an output record is not a list of three")
        fd, call, data = record
        if type(fd) is not int or fd not in _STREAMS:
            raise WireError("an output record names no stream")
        if type(call) is not int or not 0 <= call < 1 << 64:
            raise WireError("an output record names no call")
        if type(data) is not bytes or len(data) > LINE:
            raise WireError("an output record holds no bytes, or too many")
        key = context, _STREAMS[fd], call
        data = self._pending.pop(key, b"") + data
        undecoded: bytes | None = None
        try:
            text, used = codecs.utf_8_decode(data, "strict", False)
        except UnicodeDecodeError:
            text, used = codecs.utf_8_decode(data, "replace", False)
            undecoded = data[:used]
        if used < len(data):
            self._pending[key] = data[used:]
        return key[1], call, (text, undecoded)

    def overdue(self, most: int = MOST_PENDING) -> Iterator[tuple[int, Stream, int, Piece]]:
        """(context, stream, call, piece) for the oldest unfinished characters, until at most `most` are left."""
        excess = len(self._pending) - most
        return self._given_up(list(self._pending)[:excess] if excess > 0 else [])

    def ended(self, context: int) -> Iterator[tuple[int, Stream, int, Piece]]:
        """(context, stream, call, piece) for all characters that a context has not finished."""
        return self._given_up([key for key in list(self._pending) if key[0] == context])

    def _given_up(self, keys: list[tuple[int, Stream, int]]) -> Iterator[tuple[int, Stream, int, Piece]]:
        for key in keys:
            yield *key, ("\ufffd", self._pending.pop(key))


def _decoded(data: bytes) -> Piece:
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), data


_LOG_FIELDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        ("name", "levelname", "msg", "exc", "thread", "funcName", "pathname"),
        lambda value: type(value) is str and len(value) <= MOST_TEXT,
    ),
    **dict.fromkeys(
        ("levelno", "process", "lineno"), lambda value: type(value) is int and -(1 << 31) <= value < 1 << 31
    ),
    "created": lambda value: type(value) is float and math.isfinite(value),
    "extra": lambda value: (
        type(value) is dict
        and len(value) <= EXTRAS
        and all(type(key) is str and len(key) <= 128 for key in value)
        and _is_plain(value)
    ),
}


def _is_plain(value: object) -> bool:
    """Whether it is made of plain data, of a size that `bootstrap.output.logs` allows."""
    room, open_values = MOST_ITEMS, [value]
    while open_values:
        item: Any = open_values.pop()
        if type(item) not in _PLAIN:
            return False
        if isinstance(item, (str, bytes, list, tuple, dict)):
            room -= len(item)
        if room < 0:
            return False
        if isinstance(item, dict):
            open_values.extend(item)
            open_values.extend(item.values())
        elif isinstance(item, (list, tuple)):
            open_values.extend(item)
    return True


def log_event_untrusted(context: int, host: str, record: object) -> LogEvent:
    """The event that a log record of a target describes. Raises WireError naming the field that is not right."""
    if type(record) is not dict or record.keys() != _LOG_FIELDS.keys():
        raise WireError("a log record does not have the fields it should have")
    for name, is_right in _LOG_FIELDS.items():
        if not is_right(record[name]):
            raise WireError(f"a log record has a wrong {name!r}")
    return LogEvent(context, host, **record)
