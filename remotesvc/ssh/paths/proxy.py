"""ProxyCommand: a program of the user's whose input and output are the connection."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading

from ..noise import Noise
from .socket import TunedSocket

GRACE = 1.0
"""Seconds between asking the program to end and killing it."""

SAID = 8 * 1024
"""Bytes of its stderr that are kept, from the beginning and from the end each."""

_PIPE = 64 * 1024
"""Bytes that a pipe holds: one read takes all that is in it."""


class CommandSocket(TunedSocket):
    """Our end of a socket whose other end is the program's stdin and stdout."""

    process: subprocess.Popen[bytes]
    _noise: Noise
    _listener: threading.Thread
    _end_of_it: int = -1
    """A pipe, whose closing tells the listener that the program is gone: a child of it may hold stderr."""

    @classmethod
    def start(cls, command: str, deadline: float) -> CommandSocket:
        """Run `command`, in which tokens are expanded, as ssh does: by the user's shell. Raises OSError."""
        ours, theirs = socket.socketpair()
        sock = cls(fileno=ours.detach())
        told = -1
        try:
            told, sock._end_of_it = os.pipe()
            with theirs:
                sock.process = subprocess.Popen(
                    [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    start_new_session=True,
                )
        except OSError:
            theirs.close()
            TunedSocket.close(sock)
            if told >= 0:
                os.close(told)
                os.close(sock._end_of_it)
            raise
        sock._noise = Noise(SAID, SAID)
        sock._listener = threading.Thread(target=sock._listen, args=(told,), name="remotesvc-proxy", daemon=True)
        sock._listener.start()
        sock.deadline = deadline
        return sock

    def said(self) -> str:
        """What the program wrote to stderr, once it has ended; so far, if it goes on."""
        self._listener.join(GRACE / 2)
        return self._noise.text()

    def _listen(self, told: int) -> None:
        stderr = self.process.stderr
        assert stderr is not None
        poll = select.poll()
        poll.register(stderr, select.POLLIN)
        poll.register(told, select.POLLIN)
        try:
            with stderr:
                while True:
                    ready = [number for number, _ in poll.poll()]
                    data = os.read(stderr.fileno(), _PIPE) if stderr.fileno() in ready else b""
                    self._noise.add(data)
                    if not data or told in ready:
                        return
        finally:
            os.close(told)

    def close(self) -> None:
        """Sever; the owner also ends the program."""
        super().close()
        if self.fileno() < 0:
            self._end()

    def _end(self) -> None:
        if self.process.returncode is None:
            for number in (signal.SIGHUP, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, number)
                except (ProcessLookupError, PermissionError):
                    pass
                try:
                    self.process.wait(GRACE)
                    break
                except subprocess.TimeoutExpired:
                    continue
        pipe, self._end_of_it = self._end_of_it, -1
        if pipe >= 0:
            os.close(pipe)
        self._listener.join(GRACE)
