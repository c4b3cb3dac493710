"""The command line as a process of its own: started, run to its end, waited for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60


def start(directory: Path, *words: str, module: str = "remotesvc", **options: object) -> subprocess.Popen[str]:
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search}
    command = [sys.executable, "-m", module, *words]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=directory, env=environment, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def cli(directory: Path, *words: str, stdin: str | None = None) -> tuple[int, str, str]:
    with start(directory, *words, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE) as process:
        out, err = process.communicate(stdin, timeout=LIMIT)
    return process.returncode, out, err


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the call never began"
        time.sleep(0.01)


def shell(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of sh, in which `remotesvc` is the command."""
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    words = f"remotesvc() {{ PYTHONPATH={shlex.quote(search)} {shlex.quote(sys.executable)} -m remotesvc \"$@\"; }}\n"
    return subprocess.run(["sh", "-c", words + script], cwd=directory, capture_output=True, text=True, timeout=LIMIT)
