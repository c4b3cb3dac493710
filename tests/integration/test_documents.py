"""What the README and the pages under docs/ show is run as it is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zones import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Shown as commands, and not for here: they need hosts of the reader's, or install the project (tests/integration/
# test_packaging.py does that).
ELSEWHERE = re.compile(r"\bweb[\d\[]|127\.0\.0\.1:\d|\bpip install\b|\btox\b|\bh m:f\b|HOST\b|^(sudo|docker|git|bash) ")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S)


def commands(page: Path) -> list[str]:
    """The lines of a page that are commands of ours, set off by four spaces."""
    return [line.strip() for line in re.findall(r"^    (remotesvc .*)$", page.read_text(), re.M)]


def python_blocks() -> list[object]:
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (language, text) in enumerate(blocks(page))
        if language == "python" and "def test_" not in text  # a test that is shown runs in the suite it is of
    ]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the module that the README has its reader write."""
    (module,) = [text for language, text in blocks(ROOT / "README.md") if text.startswith('"""Tasks for')]
    (tmp_path / "tasks.py").write_text(module)
    return tmp_path


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("text", python_blocks())
def test_python_that_is_shown(text: str, directory: Path) -> None:
    script = directory / "shown.py"
    script.write_text(text)
    done = run(directory, str(script))
    assert done.returncode == 0, done.stderr
    if "print(" in text:
        assert done.stdout


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands(page) if not ELSEWHERE.search(line)])
def test_command_that_is_shown(line: str, directory: Path) -> None:
    done = run(directory, "-m", *shlex.split(line))
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_links_lead_somewhere() -> None:
    missing = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []
