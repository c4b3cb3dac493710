"""What the tests of calls share: ears for what targets say, and waiting for a fact."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from remotesvc import Context, LogEvent, OutputEvent
from tests.kernel import called

LIMIT = 30.0
"""Seconds that a test waits for what has to happen: many times what it takes, for a machine that is busy."""

PROMISED = 2.0
"""Seconds in which whatever a dead master has left behind has to be gone."""


class Heard:
    """What targets printed and logged so far."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.output: list[OutputEvent] = []
        self.logs: list[LogEvent] = []

    def on_output(self, event: OutputEvent) -> None:
        with self._changed:
            self.output.append(event)
            self._changed.notify_all()

    def on_log(self, event: LogEvent) -> None:
        with self._changed:
            self.logs.append(event)
            self._changed.notify_all()

    def text(self, stream: str = "stdout") -> str:
        return "".join(event.data for event in self.output if event.stream == stream)

    def wait_until(self, holds: Callable[[], bool], seconds: float = LIMIT) -> None:
        """Wait until what was heard fulfils a condition."""
        with self._changed:
            assert self._changed.wait_for(holds, seconds), (self.output[-5:], self.logs[-5:])


STARVED = 0.1
"""Seconds that a pause may last longer than asked for; what is beyond that passed while this process did not run."""


def until(holds: Callable[[], object], seconds: float = LIMIT, what: str = "") -> float:
    """Wait until something is so that nobody tells us of; returns how long it took.

    The time for which this process itself was starved of the processor is not counted: whoever we wait for had none of
    it, either, or we were late to look.
    """
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what or holds}"
        paused = time.monotonic()
        time.sleep(0.005)
        begun += max(0.0, time.monotonic() - paused - STARVED)
    return time.monotonic() - begun


def runs_out(call: Callable[[float], object], begun: Path, seconds: float = 1.0) -> None:
    """Make a call that runs into its timeout, ``call(timeout)``, after it has begun, as a file tells.

    On a busy machine the time may be over before the call has begun: such a one is made again, with more time.
    """
    call(seconds)
    while not begun.exists():
        assert seconds < LIMIT, f"it has not begun within {seconds} s"
        seconds *= 4
        call(seconds)


def appears(path: Path | str, seconds: float = LIMIT) -> None:
    """Wait until a file is there."""
    until(lambda: os.path.exists(path), seconds, f"{path} is there")


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not collected does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def gone(pid: int, seconds: float = LIMIT) -> float:
    """Wait until a process has ended; returns how long it took."""
    return until(lambda: not alive(pid), seconds, f"process {pid} has ended")


def end(pid: int) -> None:
    """End a process that a test started on purpose."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    gone(pid)


def usable(context: Context) -> None:
    assert context.options(timeout=LIMIT).call(called.add, 1, 1) == 2


def hasten(context: Context, ping: float, lost: float, busy: float) -> None:
    """Shorter limits for the silence of a context, in seconds."""
    link = context.tree.router.links[context.id]
    link.ping_after, link.lost_after, link.busy_lost_after = ping, lost, busy
