"""The leak check finds what it is for, and a run under CI fails on a skip it does not know."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import zones
from tests.kernel.contexts import until
from tests.leaks import RUN_ID, RUN_VARIABLE, Snapshot

WAIT = "import sys; sys.stdin.read()"
# Starts a program and leaves it behind, as a kernel does that leads a session of its own; prints its pid.
LEAVE_BEHIND = """
import subprocess, sys
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
left = subprocess.Popen(sys.argv[1:], start_new_session=True, **quiet)
print(left.pid, flush=True)
"""


@contextmanager
def left_behind(name: str, environment: dict[str, str], command: Sequence[str] = ()) -> Iterator[int]:
    """A program with that name among its arguments, whose parent is gone; it ends with this block. Or a command that
    starts it, with the name in NAME."""
    reader, writer = os.pipe()
    try:
        starter = subprocess.run(
            [sys.executable, "-c", LEAVE_BEHIND, *(command or [sys.executable, "-c", WAIT, name])],
            stdin=reader,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env={**environment, "NAME": name},
        )
        yield int(starter.stdout)
    finally:
        os.close(reader)
        os.close(writer)


def test_nothing_is_left_over_where_nothing_happened() -> None:
    assert Snapshot().left_over() == []


def test_a_thread_is_named() -> None:
    before = Snapshot()
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="a-thread-of-a-test", daemon=True)
    thread.start()
    (line,) = before.wait_until_gone(0.05)
    assert "a-thread-of-a-test" in line
    assert "(daemon)" in line
    done.set()
    assert before.wait_until_gone() == []


def test_a_descriptor_is_named(tmp_path: Path) -> None:
    before = Snapshot()
    descriptor = os.open(tmp_path / "opened", os.O_CREAT | os.O_RDWR)
    assert before.wait_until_gone(0.05) == [f"descriptor {descriptor}: {tmp_path / 'opened'}"]
    os.close(descriptor)
    assert before.wait_until_gone() == []


def test_a_child_is_named_also_when_nobody_waited_for_it() -> None:
    before = Snapshot()
    with subprocess.Popen([sys.executable, "-c", WAIT, "a-child"], stdin=subprocess.PIPE) as child:
        (line,) = [line for line in before.wait_until_gone(0.05) if line.startswith("child process")]
        assert f"pid {child.pid} " in line
        assert "a-child" in line
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert [line for line in before.left_over() if f"pid {child.pid} (state Z)" in line]
    assert before.wait_until_gone() == []


def test_a_kernel_that_is_nobodys_child_is_named() -> None:
    before = Snapshot()
    with left_behind(f"remotesvc:user@host:{os.getpid()}", dict(os.environ)) as pid:
        kernels = [line for line in before.wait_until_gone(0.05) if line.startswith("kernel")]
        assert len(kernels) == 1
        assert f"pid {pid} " in kernels[0]
    assert before.wait_until_gone() == []


def test_a_kernel_that_came_through_sshd_is_known_by_the_pid_in_its_name() -> None:
    before = Snapshot()
    environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
    with left_behind(f"remotesvc:user@host:{os.getpid()}", environment):
        assert [line for line in before.wait_until_gone(0.05) if line.startswith("kernel")]
    assert before.wait_until_gone() == []


@pytest.mark.parametrize("run", ["another-run", None])
def test_a_kernel_of_somebody_else_is_not_ours(run: str | None) -> None:
    before = Snapshot()
    environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
    if run is not None:
        environment[RUN_VARIABLE] = run
    # Process 1 is alive as long as the machine is, and no test run started it.
    with left_behind("remotesvc:user@host:1", environment):
        assert [line for line in before.left_over() if line.startswith("kernel")] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces of pids")
def test_a_kernel_in_a_container_of_somebody_else_is_not_ours() -> None:
    """There, its master's pid is another's, or one that there is not here."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    name = f"remotesvc:user@{uuid.uuid4().hex}:{ended.pid}"
    environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
    there = ["unshare", "--pid", "--fork", "sh", "-c", 'exec "$0" -c "$1" "$NAME"', sys.executable, WAIT]
    before = Snapshot()
    with left_behind(name, environment, there):
        until(lambda: command_lines_with(name), what="it runs")
        assert not [line for line in before.left_over() if name in line]
    until(lambda: not command_lines_with(name), what="it has ended")


def command_lines_with(text: str) -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes())
    return [line for line in found if text.encode() in line]


INNER = """
import os, threading
import pytest

def test_passes():
    pass

def test_is_skipped():
    pytest.skip("because")

@pytest.mark.xfail(reason="known")
def test_is_expected_to_fail():
    assert False

@pytest.mark.skipif("not os.environ.get('LEAK')", reason="only asked for here")
def test_leaks():
    os.dup(0)
"""


@pytest.mark.parametrize(
    ("settings", "status", "text"),
    [
        ({"CI": ""}, 0, "2 skipped"),
        ({"CI": "true"}, 1, "test_inner.py::test_is_skipped: because"),
        ({"CI": "", "LEAK": "1"}, 1, "the test left behind:"),
    ],
)
def test_a_whole_run(settings: dict[str, str], status: int, text: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_inner.py").write_text(INNER)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-c", os.devnull, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(zones.ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert text in run.stdout


@pytest.mark.parametrize(("run", "blamed"), [("another run", 0), (RUN_ID, 1)], ids=["another", "ours"])
def test_a_kernel_without_an_environment_belongs_to_the_run_above_it(run: str, blamed: int) -> None:
    """As below the sshd of a container; its master has ended, as those do that are killed on purpose."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    script = "env -i \"$0\" -c 'import time; print(1, flush=True); time.sleep(300)' \"$1\" & wait"
    before = Snapshot()
    shell = subprocess.Popen(["sh", "-c", script, sys.executable, f"remotesvc:user@host:{ended.pid}"], text=True,
                             stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, RUN_VARIABLE: run})
    try:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "1\n"
        kernels = [line for line in before.left_over() if line.startswith("kernel") and f":{ended.pid}" in line]
        assert len(kernels) == blamed
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
