"""Connecting by the `ssh` program: asked for the configuration, started, tried again where a server is busy."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from collections.abc import Callable

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout
from remotesvc.launch.times import note_times

from ..busy import BUSY, LONGEST_PAUSE, RETRIES, patient_until
from ..configuration.options import SSHOptions
from ..configuration.ssh_says import Answers
from ..hostkeys.known_hosts import KnownHosts
from ..login.keyring import KeyRing
from . import errors as openssh_errors
from . import plan as openssh_plan
from .askpass import AskpassServer
from .path import OpenSSHPath
from .plan import OpenSSHHost
from .replies import Replies, Secretary

FIRST_PAUSE = 0.2
"""Seconds before a busy server is asked again, at most; doubled each time."""


def open(
    options: SSHOptions,
    command_for: Callable[[OpenSSHHost], str],
    deadline: float,
    phases: dict[str, float],
    secretary: Secretary,
    note: Callable[[str], object],
    answers: Answers,
) -> OpenSSHPath:
    """Connect, log in and have a program run, before `deadline` (monotonic; `phases["asked"]` comes on top).

    `command_for` is asked for the command line; `note` is told what a person is to do, such as to touch a key;
    `answers` has what ssh says of hosts. Raises UsageError for what ssh cannot be told, and the ConnectErrors that
    `ssh.open` does; no process is left then.
    """
    started = time.monotonic()
    program = shutil.which("ssh")
    if program is None:
        raise UsageError("transport openssh needs OpenSSH's client, ssh, and there is none on the PATH")
    options.check_files()
    try:
        values = answers.ask(program, options, deadline - started)
        try:
            host = openssh_plan.describe(options, values)
        except UsageError as error:
            raise ConnectError(f"ssh_config does not make sense: {error}", options.host, "config") from error
        known = KnownHosts(host.known_hosts)
        phases["config"] = time.monotonic() - started
        asks = secretary.questions is not None and values.get("batchmode") != ["yes"]
        replies = None
        if asks or options.password is not None or options.passphrase is not None:
            marks = host.direct or openssh_plan.marks_questions(values)
            replies = Replies(options, secretary if asks else Secretary(KeyRing()), marks)

        def attempt() -> OpenSSHPath:
            askpass = AskpassServer(replies)
            try:
                argv = openssh_plan.command_line(program, options, values, openssh_plan.stricter(host, known),
                                                 askpass.log_path, replies is not None, command_for(host))
            except BaseException:  # Ctrl-C, too: nobody else has its server yet
                os.close(askpass.log)
                askpass.close()
                raise
            return _attempt(argv, host, known, askpass, options.password is not None, deadline, phases, note)

        return _patiently(attempt, deadline)
    except ConnectError as error:
        note_times(error, started, phases)
        raise


class _Busy(Exception):
    """A server turned us away before anything was said of the user."""

    def __init__(self, error: ConnectError, said: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.said = said
        """It said that it has no room; else it was silent."""


def _patiently(attempt: Callable[[], OpenSSHPath], deadline: float) -> OpenSSHPath:
    """Ask a busy server again, after random pauses that grow, while there is time. As the other transport."""
    patience = patient_until(time.monotonic(), deadline)
    said, longest = False, FIRST_PAUSE
    for count in itertools.count():
        try:
            return attempt()
        except _Busy as busy:
            said = said or busy.said
            pause = random.uniform(0, longest)
            longest = min(2 * longest, LONGEST_PAUSE)
            at = time.monotonic() + pause
            if at >= (patience if said else deadline) or (count == RETRIES and not said):
                raise busy.error from None
            time.sleep(pause)
    raise AssertionError("not reached")


def _attempt(
    argv: list[str], host: OpenSSHHost, known: KnownHosts, askpass: AskpassServer, secrets: bool, deadline: float,
    phases: dict[str, float], note: Callable[[str], object],
) -> OpenSSHPath:
    try:
        path = OpenSSHPath(argv, host, askpass)
        try:
            if path.log_in(askpass, deadline + phases.get("asked", 0.0), note):
                path.progress.phases["exec"] = time.monotonic() - path.asked - path.progress.since
                return path
            error = path.failure(known, secrets)
            if openssh_errors.busy(path.progress) and not isinstance(error, ConnectTimeout) and host.direct:
                raise _Busy(error, any(line.startswith(BUSY) for line in path.progress.greeting))
            raise error
        except BaseException:  # Ctrl-C, too: the program must not go on
            path.abandon()
            raise
        finally:
            phases.update(path.progress.phases)
            if path.asked:
                phases["asked"] = phases.get("asked", 0.0) + path.asked
    finally:
        askpass.close()
