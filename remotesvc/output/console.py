"""Where output and log records go when the program takes neither: its stderr, and its own logging."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TextIO

from remotesvc.escape import neutralise

from .events import LogEvent, OutputEvent

LOGGER = "remotesvc.remote"
"""Below it each host has a logger: "remotesvc.remote.web1"."""


def log_record(event: LogEvent) -> logging.LogRecord:
    """A real LogRecord: time, process and thread are those of its arrival here, the place in the code the remote one.

    Attributes on top: host, context, remote_name, remote_created, remote_process, remote_thread, and the extras;
    an extra named like something a record has is found in `remote_extra` only, where they all are.
    """
    name = f"{LOGGER}.{event.host}.{event.name}"  # no logger is made for it: a target could make any number
    record = logging.LogRecord(
        name, event.levelno, event.pathname, event.lineno, event.msg, (), None, event.funcName
    )
    if record.levelname == f"Level {event.levelno}":
        record.levelname = event.levelname
    record.exc_text = event.exc or None
    ours = {
        "host": event.host,
        "context": event.context,
        "remote_name": event.name,
        "remote_created": event.created,
        "remote_process": event.process,
        "remote_thread": event.thread,
        "remote_extra": dict(event.extra),
    }
    for key, value in {**event.extra, **ours}.items():
        if key in ours or not hasattr(record, key) and key not in ("message", "asctime"):
            setattr(record, key, value)
    return record


class Console:
    """Shows output and logs where nobody else takes them: on stderr, each line labelled with its host.

    Any thread may call it; it never raises for what the stream refuses (closed, broken pipe, characters).
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream  # None: whatever sys.stderr is when something is written
        self._lock = threading.Lock()
        self._open: tuple[int, str, int] | None = None  # whose line the cursor stands in

    def output(self, event: OutputEvent) -> None:
        """Print an event, which may hold many lines. A part of a line is continued if its next part comes before any
        other line."""
        self._show((event.context, event.stream, event.call), event.host, event.data)

    def log(self, event: LogEvent) -> None:
        """Log a record to the logger of its host; if this program has no handler for it, do as `logging` does then."""
        logger = logging.getLogger(f"{LOGGER}.{event.host}")
        if not logger.isEnabledFor(event.levelno):
            return
        if logger.hasHandlers():
            logger.handle(log_record(event))
        elif logging.lastResort is not None and event.levelno >= logging.lastResort.level:
            text = f"{event.levelname} {event.name}: {event.msg}\n{event.exc}".rstrip("\n")
            for line in text.split("\n"):
                self._show(None, event.host, line + "\n")

    def _show(self, source: tuple[int, str, int] | None, host: str, data: str) -> None:
        with self._lock:
            text = ""
            if self._open is not None and self._open != source:
                text, self._open = "\n", None
            if data:
                label = f"[{host}] "
                text += "" if self._open else label
                text += data[:-1].replace("\n", "\n" + label) + data[-1]
                self._open = None if data.endswith("\n") else source
            stream = self._stream or sys.stderr
            if not text or stream is None:
                return
            try:
                text = neutralise(text) if stream.isatty() else text
                try:
                    stream.write(text)
                except UnicodeEncodeError:
                    stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
                stream.flush()
            except (OSError, ValueError):
                pass  # nobody is left to see it, nor to be told so
