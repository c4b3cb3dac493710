"""What hosts print, kept until somebody asks for it. Bounded: a host that prints for ever must not fill the memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

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


Source = tuple[int, int]
"""A context, and the number of a call in it: 0 where that is not known."""

PART = 128
"""Bytes that a part of what was printed counts besides its own: so much does it take."""


class _Host:
    """What one host printed and nobody has taken: parts in their order, each of one call."""

    def __init__(self) -> None:
        self._parts: dict[str, list[tuple[Source, bytearray]]] = {"stdout": [], "stderr": []}
        self._sizes = dict.fromkeys(self._parts, 0)
        self._full = False
        self._seen: set[Source] = set()  # at the last `take`, of calls that nobody awaited

    def look_again(self) -> None:
        """There may be more now that nobody awaits."""
        self._full = False

    def add(self, source: Source, stream: str, data: bytes, awaited: Callable[[Source], bool]) -> None:
        parts = self._parts[stream]
        room = KEPT - self._sizes[stream]
        if len(data) + PART > room and not self._full:
            self._keep(stream, lambda other: other == source or awaited(other))
            parts, room = self._parts[stream], KEPT - self._sizes[stream]
        self._full = self._full or len(data) > room
        if room <= 0:
            return
        if not parts or parts[-1][0] != source:
            parts.append((source, bytearray()))
            self._sizes[stream] += PART if len(parts) > 1 else 0
        parts[-1][1].extend(data[:room])
        self._sizes[stream] += len(data[:room])

    def take(self, mine: Callable[[Source], bool], awaited: Callable[[Source], bool]) -> Kept:
        taken, seen = Kept(), set()
        taken.truncated = self._full
        for stream, parts in self._parts.items():
            for source, data in parts:
                if mine(source):
                    taken.add(stream, bytes(data))
                elif not awaited(source):
                    seen.add(source)
            # One that was just sent is awaited in a moment: only who is found twice is nobody's.
            self._keep(stream, lambda other: not mine(other) and (awaited(other) or other not in self._seen))
        self._seen, self._full = seen, False
        return taken

    def _keep(self, stream: str, wanted: Callable[[Source], bool]) -> None:
        parts = self._parts[stream] = [part for part in self._parts[stream] if wanted(part[0])]
        self._sizes[stream] = sum(len(data) + PART for _, data in parts) - (PART if parts else 0)


class Printed:
    """Takes the output events of a router and keeps them by host and call, until `take`. Thread-safe.

    then: given each event, too. A process of its own, which a call with isolation="process" runs in, prints under the
    name of its host.
    """

    def __init__(self, then: Callable[[OutputEvent], object] | None = None) -> None:
        self._then = then
        self.takes_chunks = then is None or getattr(then, "takes_chunks", False)
        """See `remotesvc.output.Outputs`; then the lines of a host that prints a great many are few parts here."""
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self._contexts: set[int] = set()
        """Those whose calls are told apart; what others print, below a host's name, is anybody's."""
        self._awaited: WeakValueDictionary[Source, object] = WeakValueDictionary()

    def __call__(self, event: OutputEvent) -> None:
        with self._lock:
            host = self._hosts.setdefault(event.host, _Host())
            host.add((event.context, event.call), event.stream, event.raw, self._is_awaited)
        if self._then is not None:
            self._then(event)

    def await_call(self, context: Context, call: int, taker: object) -> None:
        """What this call prints is kept for as long as there is a taker."""
        with self._lock:
            self._awaited[context.id, call] = taker
            if context.id not in self._contexts:
                self._contexts.add(context.id)
                self._hosts.setdefault(context.name, _Host()).look_again()

    def _is_awaited(self, source: Source) -> bool:
        return source[1] == 0 or source[0] not in self._contexts or source in self._awaited

    def take(self, context: Context, call: int, before: Kept | None = None) -> Kept:
        """What a call has printed on a context since it was last asked for, behind what it had printed `before`, and
        what nobody can say of which call it is: a subprocess printed it, say, or a process of its own."""
        def mine(source: Source) -> bool:
            return source[0] != context.id or source[1] in (0, call)

        with self._lock:
            host = self._hosts.get(context.name)
            now = Kept() if host is None else host.take(mine, self._is_awaited)
        return now if before is None else before.and_then(now)
