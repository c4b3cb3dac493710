"""What a program says beside the protocol, in bounded memory."""

from __future__ import annotations

HEAD, TAIL = 16 * 1024, 48 * 1024
"""Bytes of stderr kept from its beginning and its end."""


class Noise:
    """The first and the last bytes of a stream of unknown length. Fed by one thread, read by any."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._limits = head, tail
        self._head = b""
        self._tail = b""
        self._cut = 0

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        head, tail = self._limits
        room = head - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            kept = self._tail + data
            self._cut += max(len(kept) - tail, 0)
            self._tail = kept[-tail:]

    def text(self) -> str:
        """What was kept, with a mark where bytes are missing; not escaped."""
        gap = b"\n[... %d bytes left out ...]\n" % self._cut if self._cut else b""
        return (self._head + gap + self._tail).decode("utf-8", "replace")
