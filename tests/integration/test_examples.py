"""Every script under examples/ runs as it stands, and says what it is there to show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zones import ROOT

EXAMPLES = ROOT / "examples"

SAID = {
    "custom_activator": ["less than a minute: True", "active: ['clock/v1']", "refused: there is no clock/v2 here",
                         "refused: there is no subprocess.Popen here"],
    "deploy_files": ["sent 3 files, 0 were the same\nthe same there: True\nwords: 60\nit printed: indexed ",
                     "sent 1 files, 2 were the same\nthe same there: True\nwords: 45\n"],
    "file_service": ["a.bin: the same there", "b.bin: the same there", "/etc/shadow is not registered"],
    "fleet_report": ["n[1-2,4]: {'system': '", "'has room': True}\nn3: failed, CallError[FileNotFoundError]\n",
                     "n5: unreachable, BootstrapError\n2 of 5 hosts: failed: n3; unreachable: n5"],
    "invoker_concurrent": ["side by side: True"],
    "invoker_deduplicating": ["sizes: [8000] calls: 12\nfetched: ['shop 1.0', 'shop 2.0']\n",
                              "changed: ['shop 1.0', 'shop 2.0', 'shop 2.0']"],
    "invoker_serialized": ["package6 is number 7", "broken has unmet dependencies", "package8 is number 8",
                           "in order: True"],
    "scatter_gather": ["local1: {'processors'", "local2: {'processors'", "local4: {'processors'",
                       "\nlocal3: the process ended with status 1"],
    "tail_logs": ["one: line 0", "two: line 0", "one: line 4", "two: line 4"],
}


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


def test_the_index_has_each_example() -> None:
    index = (EXAMPLES / "README.md").read_text()
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(re.findall(r"\]\((\w+\.py)\)", index))


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_says_what_it_shows(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [words for words in SAID[name] if words not in done.stdout] == [], done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
