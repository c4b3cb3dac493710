"""One output stream of the command. What comes from a target is made harmless where it meets a terminal, and left exact
where it meets a file or a pipe; it is written whole, or it is known that it was not."""

from __future__ import annotations

import os
import select
import sys
from typing import Any, TextIO

from remotesvc.escape import neutralise

_COLUMNS = 80
"""The width of a terminal that does not say how wide it is."""
_RESET = "\x1b[0m"


class Stream:
    """One output stream: encodes what the terminal or file can take, escapes on a terminal, survives its reader."""

    def __init__(self, file: TextIO | None, color: bool) -> None:
        self._file = file
        self.is_terminal = file is not None and file.isatty()
        self.color = color
        self.broken = False
        """The reader is gone."""
        self.failure: OSError | None = None
        """Another write error, such as a full disk: what was written is not complete."""
        self.missed = False
        """Something was to be written, and the stream was closed from the beginning."""

    def write(self, text: str | bytes) -> bool:
        """Write and flush text that has been made harmless, or bytes where this is no terminal. False when the stream
        cannot take it any more. One that was closed from the beginning takes everything, as Python's own does: what is
        under way goes on, and `missed` says that there was something."""
        if self._file is None:
            self.missed = self.missed or bool(text)
            return True
        if self.broken or self.failure is not None:
            return False
        try:
            self._put(self._file, text)
        except BrokenPipeError:
            self.broken = True
        except OSError as error:
            self.failure = error
        except ValueError:  # closed by somebody else
            self.broken = True
        return not self.broken and self.failure is None

    def exact(self, data: bytes) -> str | bytes:
        """What a target printed, as this stream may have it: byte for byte where it is no terminal."""
        return neutralise(data.decode("utf-8", "replace")) if self.is_terminal else data

    def safe(self, text: str) -> str:
        """Text from a target, as this stream may show it."""
        return neutralise(text) if self.is_terminal else text

    @property
    def columns(self) -> int:
        """How wide the terminal is now."""
        try:
            return os.get_terminal_size(self._file.fileno()).columns or _COLUMNS if self._file else _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def paint(self, text: str, code: str) -> str:
        """Our own text in a colour, if colour is wanted here."""
        return f"{code}{text}{_RESET}" if self.color else text

    @staticmethod
    def _put(file: TextIO, text: str | bytes) -> None:
        buffer: Any = getattr(file, "buffer", None)
        if buffer is None:
            file.write(text if isinstance(text, str) else text.decode("utf-8", "replace"))
            file.flush()
            return
        data = text if isinstance(text, bytes) else encoded(text, file.encoding or "utf-8")
        try:
            fd = file.fileno()
        except (OSError, ValueError):  # a file in memory
            buffer.write(data)
            buffer.flush()
        else:
            file.flush()  # what somebody else wrote to it comes first
            _write_all(fd, data)


def _write_all(fd: int, data: bytes) -> None:
    """Write every byte. Where somebody has made the pipe non-blocking, who shares it with us perhaps, wait for room: a
    file object would leave out what does not fit, and an unbuffered one (PYTHONUNBUFFERED) without a word."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()


def encoded(text: str, encoding: str = "utf-8") -> bytes:
    """Any text as bytes: what the encoding does not have is escaped."""
    try:
        # Undecodable bytes of file names travel as surrogates: out they go as the bytes they were.
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace")


def leave_streams_quietly() -> None:
    """Keep the interpreter's last flush from complaining about a reader that is gone."""
    for file in (sys.stdout, sys.stderr):
        if file is None:
            continue
        try:
            file.flush()
        except (OSError, ValueError):
            try:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, file.fileno())
                os.close(null)
            except (OSError, ValueError):
                pass
