"""A program that an embedded SSH server runs for a client, and the channel that it talks through."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import IO

import paramiko

CHUNK = 32768
"""Bytes moved at a time: what a packet of SSH holds."""


class Program:
    """A program and its channel. Each `pump_` method and `wait` is for a thread of its own."""

    def __init__(self, channel: paramiko.Channel, command: bytes) -> None:
        self.channel = channel
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._open_streams = 2
        self._drained = threading.Event()

    def pump_input(self) -> None:
        """Channel to stdin, until the client closes its side."""
        stdin = self.process.stdin
        assert stdin is not None
        try:
            while data := self.channel.recv(CHUNK):
                view = memoryview(data)
                while view:
                    view = view[stdin.write(view) :]
        except (OSError, EOFError, paramiko.SSHException):
            pass  # the program reads no more; or the connection is gone, which grants the client no more
        finally:
            with contextlib.suppress(OSError):
                stdin.close()

    def pump_output(self) -> None:
        """Stdout to the channel."""
        self._pump(self.process.stdout, self.channel.sendall)

    def pump_errors(self) -> None:
        """Stderr to the channel's other stream."""
        self._pump(self.process.stderr, self.channel.sendall_stderr)

    def _pump(self, pipe: IO[bytes] | None, send: Callable[[bytes], None]) -> None:
        assert pipe is not None
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException), pipe:
            while data := pipe.read(CHUNK):
                send(data)
        with self._lock:
            self._open_streams -= 1
            last = not self._open_streams
        if last:
            # As sshd does: the end of output is told when both are over, whether or not the program lives on.
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self.channel.shutdown_write()
            self._drained.set()

    def wait(self) -> None:
        """When the program has ended and all it wrote is sent, tell the status and close the channel."""
        status = self.process.wait()
        self._drained.wait()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            # A shell's word for a signal: paramiko cannot send SSH's own.
            self.channel.send_exit_status(status if status >= 0 else 128 - status)
            self.channel.close()

    def kill(self) -> None:
        """End the program and what it started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
