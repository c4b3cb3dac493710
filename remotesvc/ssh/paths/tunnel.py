"""A direct-tcpip channel of one SSH connection, as the stream under another: how a jump host is passed.

The inner connection is encrypted from end to end; the jump host sees bytes. Threads: the channel is read by the
inner transport's thread and written by whoever writes there, never by the outer transport's own thread, which must
not send.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import paramiko

WINDOW = 8 * 1024 * 1024
"""Bytes a jump host may send ahead of us: all that it can make us keep, for each host behind it. Enough for
80 MB/s at 100 ms."""

_MOST = WINDOW + 32768
"""Bytes that may wait here: a packet more than was granted, for who counts badly. paramiko holds nobody to it."""


class Tunnel:
    """The stream through one channel. `release` is called once, when the channel is closed and done with."""

    # Asked for by paramiko, as it does of a socket.
    _closed = False

    def __init__(self, channel: paramiko.Channel, release: Callable[[], None]) -> None:
        self.deadline: float | None = None
        self.allowance: int | None = None
        self.expired = False
        self.owner: threading.Thread | None = None
        self._channel = channel
        self._release = release
        self._lock = threading.Lock()
        self._flooded = False
        self._keep = channel.in_buffer.feed
        channel.in_buffer.feed = self._feed  # type: ignore[method-assign]
        channel.in_stderr_buffer.feed = _drop  # type: ignore[method-assign]

    def _feed(self, data: bytes) -> None:
        """Called by paramiko on the outer transport's thread."""
        if self._flooded:
            return
        if len(self._channel.in_buffer) + len(data) > _MOST:
            self._flooded = True
            self._channel.in_buffer.empty()
            self.sever()
            return
        self._keep(data)

    def settle(self) -> None:
        """Block without limit from now on."""
        self.deadline = None

    def relax(self) -> None:
        """Acknowledgements are the outer connection's affair."""

    def settimeout(self, value: float | None) -> None:
        """Ignored: paramiko would make it wake up ten times a second."""

    def said(self) -> str:
        """Nothing: there is no program in between."""
        return ""

    def recv(self, size: int) -> bytes:
        """Read, waiting no longer than to the deadline; OSError there, or when the allowance is used up."""
        while True:
            self._channel.settimeout(self._left())
            try:
                data = self._channel.recv(size)
            except TimeoutError:
                continue
            if self._flooded:
                raise paramiko.SSHException("the jump host sent more than it was granted")
            if self.allowance is not None:
                self.allowance -= len(data)
                if self.allowance < 0:
                    raise OSError(errno.EPROTO, "too much data without an SSH greeting")
            return data

    def send(self, data: bytes) -> int:
        """Write what fits, waiting no longer than to the deadline."""
        while True:
            self._channel.settimeout(self._left())
            try:
                sent = self._channel.send(data)
            except TimeoutError:
                continue
            if not sent and data:
                raise OSError(errno.EPIPE, "the way through the jump host is closed")
            return sent

    def _left(self) -> float | None:
        deadline = self.deadline
        if deadline is None:
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            self.expired = True
            raise ConnectionAbortedError(errno.ECONNABORTED, "the time to connect is over")
        return left

    def sever(self) -> None:
        """Wake the reader, which then closes. Nothing is sent here: that could block."""
        self._channel.in_buffer.close()

    def close(self) -> None:
        """Sever; the owner closes the channel when it ends."""
        self.sever()
        owner = self.owner
        if owner is not None and owner.is_alive() and owner is not threading.current_thread():
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._channel.close()
        except (paramiko.SSHException, EOFError, OSError):
            pass  # the jump host is gone already
        self._release()


def _drop(data: bytes) -> None:
    """What would be a program's stderr: a tunnel has none, and nobody reads it."""
