"""The fixture `terminal`: real terminals. A test module takes it with

pytest_plugins = ("tests.integration.tmux_fixture",)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.tmux import MISSING, TMUX, Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Makes terminals: `terminal(columns=80, lines=30)`. The shell stands in the test's own directory."""
    if TMUX is None:
        pytest.skip(MISSING)
    made: list[Terminal] = []

    def make(columns: int = 80, lines: int = 30) -> Terminal:
        made.append(Terminal(tmp_path / f"tmux{len(made)}", tmp_path, columns, lines))
        return made[-1]

    yield make
    for each in made:
        each.close()
