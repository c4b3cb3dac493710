"""What one connection asks a person, and the time that takes, which is nobody's fault: deadlines move by as much."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .paths.socket import Stream
    from .terminal import Questions

MOST_PATIENCE = 3600.0
"""Seconds a question may stay open. Servers give up earlier (LoginGraceTime, 120 s by default)."""


class _Answer:
    """To one question. The lock is held while it is put."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.given: bool | None = None
        self.waited_for = 0


class Asking:
    """How long somebody has been asked by any of the connections of a router, for others wait for what comes of it; and
    what was answered about things that several of them come upon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, _Answer] = {}
        self._open = 0
        self._since = 0.0
        self._seconds = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._open:
                self._since = time.monotonic()
            self._open += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._open -= 1
            if not self._open:
                self._seconds += time.monotonic() - self._since

    def once(self, about: Hashable, ask: Callable[[], bool]) -> bool:
        """What `ask` says, or another connection was told that asked about the same: yes for good, no if we wait for
        the same answer. A later attempt may be another decision."""
        with self._lock:
            answer = self._answers.setdefault(about, _Answer())
            answer.waited_for += 1
        try:
            with answer.lock:
                if answer.given is None:
                    answer.given = ask()
                return answer.given
        finally:
            with self._lock:
                answer.waited_for -= 1
                if not answer.given and not answer.waited_for:
                    del self._answers[about]

    def seconds(self) -> float:
        """Seconds with a question open, up to now."""
        with self._lock:
            return self._seconds + (time.monotonic() - self._since if self._open else 0.0)


class Interview:
    """What one connection asks. `seconds` is how long the answers took, which is nobody's fault: the socket's
    deadline moves by as much, and whoever holds the connection's deadline adds it, too. `called` is the host as its
    user named it; "" if that is not known.
    """

    def __init__(self, questions: Questions | None, socket: Stream | None = None, asking: Asking | None = None,
                 called: str = "") -> None:
        self._questions = questions
        self._socket = socket
        self._asking = asking or Asking()
        self.called = called
        self.seconds = 0.0

    @property
    def possible(self) -> bool:
        """Whether there is anybody to ask."""
        return self._questions is not None

    def confirm(self, question: str, about: Hashable) -> bool:
        """The answer; False if there is nobody. Of all connections of a router one asks about the same."""
        questions = self._questions
        if questions is None:
            return False
        with self.patience(), self._asking:
            return self._asking.once(about, lambda: questions.confirm(question))

    def secret(self, prompt: str) -> str | None:
        """The answer; None if there is nobody or none."""
        with self.patience(), self._asking:
            return None if self._questions is None else self._questions.secret(prompt)

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """What is waited for in here is an answer, be it to what another connection asks."""
        started = time.monotonic()
        socket = self._socket
        deadline = None if socket is None else socket.deadline
        if socket is not None and deadline is not None:
            socket.deadline = deadline + MOST_PATIENCE
        try:
            yield
        finally:
            waited = time.monotonic() - started
            self.seconds += waited
            if socket is not None and deadline is not None:
                socket.deadline = deadline + waited
