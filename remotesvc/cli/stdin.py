"""Standard input of a command, which only one thing can have: what read it second would find nothing, and say so to
nobody."""

from __future__ import annotations

import os
import select
import sys
import threading

import click

from remotesvc.bootstrap.errors import Cancelled

from .problems import BadUsage

_TAKEN = "remotesvc.stdin"
_CHUNK = 128 * 1024
"""Bytes of one read: eight fit into the window of a sender of messages, so that reading and sending overlap."""

_LOOK = 0.5
"""Seconds between two looks whether a push that waits for more is still wanted."""


def take_stdin(what: str, whole: bool = True) -> None:
    """Say that `what` reads standard input: to its end, or with `whole` false only lines in front of the rest.

    Raises BadUsage if something else has read it to its end.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    taken = context.meta.get(_TAKEN, what)
    if taken != what:
        raise BadUsage(f"standard input cannot be both {taken} and {what}")
    if whole:
        context.meta[_TAKEN] = what


class StandardInput:
    """Standard input as bytes, for a thread that may have to be called back while it waits for more.

    A thread that waits in `sys.stdin` cannot be: it has that object's lock, and Python, which wants it when it ends,
    aborts with a core dump. So it must not have been read through that object, which may have read ahead.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._stopped, self._stop = os.pipe()
        self._lock = threading.Lock()

    def read(self, size: int = _CHUNK) -> bytes:
        """What is there, `size` bytes at most, waiting until something is; nothing at the end. Cancelled once
        `stop` was called."""
        while (piece := self.piece(size, None)) is None:
            pass
        return piece

    def piece(self, size: int, seconds: float | None) -> bytes | None:
        """What `read` gives; None where nothing has come in so many seconds, or somebody else has taken it."""
        ready, _, _ = select.select([self._fd, self._stopped], [], [], seconds)
        if self._stopped in ready:
            raise Cancelled("standard input is not wanted any more")
        try:
            return os.read(self._fd, min(size, _CHUNK)) if ready else None
        except BlockingIOError:  # somebody who has it, too, does not wait, and was faster
            return None

    def stop(self) -> None:
        """Nobody wants the rest: `read` returns at once, now and from now on, with Cancelled. Idempotent."""
        with self._lock:
            if self._stop >= 0:
                os.close(self._stop)
                self._stop = -1


class PatientInput:
    """Standard input as the source of a push, which looks now and then whether it is still wanted."""

    patient = True

    def __init__(self) -> None:
        self._input = StandardInput()

    def read(self, size: int = _CHUNK) -> bytes | None:
        """What is there, `size` bytes at most; nothing at the end; None where nothing has come for a while."""
        return self._input.piece(size, _LOOK)
