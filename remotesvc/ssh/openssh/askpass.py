"""What `ssh` asks arrives here: its SSH_ASKPASS helper is a few lines that pass the question to this process.

The helper, a socket and the log of one ssh lie in a directory that only this user may enter, and which is gone once the
login is over. Secrets cross the socket; they are in no file, argument or environment.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
import time

from remotesvc.escape import neutralise

from .replies import Asked, Replies

LONGEST = 16 * 1024
"""Bytes of a question; a server's part of one may be long."""

PATIENCE = 5.0
"""Seconds the helper has to say what it was asked: it does nothing else."""

_HELPER = """\
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.path.join(os.path.dirname(sys.argv[1]), "ask"))
s.sendall(os.fsencode(os.environ.get("SSH_ASKPASS_PROMPT", "") + "\\0" + sys.argv[2]))
s.shutdown(socket.SHUT_WR)
d = b""
while True:
    c = s.recv(4096)
    if not c:
        break
    d += c
if d[:1] != b"+":
    sys.exit(1)
os.write(1, d[1:])
"""

# Longer paths are refused for sockets: 104 bytes on macOS, 108 on Linux, "/ask" and the end included.
_LONGEST_PATH = 96


class AskpassServer:
    """Where one ssh's questions arrive, and its log. `close` takes all of it away."""

    def __init__(self, replies: Replies | None) -> None:
        base = tempfile.gettempdir()
        self._directory = tempfile.mkdtemp(prefix="remotesvc-", dir=base if len(base) < _LONGEST_PATH - 24 else "/tmp")
        self._replies = replies
        self._listener: socket.socket | None = None
        self._waiting: dict[int, socket.socket] = {}
        self.log_path = os.path.join(self._directory, "log")
        try:
            os.mkfifo(self.log_path, 0o600)
            if replies is not None:
                self._listen()
            # Open for writing, too: else it would end whenever there is no writer. The caller closes it.
            self.log = os.open(self.log_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except BaseException:  # Ctrl-C, too: the directory and the socket are to go
            self.close()
            raise

    def _listen(self) -> None:
        helper = os.path.join(self._directory, "askpass")
        line = " ".join(map(shlex.quote, [sys.executable or "python3", "-ISEc", _HELPER]))
        with open(helper, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f'#!/bin/sh\nexec {line} "$0" "$1"\n')
        os.chmod(helper, 0o700)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.path.join(self._directory, "ask"))
        self._listener.listen(8)

    def environment(self) -> dict[str, str]:
        """The environment for ssh: it asks us, or nobody, and never a display or a terminal."""
        env = dict(os.environ)
        refuse = shutil.which("false") or "/bin/false"
        env["SSH_ASKPASS"] = os.path.join(self._directory, "askpass") if self._listener else refuse
        env["SSH_ASKPASS_REQUIRE"] = "force"
        env.setdefault("DISPLAY", "none")  # without one, OpenSSH before 8.4 asks no helper
        return env

    def fds(self) -> list[int]:
        """What to poll for reading; `attend` whatever is ready."""
        return ([self._listener.fileno()] if self._listener else []) + list(self._waiting)

    @property
    def waiting(self) -> bool:
        """Is a person to do something, such as to touch a key?"""
        return bool(self._waiting)

    def attend(self, fd: int, method: str) -> tuple[float, str]:
        """Answer who is at `fd`. Returns the seconds it took, and what to tell the user if no answer is wanted."""
        if fd in self._waiting:  # ssh has ended the helper: it was done
            self._waiting.pop(fd).close()
            return 0.0, ""
        assert self._listener is not None
        connection = self._listener.accept()[0]
        started = time.monotonic()
        try:
            asked = _read(connection)
            if asked.kind == "none":
                self._waiting[connection.fileno()] = connection
                return 0.0, neutralise(asked.text)
            answer = self._replies.to(asked, method) if self._replies else None
            if answer is not None:
                connection.sendall(b"+" + answer.encode("utf-8", "surrogateescape") + b"\n")
        except OSError:  # the helper is gone: ssh has given up
            pass
        finally:
            if connection.fileno() not in self._waiting:
                connection.close()
        return time.monotonic() - started, ""

    def close(self) -> None:
        """Remove everything but the log, which whoever reads it closes. Idempotent."""
        for connection in self._waiting.values():
            connection.close()
        self._waiting.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        shutil.rmtree(self._directory, ignore_errors=True)


def _read(connection: socket.socket) -> Asked:
    connection.settimeout(PATIENCE)
    data = b""
    while len(data) < LONGEST and (part := connection.recv(4096)):
        data += part
    kind, _, text = data.decode("utf-8", "replace").partition("\0")
    return Asked(kind, text)
