"""Programs of their own that use the package."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.kernel.contexts import LIMIT
from tests.zones import ROOT


class Script:
    """A program of its own that uses the package; `say(...)` in it is a line here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors_path = path.with_suffix(".err")
        with open(self.errors_path, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "dev", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=path.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
                text=True,
            )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().rstrip("\n")
        assert line, self.errors()
        return line

    def tell(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        return self.errors_path.read_text(errors="replace")

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            self.process.wait(LIMIT)


def start(directory: Path, body: str) -> Script:
    path = directory / "script.py"
    path.write_text(
        textwrap.dedent("""\
        import os, signal, subprocess, sys, threading, time
        import remotesvc
        from tests.kernel import called, called_processes, called_waiting

        def say(*words):
            print(*words, flush=True)

        router = remotesvc.Router()
        """)
        + textwrap.dedent(body)
    )
    return Script(path)
