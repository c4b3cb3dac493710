"""SSH by the `ssh` program that is installed here: whatever it can do, this can.

One process a context. Its log (`-E`, level DEBUG1) says how far it came, so the stages have their times and errors
their types; its stdin and stdout are the byte path; what it asks, `askpass` answers.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from remotesvc.bootstrap.errors import Lost, UsageError
from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout
from remotesvc.launch.process import STATUS_WAIT, ProcessPath
from remotesvc.launch.times import note_times

from ..busy import LONGEST_PAUSE, RETRIES
from ..configuration.options import SSHOptions
from ..hostkeys.known_hosts import KnownHosts
from ..login.keyring import KeyRing
from ..terminal import MOST_PATIENCE
from . import config as openssh_config
from . import errors as openssh_errors
from . import plan as openssh_plan
from .askpass import Desk, Replies, Secretary
from .log import Progress
from .plan import OpenSSHHost

LOG_READ = 64 * 1024
"""Bytes of one read of the log: all that a pipe holds."""

FIRST_PAUSE = 0.2
"""Seconds before a busy server is asked again, at most; doubled each time. As the other transport."""


@dataclass(frozen=True)
class OpenSSHPeer:
    """Who is at the other end, as far as ssh tells; empty where a connection that was there carries the session."""

    host: OpenSSHHost
    host_key_type: str
    host_key: str
    version: str
    notices: tuple[str, ...]


class OpenSSHPath(ProcessPath):
    """The byte path to a program that `ssh` runs on another machine."""

    def __init__(self, argv: list[str], host: OpenSSHHost, desk: Desk) -> None:
        self.host = host
        self._log = desk.log
        self._began = time.monotonic()
        self._asked = 0.0
        self.progress = Progress(self._began)
        try:
            super().__init__(argv, host.name, desk.environment())
        except BaseException:  # Ctrl-C, too: there is no object yet that somebody could close
            os.close(self._log)
            raise
        self.listen(self._log, self._read_log)

    @property
    def peer(self) -> OpenSSHPeer:
        """Whom we are connected to."""
        progress = self.progress
        notices = openssh_errors.notices(progress)
        return OpenSSHPeer(self.host, progress.key_type, progress.key, progress.version, notices)

    @property
    def asked(self) -> float:
        """Seconds that a person took to answer."""
        return self._asked

    def log_in(self, desk: Desk, deadline: float, note: Callable[[str], object]) -> bool:
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
            for fd in set(desk.fds()) ^ listening:
                if fd in listening:
                    poll.unregister(fd)
                else:
                    poll.register(fd, select.POLLIN)
            listening = set(desk.fds())
            left = deadline + self._asked - time.monotonic() + (MOST_PATIENCE if desk.waiting else 0.0)
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
                    spent, word = desk.attend(fd, self.progress.method)
                    self._asked += spent
                    if word:
                        touching = time.monotonic()
                        note(word)
                    elif touching and not desk.waiting:
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

    def abandon(self) -> None:
        """End ssh now, whatever it is doing; for a path that was not started."""
        self.kill()
        self.close()
        self._process.wait()

    def explain(self, host: str) -> ConnectError | Lost | None:
        """Why there is no kernel, if ssh is the reason."""
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

    def drop_copies(self) -> None:
        """In a fork of this process."""
        if not self._reading_closed:
            os.close(self._log)
        super().drop_copies()

    def _close_reading(self) -> None:
        super()._close_reading()
        os.close(self._log)


def open(
    options: SSHOptions,
    command_for: Callable[[OpenSSHHost], str],
    deadline: float,
    phases: dict[str, float],
    secretary: Secretary,
    note: Callable[[str], object],
) -> OpenSSHPath:
    """Connect, log in and have a program run, before `deadline` (monotonic; `phases["asked"]` comes on top).

    `command_for` is asked for the command line; `note` is told what a person is to do, such as to touch a key. Raises
    UsageError for what ssh cannot be told, and the ConnectErrors that `ssh.open` does; no process is left then.
    """
    started = time.monotonic()
    program = shutil.which("ssh")
    if program is None:
        raise UsageError("transport openssh needs OpenSSH's client, ssh, and there is none on the PATH")
    for what, paths in (("key", options.key_filenames), ("certificate", options.certificates)):
        for path in paths:
            if not os.path.exists(os.path.expanduser(path)):
                raise UsageError(f"{what} file not found: {path}")
    try:
        values = openssh_config.ask(program, options, deadline - started)
        try:
            host = openssh_plan.describe(options, values)
        except UsageError as error:
            raise ConnectError(f"ssh_config does not make sense: {error}", options.host, "config") from error
        known = KnownHosts(host.known_hosts)
        phases["config"] = time.monotonic() - started
        asks = secretary.questions is not None and values.get("batchmode") != ["yes"]
        replies = None
        if asks or options.password is not None or options.passphrase is not None:
            replies = Replies(options, secretary if asks else Secretary(KeyRing()))

        def attempt() -> OpenSSHPath:
            desk = Desk(replies)
            try:
                argv = openssh_plan.command_line(program, options, values, host, openssh_plan.stricter(host, known),
                                                 desk.log_path, replies is not None, command_for(host))
            except BaseException:  # Ctrl-C, too: nobody else has the desk yet
                os.close(desk.log)
                desk.close()
                raise
            return _attempt(argv, host, known, desk, options.password is not None, deadline, phases, note)

        return _patiently(attempt, deadline)
    except ConnectError as error:
        note_times(error, started, phases)
        raise


class _Busy(Exception):
    """A server turned us away before anything was said of the user."""

    def __init__(self, error: ConnectError) -> None:
        super().__init__(str(error))
        self.error = error


def _patiently(attempt: Callable[[], OpenSSHPath], deadline: float) -> OpenSSHPath:
    """Ask a busy server again, after random pauses that grow, while there is time."""
    for count in range(RETRIES + 1):
        try:
            return attempt()
        except _Busy as busy:
            pause = random.uniform(0, min(FIRST_PAUSE * 2**count, LONGEST_PAUSE))
            if count == RETRIES or time.monotonic() + pause >= deadline:
                raise busy.error from None
            time.sleep(pause)
    raise AssertionError("not reached")


def _attempt(
    argv: list[str], host: OpenSSHHost, known: KnownHosts, desk: Desk, secrets: bool, deadline: float,
    phases: dict[str, float], note: Callable[[str], object],
) -> OpenSSHPath:
    try:
        path = OpenSSHPath(argv, host, desk)
        try:
            if path.log_in(desk, deadline + phases.get("asked", 0.0), note):
                path.progress.phases["exec"] = time.monotonic() - path.asked - path.progress.since
                return path
            error = path.failure(known, secrets)
            if openssh_errors.busy(path.progress) and not isinstance(error, ConnectTimeout) and host.direct:
                raise _Busy(error)
            raise error
        except BaseException:  # Ctrl-C, too: the program must not go on
            path.abandon()
            raise
        finally:
            phases.update(path.progress.phases)
            if path.asked:
                phases["asked"] = phases.get("asked", 0.0) + path.asked
    finally:
        desk.close()
