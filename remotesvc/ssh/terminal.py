"""Questions to the person at the terminal, one at a time: is this the right host, what opens this key?

Whoever embeds this program may answer in another way: anything with the two methods of `Questions` will do.
"""

from __future__ import annotations

import contextlib
import getpass
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

TRIES = 3
"""How often a question is put to somebody who says neither yes nor no. After that it is no."""

# A process has one terminal, however many hosts are being connected to.
_one_at_a_time = threading.Lock()


class Questions(Protocol):
    """Somebody who answers. Called on connecting threads; what is shown is free of control characters."""

    def confirm(self, question: str) -> bool:
        """Show a question and return the answer."""

    def secret(self, prompt: str) -> str | None:
        """Ask for a text that is not shown; None if there is no answer."""


Alone = Callable[[str], contextlib.AbstractContextManager[object]]


class Terminal:
    """The person at the terminal this process was started from. Whoever else writes there gives `alone`, which is
    entered with each question while it is open, and keeps away from the terminal meanwhile.
    """

    def __init__(self, alone: Alone = contextlib.nullcontext) -> None:
        self._alone = alone

    def confirm(self, question: str) -> bool:
        """Ask on stderr for one of the whole words "yes" and "no"; the end of input is no."""
        prompt = question + " [yes/no] "
        with _one_at_a_time, self._alone(prompt):
            for _ in range(TRIES):
                answer = _line(prompt)
                if answer in ("yes", "no"):
                    return answer == "yes"
                if answer is None:
                    break
                prompt = "Please type yes or no: "
            return False

    def secret(self, prompt: str) -> str | None:
        """Ask without echo; None at the end of input."""
        with _one_at_a_time, self._alone(prompt), _echo_kept():
            try:
                return getpass.getpass(prompt)
            except EOFError:
                return None


def _line(prompt: str) -> str | None:
    """What is typed, up to Enter, in lower case; None at the end of input."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if not typed.endswith("\n"):  # nobody pressed Enter
        sys.stderr.write("\n")
        sys.stderr.flush()
    return typed.strip().lower() if typed else None


@contextlib.contextmanager
def _echo_kept() -> Iterator[None]:
    """Restore the terminal even if this process ends in the middle of the question, asked on a daemon thread."""
    import atexit
    import termios

    try:
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (OSError, ValueError, termios.error):  # no terminal: nothing that could stay changed
        yield
        return

    def restore() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(number, termios.TCSANOW, before)

    atexit.register(restore)
    try:
        yield
    finally:
        atexit.unregister(restore)


def find(alone: Alone = contextlib.nullcontext) -> Terminal | None:
    """The terminal, if somebody sits at one: stdin and stderr both lead there."""
    if sys.stdin is None or sys.stderr is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return Terminal(alone)
