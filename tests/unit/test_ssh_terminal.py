"""Questions to a person: how long they may take, and what is left of the terminal."""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import pty
import sys
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from remotesvc.ssh.interview import Interview
from remotesvc.ssh.paths.socket import TunedSocket
from remotesvc.ssh.terminal import Terminal, find


class Slow:
    """Somebody who looks at the clock before he answers."""

    def __init__(self, sock: TunedSocket, clock: list[float]) -> None:
        self.socket = sock
        self.clock = clock
        self.left: list[float] = []

    def confirm(self, question: str) -> bool:
        return self.secret(question) == "yes"

    def secret(self, prompt: str) -> str | None:
        assert self.socket.deadline is not None
        self.left.append(self.socket.deadline - self.clock[0])
        self.clock[0] += 100
        return "yes"


def test_the_time_an_answer_takes_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with TunedSocket() as sock:
        sock.deadline = 1010.0
        person = Slow(sock, clock)
        interview = Interview(person, sock)
        assert interview.possible
        assert interview.confirm("really?", "it")
        assert sock.deadline == 1110.0
        assert interview.secret("what?") == "yes"
        assert sock.deadline == 1210.0
        assert interview.seconds == 200.0
        assert min(person.left) > 3600  # nothing strikes while he thinks


def test_where_nobody_is_there_is_no_answer() -> None:
    interview = Interview(None)
    assert not interview.possible
    assert not interview.confirm("really?", "it")
    assert interview.secret("what?") is None


@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False), (None, True), (True, None)])
def test_who_is_not_at_a_terminal_is_not_asked(
    stdin: bool | None, stderr: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class File(io.StringIO):
        def __init__(self, is_terminal: bool) -> None:
            super().__init__()
            self.is_terminal = is_terminal

        def isatty(self) -> bool:
            return self.is_terminal

    monkeypatch.setattr(sys, "stdin", None if stdin is None else File(stdin))
    monkeypatch.setattr(sys, "stderr", None if stderr is None else File(stderr))
    assert find() is None


@contextlib.contextmanager
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Both streams lead to a terminal; yields its other end. No fixture: pytest sets the streams anew after those."""
    ours, theirs = pty.openpty()
    with open(ours, "rb+", buffering=0), open(theirs, closefd=False) as stdin, open(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stderr", stderr)
        yield ours


@pytest.mark.parametrize(("answer", "expected"), [
    (b"yes\n", True), (b"YES\n", True), (b"no\n", False), (b"y\nyes\n", True), (b"\nNo\n", False), (b"\x04", False),
    (b"y\nSHA256:abc\nsure\n", False),
])  # fmt: skip
def test_only_yes_is_yes_and_what_is_neither_is_asked_again(
    answer: bytes, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_a_terminal(monkeypatch) as other_end:
        found = find()
        assert isinstance(found, Terminal)
        os.write(other_end, answer)
        assert found.confirm("Really?") is expected
        shown = b""
        while b"Really? [yes/no]" not in shown:  # what we typed comes first
            shown += os.read(other_end, 1000)


def test_whoever_else_writes_there_keeps_away_while_a_question_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    @contextlib.contextmanager
    def alone(prompt: str) -> Iterator[None]:
        happened.append(prompt)
        yield
        happened.append("over")

    monkeypatch.setattr(getpass, "getpass", happened.append)
    with at_a_terminal(monkeypatch) as other_end:
        found = find(alone)
        assert found is not None
        os.write(other_end, b"yes\n")
        assert found.confirm("Really?")
        found.secret("what? ")
    assert happened == ["Really? [yes/no] ", "over", "what? ", "what? ", "over"]


def test_a_terminal_left_in_the_middle_of_a_question_echoes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may end while a daemon thread asks: what it registered for the end is run here."""
    import atexit

    registered: list[object] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(atexit, "unregister", registered.remove)
    asking, answer = threading.Event(), threading.Event()

    def hidden(prompt: str) -> str:
        flags = termios.tcgetattr(sys.stdin.fileno())
        flags[3] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, flags)
        asking.set()
        answer.wait(10)
        return "hunter2"

    monkeypatch.setattr(getpass, "getpass", hidden)
    with at_a_terminal(monkeypatch) as other_end:
        thread = threading.Thread(target=Terminal().secret, args=("what?",))
        thread.start()
        assert asking.wait(10)
        (restore,) = registered
        assert not termios.tcgetattr(other_end)[3] & termios.ECHO
        restore()  # type: ignore[operator]
        assert termios.tcgetattr(other_end)[3] & termios.ECHO
        answer.set()
        thread.join(10)
    assert registered == []
