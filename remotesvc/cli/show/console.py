"""The two streams of the command, for many threads: results on stdout, everything else on stderr.

A reader that goes away (EPIPE) is no error: it is remembered, told to `on_broken`, and nothing more is written.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from remotesvc.escape import one_line

from ..problems import OurError
from .render import shortened, whole_text
from .stream import Stream

_RED, _BOLD, _DIM = "\x1b[31m", "\x1b[1m", "\x1b[2m"
_ERASE_LINE = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"
_ECHO = 3
"""Columns left free behind the progress line: for the ^C that a terminal echoes there, and for the cursor."""
_PIECE = 64 * 1024
"""Characters of a long text that are written at a time: copies of all of it would take many times its size."""
_MOST_HELD = 1024 * 1024
"""Characters and bytes that wait for the answer to a question. Then they are shown, and the question again."""


class Console:
    """Both streams under one lock, and a progress line that gets out of the way of what is written."""

    def __init__(
        self,
        out: Stream,
        err: Stream,
        *,
        quiet: bool = False,
        verbose: int = 0,
        progress: bool = False,
        on_broken: Callable[[], object] = lambda: None,
    ) -> None:
        self.out = out
        self.err = err
        self.quiet = quiet
        self.verbose = verbose
        self.on_broken = on_broken
        self.shows_progress = progress
        self._line = ""
        self._drawn = False
        self._open = False
        """The last line on the terminal has no end yet: what is added belongs to it."""
        self.aside: tuple[Callable[[], object], Callable[[], object]] | None = None
        """What takes away whatever else is drawn at the end of the terminal while something is written, and what puts
        it back."""
        self._question = ""
        """What somebody is being asked on the terminal. Until that is answered, what is written is held."""
        self._held: list[tuple[Stream, str | bytes]] = []
        self._held_size = 0
        self._moved_aside: tuple[Callable[[], object], Callable[[], object]] | None = None
        self._lock = threading.RLock()
        self._shortened = False
        """A value was not shown whole."""

    def value(self, value: Any) -> str:
        """The text of a value for stdout: of limited size on a terminal, all of it where a program may read it."""
        if not self.out.is_terminal:
            return whole_text(value)
        text, cut = shortened(value)
        self._shortened = self._shortened or cut
        return text

    def tell_shortened(self) -> None:
        """A note if a value was not shown whole."""
        if self._shortened:
            self.note("What was too long for a terminal is shown in part: a pipe, --outdir and --json have all of it.")

    def result(self, text: str) -> None:
        """Write to stdout, as it is but for terminal escapes. The caller brings the newline."""
        self._write(self.out, self.out.safe(text))

    def remote(self, text: str) -> None:
        """Write what a target logged to stderr."""
        self._write(self.err, self.err.safe(text))

    def printed(self, stream: Stream, data: bytes) -> None:
        """Write what a target printed to `out` or `err`."""
        self._write(stream, stream.exact(data))

    def error(self, label: str, text: str) -> None:
        """Tell about a failure: `label: text`, the first line standing out."""
        first, newline, rest = self.err.safe(text).partition("\n")
        head = self.err.paint(f"{one_line(label)}: " if label else "", _BOLD) + self.err.paint(first, _RED)
        self._write(self.err, head + newline + rest + ("" if rest.endswith("\n") else "\n"))

    def note(self, text: str) -> None:
        """Say something on stderr, unless -q."""
        if not self.quiet:
            self._write(self.err, self.err.paint(self.err.safe(text), _DIM) + "\n")

    def labelled_result(self, host: str, text: str) -> None:
        """`host: text` on stdout; text of several lines starts on its own line, indented."""
        self._labelled(self.out, host, text)

    def labelled_output(self, host: str, text: str) -> None:
        """`host: text` on stderr, for what hosts printed there; text of several lines as in `labelled_result`."""
        self._labelled(self.err, host, text)

    def _labelled(self, stream: Stream, host: str, text: str) -> None:
        text = text.rstrip("\n")
        head = stream.paint(f"{one_line(host)}:", _BOLD)
        if "\n" not in text:
            self._write(stream, head + (" " if text else "") + stream.safe(text + "\n"))
            return
        with self._lock:  # it stays together
            head, start, delivered = head + "\n", 0, True
            while start <= len(text) and delivered:
                end = text.find("\n", start + _PIECE)
                end = len(text) if end < 0 else end
                lines = stream.safe(text[start:end] + "\n")  # with its end: it may be part of a \r\n
                delivered = self._put(stream, head + "  " + lines[:-1].replace("\n", "\n  ") + "\n")
                head, start = "", end + 1
        if not delivered and stream is self.out:
            self.on_broken()

    def progress(self, text: str) -> None:
        """Show `text` as the last line of the terminal until something else is said; "" removes it."""
        if self.shows_progress:
            with self._lock:
                self._line = one_line(text)
                if self._question:
                    pass
                elif self._line and not self._open:
                    self._draw(_ERASE_LINE)
                else:
                    self._erase()

    @contextmanager
    def asked(self, question: str) -> Iterator[None]:
        """While entered, somebody is asked `question`, by whoever enters this, and it is the last that is seen."""
        with self._lock:
            self._make_room(question)
        try:
            yield
        finally:
            with self._lock:
                if self._question:
                    self._go_on()

    def give_up_question(self) -> None:
        """Nobody waits for an answer any more: what was held is shown, and nothing is held."""
        with self._lock:
            if self._question:
                self.err.write("\n")
                self._go_on()

    def _make_room(self, question: str) -> None:
        self._erase()
        self._moved_aside = self.aside
        if self._moved_aside is not None:
            self._moved_aside[0]()
        if self._open:
            self.err.write("\n")
            self._open = False
        self._question = question

    def _go_on(self) -> None:
        self._question = ""
        held, self._held, self._held_size = self._held, [], 0
        if self.aside is not None and self.aside is self._moved_aside:  # its end may have come meanwhile
            self.aside[1]()
        for stream, text in held:
            self._write(stream, text)
        if self._line and not self._open:
            self._draw(_ERASE_LINE)

    def _hold(self, stream: Stream, text: str | bytes) -> None:
        self._held.append((stream, text))
        self._held_size += len(text)
        if self._held_size > _MOST_HELD:
            question = self._question
            self.give_up_question()
            self._make_room(question)
            self.err.write(question)

    @property
    def progress_width(self) -> int:
        """Characters of a progress line that are shown; the rest is cut off."""
        return max(0, self.err.columns - _ECHO)

    def leave(self) -> None:
        """The process ends at once: take away what was drawn in the last line, and show the cursor.

        For signal handlers: takes no lock, which somebody may hold, and writes by one system call.
        """
        if self._drawn or self.aside is not None:
            with suppress(OSError):
                os.write(2, (_ERASE_LINE + _SHOW_CURSOR).encode())

    def _draw(self, before: str = "") -> None:
        self.err.write(before + self._line[: self.progress_width])
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self.err.write(_ERASE_LINE)
            self._drawn = False

    def check_results(self) -> None:
        """Raise OurError if stdout did not take all of the results."""
        if self.out.failure is not None:
            raise OurError(f"cannot write the results: {self.out.failure}")
        if self.out.missed:
            raise OurError("cannot write the results: standard output is closed; /dev/null takes what nobody wants")

    def _write(self, stream: Stream, text: str | bytes) -> None:
        if not self._put(stream, text) and stream is self.out:
            self.on_broken()

    def _put(self, stream: Stream, text: str | bytes) -> bool:
        with self._lock:
            if not self._question:
                return self._write_above(stream, text)
            if stream.is_terminal:
                self._hold(stream, text)
                return True
            return stream.write(text)

    def _write_above(self, stream: Stream, text: str | bytes) -> bool:
        """Write with what is drawn at the end of the terminal out of the way."""
        self._erase()
        if self.aside is not None:
            self.aside[0]()
        delivered = stream.write(text)
        if stream.is_terminal and text:
            self._open = text[-1:] != "\n"
        if self.aside is not None:
            self.aside[1]()
        if self._line and not self._open:
            self._draw()
        return delivered
