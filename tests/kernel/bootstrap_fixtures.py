"""Fixtures: programs that stand for a Python, and a directory without any. A test module takes them with

pytest_plugins = ("tests.kernel.bootstrap_fixtures",)
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts import shell_script

Fake = Callable[..., str]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Make a program that passes for a Python: a script in which $PYTHON is the real one."""

    def make(body: str, name: str = "python3", python: str = sys.executable) -> str:
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        return str(shell_script(directory / name, f"PYTHON='{python}'\n{body}"))

    return make


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A directory for PATH that holds nothing but sh."""
    directory = tmp_path / "empty"
    directory.mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    (directory / "sh").symlink_to(shell)
    return directory
