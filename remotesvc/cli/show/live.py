"""What targets print while a call runs: shown as it comes, and kept where JSON wants it. Called from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING

from remotesvc.fleet.member import shown_host

from .collected import Collected
from .console import Console

if TYPE_CHECKING:
    from remotesvc.output import LogEvent, OutputEvent

_LONGEST_LINE = 64 * 1024
"""Bytes of a line that is not whole yet; a longer one is shown as it comes, each part with its label."""


class Live:
    """Takes output events. One instance a run.

    keep: the streams that are collected, for JSON or files, instead of shown; collect: what makes the place for what a
    host prints. labels: name the host on each line
    (several hosts). own_streams: what the target writes to stdout goes to our stdout (`exec`), instead of everything to
    stderr. stamp: makes what stands in front of each line, before the label.
    """

    takes_chunks = True  # see `remotesvc.output.Outputs`: many lines are one write

    def __init__(self, console: Console, *, keep: Container[str], labels: bool, own_streams: bool,
                 stamp: Callable[[], str] | None = None,
                 collect: Callable[[str], Collected] = lambda host: Collected()) -> None:
        self._console = console
        self._keep = keep
        self._labels = labels
        self._own_streams = own_streams
        self._stamp = stamp
        self._collect = collect
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._kept: dict[str, Collected] = {}
        self._partial: dict[tuple[str, str], bytes] = {}
        self._line_open = False

    def name(self, context: int, host: str) -> None:
        """From now on output of the context of this id belongs to `host`, the text the user gave."""
        self._names[context] = host

    def host_of(self, event: OutputEvent | LogEvent) -> str:
        """The user's text for the host an event comes from."""
        return self._names.get(event.context) or event.host

    def __call__(self, event: OutputEvent) -> None:
        """Show or keep what a target has printed."""
        host = self.host_of(event)
        with self._lock:
            if event.stream in self._keep:
                self._kept_of(host).add(event.stream, event.raw)
            elif self._own_streams or not self._console.quiet:
                self._show(host, event.stream, event.raw)

    def _show(self, host: str, stream: str, data: bytes) -> None:
        if not self._labels and self._stamp is None:
            self._write(stream, data)
            self._line_open = not data.endswith(b"\n")
            return
        # A label belongs at the start of a line, and lines of hosts must not mix: a line is shown when it
        # is whole.
        text = self._partial.pop((host, stream), b"") + data
        *lines, rest = text.split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        if lines:
            label = self._label(host)
            self._write(stream, b"".join(b"%b%b\n" % (label, line) for line in lines))
        if rest:
            self._partial[host, stream] = rest

    def _label(self, host: str) -> bytes:
        label = "" if not self._labels else f"{shown_host(host)}: " if self._own_streams else f"[{shown_host(host)}] "
        return (label if self._stamp is None else self._stamp() + label).encode("utf-8", "surrogateescape")

    def _write(self, stream: str, data: bytes) -> None:
        console = self._console
        console.printed(console.out if self._own_streams and stream == "stdout" else console.err, data)

    def left_out(self, sizes: Mapping[int, int]) -> None:
        """So many bytes that these contexts printed did not come here: what is kept of their output is incomplete."""
        with self._lock:
            for context in sizes:
                if context in self._names:
                    self._kept_of(self._names[context]).truncated = True

    def finish(self, host: str) -> Collected:
        """The host is done: show what is left of its last line; return what was kept."""
        with self._lock:
            for stream in ("stdout", "stderr"):
                rest = self._partial.pop((host, stream), b"")
                if rest:
                    self._write(stream, b"%b%b\n" % (self._label(host), rest))
            if self._line_open and not self._own_streams and self._console.err.is_terminal:
                # The target's last line had no newline: what we say next starts on a line of its own.
                self._console.remote("\n")
            self._line_open = False
            return self._kept.pop(host, None) or self._collect(host)

    def close(self) -> None:
        """Nothing more comes: what came of hosts that were done already is not wanted."""
        with self._lock:
            for kept in self._kept.values():
                kept.discard()
            self._kept.clear()

    def _kept_of(self, host: str) -> Collected:
        kept = self._kept.get(host)
        if kept is None:
            kept = self._kept[host] = self._collect(host)
        return kept


def time_stamp() -> str:
    """The time here, with its zone, in front of a line."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z ")


def log_line(event: LogEvent, host: str, stamp: str = "") -> str:
    """One record of the target's logging as one line; its traceback, if any, below. Each line has the host in front:
    what a record says must not pass for another host's."""
    record = f"{event.levelname} {event.name}: {event.msg}" + (f"\n{event.exc}" if event.exc else "")
    return "\n".join(f"{stamp}[{shown_host(host)}] {line}" for line in record.rstrip("\n").split("\n"))
