"""The byte path through the `ssh` program that is installed here: whatever that can do, this can.

One process a context. Its log (`-E`, level DEBUG1) says how far it came, so the stages have their times and errors
their types; its stdin and stdout are the byte path; what it asks, `askpass` takes and `replies` answers.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from remotesvc.bootstrap.errors import Lost
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.launch.process import STATUS_WAIT, ProcessPath

from ..hostkeys.known_hosts import KnownHosts
from ..interview import MOST_PATIENCE
from . import errors as openssh_errors
from .askpass import AskpassServer
from .log import Progress
from .plan import OpenSSHHost

LOG_READ = 64 * 1024
"""Bytes of one read of the log: all that a pipe holds."""


@dataclass(frozen=True)
class OpenSSHPeer:
    """Who is at the other end, as far as ssh tells: of a connection that was there already, it tells nothing."""

    host: OpenSSHHost
    host_key_type: str
    fingerprint: str
    version: str
    notices: tuple[str, ...]


class OpenSSHPath(ProcessPath):
    """The byte path to a program that `ssh` runs on another machine."""

    def __init__(self, argv: list[str], host: OpenSSHHost, askpass: AskpassServer) -> None:
        self.host = host
        self._log = askpass.log
        self._began = time.monotonic()
        self._asked = 0.0
        self.progress = Progress(self._began)
        try:
            super().__init__(argv, host.name, askpass.environment())
        except BaseException:  # Ctrl-C, too: there is no object yet that somebody could close
            os.close(self._log)
            raise
        self._reading = iter([*self._reading, self._log])
        self.listen(self._log, self._read_log)

    @property
    def peer(self) -> OpenSSHPeer:
        """Whom we are connected to."""
        progress = self.progress
        notices = openssh_errors.notices(progress)
        return OpenSSHPeer(self.host, progress.key_type, progress.fingerprint, progress.version, notices)

    @property
    def asked(self) -> float:
        """Seconds that a person took to answer."""
        return self._asked

    def log_in(self, askpass: AskpassServer, deadline: float, note: Callable[[str], object]) -> bool:
        """Attend to ssh until it has asked for the program to be run; False if it ended before. `note` is told what a
        person is to do. Raises ConnectTimeout at `deadline` (monotonic; the time that answers take does not count).
        """
        poll = select.poll()
        poll.register(self._read_fd, 0)  # only its end: what the program prints is for the link
        listening: set[int] = set()
        stderr_open, over = True, False
        poll.register(self._log, select.POLLIN)
        poll.register(self._stderr, select.POLLIN)
        touching = 0.0
        while not self.progress.running and not over:
            for fd in set(askpass.fds()) ^ listening:
                if fd in listening:
                    poll.unregister(fd)
                else:
                    poll.register(fd, select.POLLIN)
            listening = set(askpass.fds())
            left = deadline + self._asked - time.monotonic() + (MOST_PATIENCE if askpass.waiting else 0.0)
            if left <= 0:
                raise openssh_errors.late(self.progress, self.host, self.diagnostics())
            for fd, _event in poll.poll(1000 * left):
                if fd == self._read_fd:
                    over = True
                elif fd == self._stderr:
                    stderr_open = stderr_open and self._hear()
                    if not stderr_open:
                        poll.unregister(fd)
                elif fd in listening:
                    self._read_log()  # which says who it is that asks
                    spent, word = askpass.attend(fd, self.progress.method)
                    self._asked += spent
                    if word:
                        touching = time.monotonic()
                        note(word)
                    elif touching and not askpass.waiting:
                        self._asked += time.monotonic() - touching
                        touching = 0.0
            self._read_log()
        return self.progress.running

    def _read_log(self) -> None:
        try:
            while data := os.read(self._log, LOG_READ):
                self.progress.feed(data, time.monotonic() - self._asked)
        except BlockingIOError:
            pass

    def failure(self, known: KnownHosts, secrets: bool) -> ConnectError:
        """Why ssh ended before it had asked for the program to be run."""
        try:
            status: int | None = self._process.wait(STATUS_WAIT)
        except subprocess.TimeoutExpired:
            status = None
        self._read_log()
        self._hear_all()
        return openssh_errors.failure(self.progress, self.host, known, status, self.diagnostics(), secrets)

    def explain(self, host: str, noise: str) -> ConnectError | Lost | None:
        """Why there is no kernel, if ssh is the reason: says its log, the ``noise`` is of the other side."""
        return openssh_errors.broken(self.progress, self.host, self.exit_status())

    # -- on the reader's thread

    def _why(self, reason: str) -> str:
        why = super()._why(reason)
        status = self.exit_status()
        if reason == self.CLOSED or status is None or status < 0:
            return why
        self._read_log()
        lost = openssh_errors.hangup(self.progress) if status == 255 else ""
        return f"the connection was lost: {lost}" if lost else f"the remote program ended with status {status}"
