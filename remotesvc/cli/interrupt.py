"""Ctrl-C, and the signals of whoever ends programs: the first asks for the end and keeps what arrived, the second
leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from remotesvc.fleet.gather import Stop

from .exitcodes import of_signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; `kill`, `timeout` and service managers; a terminal that was closed."""


class Interrupts:
    """While entered, each of SIGNALS means `stop.request()`; `count` says how often one came, `code` what to exit with
    then.

    An exception out of a signal handler would tear whatever the main thread is doing, a half-written result
    included, so none is raised. The second signal ends the process without asking anybody: the kernels on the
    targets see their links close and go. Before that `leave` is called, in the signal handler, and the terminal gets
    back the settings it had: a question for a password may have turned its echo off.
    """

    def __init__(self, stop: Stop, leave: Callable[[], object] = lambda: None) -> None:
        self._stop = stop
        self._leave = leave
        self._restore: Callable[[], object] = lambda: None
        self._before: dict[signal.Signals, Any] = {}
        self.count = 0
        self.code = 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._restore = terminal_restorer()
            for number in SIGNALS:
                # Where it is ignored on purpose (nohup, a background job of a script), it stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.code = self.code or of_signal(number)
        if self.count > 1:
            self._restore()
            self._leave()
            os._exit(self.code)
        self._stop.request()


def terminal_restorer() -> Callable[[], object]:
    """What gives the terminal on standard input the settings it has now; does nothing where there is none."""
    if sys.stdin is None or not sys.stdin.isatty():
        return lambda: None
    import termios

    try:
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (OSError, ValueError, termios.error):  # it is no terminal after all
        return lambda: None

    def restore() -> None:
        with suppress(termios.error, OSError):  # the terminal is gone
            if os.tcgetpgrp(number) == os.getpgrp():  # in the background it is another's, and we would be stopped
                termios.tcsetattr(number, termios.TCSANOW, before)

    return restore
