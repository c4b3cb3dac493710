"""Short-lived programs of this machine that a connection asks on its way: ssh -G, a KnownHostsCommand."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
from collections.abc import Sequence

_running: set[int] = set()


def run(words: Sequence[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return what it printed. Raises OSError, and TimeoutExpired with it and all that it
    started killed.

    It leads a session of its own: a Ctrl-C at the terminal is for this process to answer, not for the program, whose
    sudden end would pass for its answer. What still runs when this process ends is killed.
    """
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    _running.add(process.pid)
    try:
        said, complaint = process.communicate(timeout=max(timeout, 0.001))
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()  # but not for the end of what it printed: who left its session may hold that open
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        _running.discard(process.pid)
    return subprocess.CompletedProcess(words, process.returncode, said, complaint)


def ended(status: int) -> str:
    """How a program ended that did not end well."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


@atexit.register
def _kill_all() -> None:
    for pid in tuple(_running):
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:  # it has just ended
            pass
