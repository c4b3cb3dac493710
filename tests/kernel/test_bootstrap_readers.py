"""Where what reads our bytes is no kernel, but a program that takes every line for a command: none of them is run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.launch import bundle
from tests.kernel.shells import EVERY_SHELL, hostile_lines, through

pytest_plugins = ("tests.kernel.call_fixtures",)

READERS = {
    **{name: f"exec {name}" for name in EVERY_SHELL},
    **{f"{name} -i": f"exec {name} -i" for name in EVERY_SHELL},
    "a shell behind a profile that reads": "read one; read two; exec sh -i",
    "lines that are evaluated": 'while read -r line; do eval "$line"; done',
    "lines that are run": "while read -r line; do $line; done",
    "python": f"exec {shlex.quote(sys.executable)} -i",
}


def test_whoever_reads_them_takes_no_line_for_more_than_an_end() -> None:
    lines = bundle.SACRIFICE.splitlines(keepends=True)
    assert set(lines) == {b"exit %d\n" % bundle.EXIT_READER, b"exit(%d)\n" % bundle.EXIT_READER}
    assert lines[0] == lines[-1] == b"exit 97\n", "what a shell meets is for it, also behind a profile that has read"


@pytest.mark.parametrize("reader", READERS)
def test_nothing_that_is_sent_is_run_as_a_command(router: Router, tmp_path: Path, reader: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    line = f"cd {shlex.quote(str(home))}; HOME=$PWD; unset HISTFILE; {READERS[reader]}"
    for _ in range(3):  # compressed bytes that differ: another marker
        with through(router, ["sh", "-c", line, "sh"]) as context:
            with pytest.raises(remotesvc.BootstrapError) as caught:
                context.call("os.path:exists", hostile_lines(tmp_path / "owned"))
            assert caught.value.exit_status == bundle.EXIT_READER
            assert "ForceCommand" in caught.value.hint
    assert not (tmp_path / "owned").exists()
    assert [path.name for path in home.iterdir() if not path.name.endswith("_history")] == []
