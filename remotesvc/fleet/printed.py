"""What hosts print, kept until somebody asks for it. Bounded: a host that prints for ever must not fill the memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.output import OutputEvent

KEPT = 8 * 1024 * 1024
"""Bytes kept, a host and stream; what goes beyond is dropped, and the result marked `truncated`."""


class Kept:
    """What one host printed, up to a limit."""

    def __init__(self) -> None:
        self._bytes = {"stdout": bytearray(), "stderr": bytearray()}
        self.truncated = False

    def add(self, stream: str, data: bytes) -> bytes:
        """Keep what there is room for; returns the rest."""
        kept = self._bytes[stream]
        room = KEPT - len(kept)
        if len(data) <= room:
            kept += data
            return b""
        self.truncated = True
        kept += data[:room]
        return data[room:]

    def raw(self, stream: str) -> bytes:
        """What a stream has printed, byte for byte."""
        return bytes(self._bytes[stream])

    def text(self, stream: str) -> str:
        """What a stream has printed, as text: what is not UTF-8 is U+FFFD."""
        return self._bytes[stream].decode("utf-8", "replace")

    def and_then(self, other: Kept) -> Kept:
        """This, with another behind it."""
        for stream in self._bytes:
            self.add(stream, other.raw(stream))
        self.truncated = self.truncated or other.truncated
        return self


class Printed:
    """Takes the output events of a router and keeps them by host, until `take`. Thread-safe.

    then: given each event, too. A process of its own, which a call with isolation="process" runs in, prints under the
    name of its host.
    """

    def __init__(self, then: Callable[[OutputEvent], object] | None = None) -> None:
        self._then = then
        self.takes_chunks = then is None or getattr(then, "takes_chunks", False)
        """See `remotesvc.output.Outputs`; then the lines of a host that prints a great many are few parts here."""
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}

    def __call__(self, event: OutputEvent) -> None:
        with self._lock:
            self._kept.setdefault(event.host, Kept()).add(event.stream, event.raw)
        if self._then is not None:
            self._then(event)

    def take(self, context: Context, before: Kept | None = None) -> Kept:
        """What a context has printed since it was last asked for, behind what it had printed `before`."""
        with self._lock:
            now = self._kept.pop(context.name, None) or Kept()
        return now if before is None else before.and_then(now)
