"""What targets print and log, on the master: checked, decoded, split into lines, handed to whoever wants it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .console import LOGGER, Console, log_record
from .events import Decoder, LogEvent, OutputEvent, Piece, Stream, log_event_untrusted

__all__ = ["LOGGER", "CallbackError", "Console", "LogEvent", "OutputEvent", "Outputs", "log_record"]


class CallbackError(Exception):
    """An `on_output` or `on_log` has raised its cause: an error of the user's, and none of ours."""


LINES_BETWEEN_YIELDS, GIL_YIELD = 200, 1e-5
"""After so many lines in a row, some half a millisecond of work, sleep for so many seconds. That releases the GIL:
another thread would get it only after the interpreter's switch interval of 5 ms, several times for each call."""


class Outputs:
    """From the records of a router's contexts to its `on_output` and `on_log`, by default those of a Console.

    `name_of(context)` is the host that an event names. An `on_output` that has a true `takes_chunks` is given what
    arrived together in one event of many lines: much output then costs no steps for each line. One thread at a time. An
    error that a callback raises is raised here, as a CallbackError, once the rest of the record has been handed over.
    """

    def __init__(
        self,
        name_of: Callable[[int], str],
        on_output: Callable[[OutputEvent], object] | None = None,
        on_log: Callable[[LogEvent], object] | None = None,
    ) -> None:
        console = Console()
        self._name_of = name_of
        self._take_output = console.output if on_output is None else on_output
        self._takes_chunks = on_output is None or getattr(on_output, "takes_chunks", False)
        self._take_log = console.log if on_log is None else on_log
        self._decoder = Decoder()
        self._room: int | None = None
        self._handed = 0
        self.left_out: dict[int, int] = {}
        """Bytes of output that were not handed over, by context; see `limit`."""

    def limit(self, most: int) -> None:
        """Hand over no more than `most` bytes of output from now on, and nothing after what does not fit. On any
        thread."""
        self._room = most

    def on_output(self, context: int, record: object) -> None:
        """Take an output record, as it came from the context. Raises WireError."""
        stream, call, piece = self._decoder.feed_untrusted(context, record)
        if self._room is not None:
            size = len(record[2])  # type: ignore[index]  # by now it is known to be a list, of what it should hold
            if size > self._room:
                self._room = -1
                self.left_out[context] = self.left_out.get(context, 0) + size
                return
            self._room -= size
        self._deliver(((context, stream, call, piece),))
        self._deliver(self._decoder.overdue())

    def on_log(self, context: int, record: object) -> None:
        """Take a log record, as it came from the context. Raises WireError."""
        event = log_event_untrusted(context, self._name_of(context), record)
        try:
            self._take_log(event)
        except Exception as error:
            raise _failed("on_log", error) from error

    def ended(self, context: int) -> None:
        """Hand over what waits for the end of a character of this context, which prints no more for now."""
        self._deliver(self._decoder.ended(context))

    def close(self) -> None:
        """Hand over output that waits for the rest of a character, which will not come any more."""
        self._deliver(self._decoder.overdue(0))

    def _deliver(self, pieces: Iterable[tuple[int, Stream, int, Piece]]) -> None:
        failure: Exception | None = None
        for context, stream, call, (text, undecoded) in pieces:
            whole = OutputEvent(context, self._name_of(context), stream, text, call, undecoded)
            for event in (whole,) if self._takes_chunks and text else whole.lines():
                self._handed += 1
                if self._handed % LINES_BETWEEN_YIELDS == 0:
                    time.sleep(GIL_YIELD)
                try:
                    self._take_output(event)
                except Exception as error:
                    failure = failure or error
        if failure is not None:
            raise _failed("on_output", failure) from failure


def _failed(name: str, error: Exception) -> CallbackError:
    return CallbackError(f"the router's {name} raised {type(error).__name__}: {error}")
