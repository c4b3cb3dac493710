"""How the tests are spread over several processes where pytest-xdist is asked for it: `pytest -n auto`.
These are hooks of pytest, which tests/conftest.py takes; without `-n` they do nothing.

The tests of a module stay in one process, which alone starts what they share. What waits longest begins first, so that
nothing is waited for alone at the end; what computes fills the gaps.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

LONGEST = ("tests/integration/test_docker_smoke.py", "tests/faults/test_silence.py")
"""The modules that take minutes by themselves."""

PARTS = ("tests/faults/", "tests/integration/", "tests/kernel/", "tests/unit/")
"""From those that mostly wait to those that mostly compute."""

MOST = 6
"""Processes at most: each starts containers of its own, and bounds of time are those of a machine with some room."""


def processes() -> int:
    """One more than processors: tests mostly wait for the programs that they start."""
    return max(3, min((os.cpu_count() or 1) + 1, MOST))


def rank(nodeid: str) -> tuple[int, int]:
    """What tests are sorted by before they are dealt out; those of a module have the same."""
    module = nodeid.partition("::")[0]
    longest = LONGEST.index(module) if module in LONGEST else len(LONGEST)
    part = next((number for number, part in enumerate(PARTS) if module.startswith(part)), len(PARTS))
    return longest, part


def unstable(nodeid: str) -> bool:
    """Does a name hold the address of an object? Processes would not agree on which tests there are."""
    return re.search(r" at 0x[0-9a-f]+>", nodeid) is not None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    return processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    # Here, because what needs no `-n` needs no pytest-xdist.
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # in the order that follows, not by the number of tests
    return LoadFileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if unstable(item.nodeid):
            raise pytest.UsageError(f"{item.nodeid}: an address is another in each process; give the parameter an id")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))
