"""The connection under SSH: tuned, and with a deadline of its own.

paramiko leaves Nagle's algorithm on, polls its socket ten times a second for ever, and waits for some answers
without any limit. A socket of our own mends all three without touching paramiko: it sets the options, it
blocks instead of polling, and until `settle` it fails at the deadline, which ends every wait of paramiko's
above it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
import threading
import time
from typing import Protocol

from remotesvc.launch.forks import watch

UNSENT = 128 * 1024
"""Bytes of ours the kernel may hold unsent. More would queue in front of a ping."""

USER_TIMEOUT = 20.0
"""Seconds the kernel waits for an acknowledgement of sent bytes before it gives the connection up."""

QUICK_READS = 200
"""After so many reads QUICKACK is left alone even if nobody calls `relax`: a start takes some 30."""

AHEAD = 4096
"""Bytes that are read where fewer are asked for. paramiko reads the head of a packet, then its rest: this way one read
fetches a small packet and what came with it. After a large one we read only what was asked for: putting the pieces
together would cost more."""


_SHORTEST = 148
"""Where the shortest round trip stands in Linux's `struct tcp_info`: 32 bits, microseconds."""


class Stream(Protocol):
    """What an SSH transport of ours runs on: a TCP connection, a program, or a channel of another transport."""

    deadline: float | None
    """`time.monotonic()` at which every read and write fails; None once the connection stands."""
    allowance: int | None
    """Bytes that may still be read before the peer has shown that it speaks SSH; None once it has."""
    expired: bool
    """The deadline has struck."""
    owner: threading.Thread | None
    """The thread that reads, once there is one. It calls `close` when it ends, as paramiko's does."""

    def settle(self) -> None:
        """The connection stands: block without limit from now on."""

    def relax(self) -> None:
        """The start is over: no more hurry about acknowledgements."""

    def sever(self) -> None:
        """Cut the connection, waking whoever reads or writes; from any thread, any number of times."""

    def close(self) -> None:
        """Sever; what it holds is released by its owner, when that ends."""

    def said(self) -> str:
        """What a program in between has complained of."""


class TunedSocket(socket.socket):
    """A stream socket for `paramiko.Transport`, made by `dial`. paramiko's `settimeout` is ignored."""

    deadline: float | None = None
    """`time.monotonic()` at which every read and write fails; None once the connection stands."""
    allowance: int | None = None
    """Bytes that may still be read before the peer has shown that it speaks SSH; None once it has."""
    expired = False
    """The deadline has struck."""
    owner: threading.Thread | None = None
    """The thread that reads, once there is one. It calls `close` when it ends, as paramiko's does."""
    _ahead = b""
    _large = False
    _quick = QUICK_READS if hasattr(socket, "TCP_QUICKACK") else 0

    def tune(self) -> None:
        """Set the options that make a difference; those a platform lacks are skipped."""
        watch(self)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in (("TCP_USER_TIMEOUT", int(USER_TIMEOUT * 1000)), ("TCP_NOTSENT_LOWAT", UNSENT)):
            option = getattr(socket, name, None)
            if option is not None:
                try:
                    self.setsockopt(socket.IPPROTO_TCP, option, value)
                except OSError:
                    pass  # an older kernel; the connection works without

    def drop_copies(self) -> None:
        """In a fork of this process: the connection is not its own, and must not outlive ours."""
        os.close(self.detach())

    def settle(self) -> None:
        """The connection stands: block without limit from now on."""
        self.deadline = None

    def relax(self) -> None:
        """The start is over: leave acknowledgements to the kernel, which is cheaper."""
        self._quick = 0

    def settimeout(self, value: float | None) -> None:
        """Ignored: paramiko would make the socket wake up ten times a second."""

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Read, waiting no longer than to the deadline; OSError there, or when the allowance is used up."""
        if self._ahead:
            data, self._ahead = self._ahead[:bufsize], self._ahead[bufsize:]
            return data
        if self.deadline is not None:
            self._wait(select.POLLIN)
        data = super().recv(bufsize if self._large else max(bufsize, AHEAD), flags)
        self._large = bufsize > AHEAD
        if self._quick:
            # The kernel forgets it again by itself. Without it the server's Nagle waits for our delayed
            # acknowledgement: 40 ms when a session is opened.
            self._quick -= 1
            try:
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except OSError:
                self._quick = 0
        if self.allowance is not None:
            self.allowance -= len(data)
            if self.allowance < 0:
                raise OSError(errno.EPROTO, "too much data without an SSH greeting")
        if len(data) > bufsize:
            data, self._ahead = data[:bufsize], data[bufsize:]
        return data

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """Write what fits, waiting no longer than to the deadline."""
        while self.deadline is not None:
            self._wait(select.POLLOUT)
            try:
                return super().send(data, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
        return super().send(data, flags)

    def _wait(self, event: int) -> None:
        number = self.fileno()
        if number < 0:
            raise OSError(errno.EBADF, "the socket is closed")
        poll = select.poll()
        poll.register(number, event)
        while True:
            deadline = self.deadline
            if deadline is None:  # settled meanwhile
                return
            left = deadline - time.monotonic()
            if left <= 0:
                self.expired = True
                # Not a TimeoutError: paramiko takes that for a reason to try again.
                raise ConnectionAbortedError(errno.ECONNABORTED, "the time to connect is over")
            if poll.poll(left * 1000 + 1):
                return

    def round_trip(self) -> float | None:
        """Seconds of the shortest round trip the system has seen, however busy this program is; None: not told."""
        if sys.platform != "linux":
            return None
        try:
            info = self.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SHORTEST + 4)
        except OSError:
            return None
        return float(struct.unpack_from("I", info, _SHORTEST)[0]) / 1e6 if len(info) == _SHORTEST + 4 else None

    def said(self) -> str:
        """Nothing: there is no program in between."""
        return ""

    def sever(self) -> None:
        """Cut the connection, waking whoever reads or writes; from any thread, any number of times."""
        try:
            self.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is cut already

    def close(self) -> None:
        """Sever; the descriptor is closed by its owner, when that ends.

        Closing it under the owner would not wake it, and the number might be another file's when it looks next.
        """
        self.sever()
        owner = self.owner
        if owner is None or not owner.is_alive() or owner is threading.current_thread():
            super().close()
