"""Becoming another user by programs that no Debian has: a doas that puts us in its own place, asks again, never asks;
and by stand-ins, with every Python."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from remotesvc import BecomeError, ConnectTimeout, Router
from remotesvc.launch.become import BecomePath
from remotesvc.launch.terminal import Terminal
from tests.interpreters import Interpreter
from tests.kernel.contexts import until

pytest_plugins = ("tests.kernel.call_fixtures",)

PASSWORD = "correct horse"
ASK = "printf 'doas (me@here) password: ' >/dev/tty; read -r answer </dev/tty\n"
# What is behind "--", in its own place: as OpenBSD's doas does, no process of its own stays behind.
RUN = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"\n'


@pytest.fixture(name="program")
def fixture_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A doas of the test's own, first in PATH; what is written to it is what it does."""
    path = tmp_path / "doas"
    path.touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


def test_a_kernel_that_leads_its_session_survives_the_end_of_the_terminal(program: Path, router: Router) -> None:
    """The end of a terminal is a SIGHUP to the leader of its session."""
    program.write_text(f'#!/bin/sh\n{ASK}test "$answer" = "{PASSWORD}" || exit 1\n{RUN}')
    root = router.doas(password=PASSWORD)
    assert root.call("os:getsid", 0) == root.call("os:getpid")
    with pytest.raises(OSError):
        root.call("os:open", "/dev/tty", os.O_RDWR)
    assert root.call("subprocess:call", ["sh", "-c", "kill -HUP $$"]) == -signal.SIGHUP


def test_a_terminal_on_which_more_comes_together_with_the_kernel(
    program: Path, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link was lost: what was found at both was read at one, and the other was not listened to any more."""
    program.write_text(f"#!/bin/sh\n{ASK}echo welcome >/dev/tty\n{RUN}")
    answered = threading.Event()
    write, wait = Terminal.write, BecomePath.wait

    def answer(terminal: Terminal, text: str) -> None:
        write(terminal, text)
        answered.set()

    def late(path: BecomePath) -> Any:
        if answered.is_set():
            answered.clear()
            until(lambda: len(path._poll.poll(0)) == 2)
        return wait(path)

    monkeypatch.setattr(Terminal, "write", answer)
    monkeypatch.setattr(BecomePath, "wait", late)
    assert router.doas(password=PASSWORD).call("os:getpid")


def test_a_terminal_that_echoes_gives_nothing_away(program: Path, router: Router) -> None:
    """This one does not switch echo off before it asks."""
    program.write_text(f"#!/bin/sh\n{ASK}echo 'doas: Authentication failed' >&2; exit 1\n")
    with pytest.raises(BecomeError, match="the password is wrong") as caught:
        router.doas(password=PASSWORD)
    assert caught.value.diagnostics == "doas: Authentication failed"


def test_a_program_that_asks_again_is_hung_up_on(program: Path, router: Router, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "end")
    program.write_text(f"#!/bin/sh\ntrap 'echo hung up >{tmp_path}/end; exit' HUP\n"
                       f"while {ASK}do echo \"$answer\" >>{tmp_path}/log; done\n")
    with pytest.raises(BecomeError, match="the password is wrong"):
        router.doas(password=PASSWORD)
    assert (tmp_path / "end").read_text() == "hung up\n"
    assert (tmp_path / "log").read_text() == f"{PASSWORD}\n"


def test_a_program_that_says_nothing_has_as_long_as_connecting_may_take(program: Path, router: Router) -> None:
    program.write_text("#!/bin/sh\nread -r answer </dev/tty\n")
    with pytest.raises(ConnectTimeout):
        router.doas(password=PASSWORD, connect_timeout=1)


def test_a_timeout_shows_nothing_of_a_prompt_of_ours(program: Path, router: Router) -> None:
    sudo = program.with_name("sudo")
    sudo.write_text("#!/bin/sh\nprintf '%s' \"$3\" >&2\nread -r answer\necho ' then nothing' >&2\nexec sleep 60\n")
    sudo.chmod(0o755)
    with pytest.raises(ConnectTimeout) as caught:
        router.sudo(password=PASSWORD, connect_timeout=1)
    assert caught.value.diagnostics == "[prompt] then nothing"


def test_files_in_the_current_directory_are_not_modules(
    program: Path, router: Router, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write where we happen to be does not run code as root."""
    program.write_text(f"#!/bin/sh\n{ASK}{RUN}")
    program.with_name("sudo").write_text(f"#!/bin/sh\n{RUN}")
    program.with_name("sudo").chmod(0o755)
    trap = program.with_name("trap")
    trap.mkdir()
    for name in ("os", "select", "_signal", "binascii", "zlib"):
        (trap / f"{name}.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(trap)
    for there in (router.doas(password=PASSWORD, python=interpreter.path), router.sudo(python=interpreter.path)):
        assert there.call("os:getcwd") == str(trap)
