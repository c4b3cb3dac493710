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


def run(name: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_says_what_it_shows(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert [words for words in SAID[name] if words not in done.stdout] == [], done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "words", "said"), [
    ("custom_activator", ["local:"], "refused: there is no clock/v2 here"),
    ("deploy_files", ["local:", "source", "target"], "sent 1 files, 0 were the same\nthe same there: True\nwords: 2\n"),
    ("file_service", ["local:", "source/a"], "a: the same there"),
    ("invoker_concurrent", ["local:"], "side by side: True"),
    ("invoker_deduplicating", ["local:", "local:"], "sizes: [8000] calls: 6\n"),
    ("invoker_serialized", ["local:"], "in order: True"),
    ("scatter_gather", ["local:"], "local: {'processors'"),
])  # fmt: skip
def test_an_example_works_on_the_host_it_is_given(
    name: str, words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "TMPDIR"):  # it leaves there what a host is to keep
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("two words")
    words = [str(tmp_path / word) if word in ("source", "source/a", "target") else word for word in words]
    done = run(name, tmp_path, *words)
    assert (done.returncode, said in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["deploy_files", "file_service", "fleet_report", "tail_logs"])
def test_an_example_that_is_told_too_little_says_so(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path, "local:")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"usage: {name}.py [")
