"""Running a command and reporting it as a shell would; in a process that has descriptors to inherit."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUN = "import sys, remotesvc.shell as s; sys.exit(s.run({command!r}, {stdin}))"


def shell(command: str | list[str], stdin: str = "None") -> subprocess.CompletedProcess[bytes]:
    code = RUN.format(command=command, stdin=stdin)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        ("echo a; exit 3", 3, b"a\n"),
        ("echo a | tr a b", 0, b"b\n"),
        (["echo", "$HOME; *"], 0, b"$HOME; *\n"),
        (["sh", "-c", "kill -9 $$"], 137, b""),
        ("-v", 127, b""),
        ("cat", 0, b""),
        (["cat"], 0, b""),
    ],
)
def test_run(command: str | list[str], code: int, out: bytes) -> None:
    done = shell(command)
    assert (done.returncode, done.stdout) == (code, out)


def test_stdin() -> None:
    assert shell(["cat"], r"b'\0\xff'").stdout == b"\x00\xff"
    assert shell("true", "bytes(1_000_000)").returncode == 0
    assert shell(["head", "-c", "1"], "bytes(1_000_000)").stdout == b"\0"


def test_what_cannot_be_run() -> None:
    missing = shell(["no-such-command-anywhere", "x"])
    assert missing.returncode == 127
    assert missing.stderr == b"no-such-command-anywhere: No such file or directory\n"
    assert shell(["/"]).returncode == 126
    assert shell(["echo", "a\0b"]).returncode == 126
