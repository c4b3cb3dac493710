"""Ctrl-C: the first asks for the end and keeps what arrived, the second leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from remotesvc.cli.exitcodes import INTERRUPTED
from remotesvc.fleet.gather import Stop


class Interrupts:
    """While entered, SIGINT means `stop.request()`; `count` says how often it came.

    An exception out of a signal handler would tear whatever the main thread is doing, a half-written result
    included, so none is raised. The second SIGINT ends the process without asking anybody: the kernels on the
    targets see their links close and go. Before that `leave` is called, in the signal handler, and the terminal gets
    back the settings it had: a question for a password may have turned its echo off.
    """

    def __init__(self, stop: Stop, leave: Callable[[], object] = lambda: None) -> None:
        self._stop = stop
        self._leave = leave
        self._restore: Callable[[], object] = lambda: None
        self._before: Any = None
        self._installed = False
        self.count = 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            # Where it is ignored on purpose (nohup, a background job of a script), it stays ignored.
            if self._before is not signal.SIG_IGN:
                self._restore = terminal_restorer()
                signal.signal(signal.SIGINT, self._on_signal)
                self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            self._restore()
            self._leave()
            os._exit(INTERRUPTED)
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
