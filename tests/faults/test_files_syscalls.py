"""System calls of a receiver that fail, lie, or are its last: the destination is the old file or the new one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remotesvc.files.records import CHUNK
from tests.faults import landing
from tests.kernel.filetrees import content, described, digest, leftovers
from tests.zones import ROOT

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.strace, pytest.mark.slow]

RENAMES = "rename,renameat,renameat2"
MOST = 40
"""More calls of one kind than any of these transfers makes."""


def receive(source: Path, target: Path, injection: str) -> tuple[int, str]:
    """One transfer with one system call changed: (exit code, what it said)."""
    calls = injection.partition(":")[0]
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={injection}",
               sys.executable, "-I", "-S", "-B", landing.__file__, str(source), str(target), "yes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("injection", "says"),
    [
        ("write:error=ENOSPC", "No space left"),
        ("write:error=EIO", "Input/output error"),
        ("write:retval=1", "DigestMismatch"),  # it says it wrote a byte, and wrote none
        ("fsync:error=EIO", "Input/output error"),
        ("fchmod:error=EPERM", "not permitted"),
        (f"{RENAMES}:error=EXDEV", "cross-device"),
        ("flock:error=ENOLCK", ""),  # no locks there: it works without
    ],
)
def test_a_call_that_fails_leaves_the_old_file(tmp_path: Path, injection: str, says: str) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(3 * CHUNK + 10))
    for number in range(1, MOST):
        target.write_bytes(b"old")
        code, said = receive(source, target, f"{injection}:when={number}")
        if code == 0:
            break
        assert says
        assert says in said
        # What comes after the rename cannot be taken back: the directory may not be durable, and that is said.
        renamed = injection.startswith("fsync") and number == 2
        assert digest(target) == digest(source) if renamed else target.read_bytes() == b"old"
        # The message of an error is a write, too.
        assert leftovers(tmp_path) == []
    assert digest(target) == digest(source)
    assert number > 1 or not says


@pytest.mark.parametrize(("call", "times"), [("write", 8), ("fsync", 2)])
def test_a_call_that_was_interrupted_is_made_again(tmp_path: Path, call: str, times: int) -> None:
    """Case 36, EINTR: a signal is no reason for a transfer to fail."""
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(3 * CHUNK + 10))
    for number in range(1, times + 1):
        target.write_bytes(b"old")
        assert receive(source, target, f"{call}:error=EINTR:when={number}") == (0, "")
        assert digest(target) == digest(source)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod", RENAMES, "close", "openat"])
def test_a_receiver_killed_at_any_call_leaves_the_old_file_or_the_new(tmp_path: Path, call: str) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(3 * CHUNK))
    seen = set()
    first = 1 if call not in ("close", "openat") else 60  # the interpreter's own come before
    for number in range(first, first + 3 * MOST):
        target.write_bytes(b"old")
        code, said = receive(source, target, f"{call}:signal=SIGKILL:when={number}")
        found = target.read_bytes()
        assert found == b"old" or digest(target) == digest(source), (number, said)
        seen.add(found == b"old")
        if code == 0:
            break
    else:
        assert call in ("close", "openat")
    for path in leftovers(tmp_path):
        assert os.path.getsize(path) <= 3 * CHUNK
    # Whoever comes next sweeps.
    assert receive(source, target, "write:error=EIO:when=10000") == (0, "")
    assert leftovers(tmp_path) == []
    assert True in seen


def calls_of(source: Path, target: Path, counts: Path) -> int:
    """How many system calls on files it takes to send a tree and to receive it, the interpreter's own included."""
    command = ["strace", "-f", "-qq", "-c", "-o", str(counts), "-e", "trace=%file,read,write,fstat,lseek,close,fchmod",
               sys.executable, "-I", "-S", "-B", landing.__file__, str(source), str(target), "no"]
    subprocess.run(command, cwd=ROOT, timeout=60, check=True)
    return sum(int(line.split()[3]) for line in counts.read_text().splitlines()[2:-2])


def test_calls_for_a_small_file(tmp_path: Path) -> None:
    """Here a look at it, open, read, a look whether it has changed, close; there open, write, a look, close, rename."""
    needed = []
    for files in (20, 70):
        source = tmp_path / str(files)
        source.mkdir()
        for number in range(files):
            (source / str(number)).write_bytes(b"content")
        needed.append(calls_of(source, tmp_path / f"t{files}", tmp_path / "counts"))
        assert described(tmp_path / f"t{files}") == described(source)
    assert needed[1] - needed[0] <= 10 * 50 + 5


@pytest.mark.parametrize("injection", ["write:error=ENOSPC", "write:retval=1", "fsync:error=EIO",
                                       "write:signal=SIGKILL", f"{RENAMES}:error=EIO", f"{RENAMES}:signal=SIGKILL"])
def test_the_files_of_a_tree_are_old_or_new(tmp_path: Path, injection: str) -> None:
    source = tmp_path / "s"
    (source / "d").mkdir(parents=True)
    for number in range(6):
        (source / "d" / str(number)).write_bytes(b"new %d" % number)
    finished = False
    # The first three writes are to the marker: a byte that one of them loses costs only what might be gone on with.
    harmless = 3 if "retval" in injection else 0
    for number in range(1, MOST):
        target = tmp_path / f"t{number}"
        (target / "d").mkdir(parents=True)
        for each in range(6):
            (target / "d" / str(each)).write_bytes(b"old")
        code, said = receive(source, target, f"{injection}:when={number}")
        finished = code == 0 and number > harmless
        for each in range(6):
            assert (target / "d" / str(each)).read_bytes() in (b"old", b"new %d" % each), said
        if "signal" not in injection:
            assert leftovers(target) == []
            if code and not injection.startswith(("rename", "fsync")):
                assert {(target / "d" / str(each)).read_bytes() for each in range(6)} == {b"old"}
        elif code:
            assert receive(source, target, "write:error=EIO:when=10000") == (0, ""), "the next one goes on"
            assert described(target) == described(source)
            assert leftovers(target) == []
        if code == 0:
            assert described(target) == described(source)
        if finished:
            break
    assert finished
    assert number > harmless + 1, "there was something to interfere with"
