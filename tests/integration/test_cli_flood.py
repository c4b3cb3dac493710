"""Ctrl-C while a target prints faster than anybody reads."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc.fleet.gather import LOOK
from tests.integration.command_line import LIMIT, start, wait_for
from tests.kernel.contexts import until

BACKLOG = 1 << 20
"""Bytes that have been printed before the Ctrl-C: the window of a target's output, which nobody has taken yet."""
SHOWN = BACKLOG // 2
"""Bytes that may be shown of it: those allowed, the record that is just shown, and what is in the pipe to us."""

TASKS = f"""
import os

def flood(ready):
    block, printed = b"y\\n" * 8192, 0
    while True:
        os.write(1, block)
        printed += len(block)
        if printed == {BACKLOG}:
            open(ready, "w").close()
"""


def unread(pipe: int) -> int:
    """Bytes that wait in a pipe to be read."""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(size)


def full(process: subprocess.Popen[str]) -> None:
    """Wait until a run can show no more, as nobody reads it."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    room = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    until(lambda: room - unread(pipe) < len("interrupted"), what="the pipe is full")


def asleep(pid: int) -> bool:
    """Whether no thread of a process has anything to do. Those it has may end meanwhile."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            states.append(stat.read_bytes().rpartition(b")")[2].split()[0])
    return bool(states) and not {b"R", b"D"} & set(states)


def interrupt(process: subprocess.Popen[str]) -> None:
    """A Ctrl-C, and what it does while nobody reads: on a busy machine much more may be shown before it is noticed."""
    looks, last = 0, time.monotonic() + 2 * LOOK  # a signal that comes just before a wait is dealt with after that

    def through() -> bool:  # threads are looked at one after the other, and may wake each other in between
        nonlocal looks
        looks = looks + 1 if asleep(process.pid) else 0
        return looks >= 40 and time.monotonic() > last

    process.send_signal(signal.SIGINT)
    until(through)


@pytest.fixture
def flooded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A run of which nothing has been read; the target has printed BACKLOG bytes of lines of one character."""
    (tmp_path / "flood.py").write_text(TASKS)
    ready = tmp_path / "ready"
    words = ["run", *request.param, "local:", "flood:flood", str(ready)]
    with start(tmp_path, *words, stderr=subprocess.STDOUT) as process:
        try:
            wait_for(ready, process)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("flooded", [()], indirect=True)
def test_one_ctrl_c_shows_the_beginning_of_a_flood_and_how_much_is_missing(
    flooded: subprocess.Popen[str],
) -> None:
    full(flooded)
    interrupt(flooded)
    out, _ = flooded.communicate(timeout=LIMIT)
    assert flooded.returncode == 130
    assert 0 < out.count("y\n") * 2 < SHOWN
    assert re.search(r"^interrupted: \d+\.\d [kM]B of what targets printed are left out$", out, re.M)
    assert "local: cancelled" in out


@pytest.mark.parametrize("flooded", [("--json",)], indirect=True)
def test_what_is_kept_of_a_flood_for_json_is_marked_as_cut(flooded: subprocess.Popen[str]) -> None:
    flooded.send_signal(signal.SIGINT)
    out, _ = flooded.communicate(timeout=LIMIT)
    assert flooded.returncode == 130
    result = json.loads(next(line for line in out.splitlines() if line.startswith("[{")))[0]
    assert result["status"] == "cancelled"
    # How far a run that shows nothing had come, nobody knows; and what comes after its outcome is left out, too.
    assert "left out" in out or not result.get("truncated", False)


@pytest.mark.parametrize("flooded", [()], indirect=True)
def test_another_ctrl_c_leaves_a_flood_at_once_though_nobody_reads(flooded: subprocess.Popen[str]) -> None:
    full(flooded)
    ended = threading.Event()

    def press() -> None:  # again and again: two that come together are one to a process
        while not ended.wait(0.2):
            flooded.send_signal(signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    try:
        assert flooded.wait(LIMIT) == 130
    finally:
        ended.set()
        pressing.join()
    assert flooded.stdout is not None
    assert flooded.stdout.read().count("interrupted") == 0, "it had no room for a word"
