"""Fixture: `run`, which captures in each interpreter found. A test module takes it with

pytest_plugins = ("tests.kernel.capture_fixtures",)
"""

from __future__ import annotations

import functools

import pytest

from tests.interpreters import Interpreter
from tests.kernel.capturing import Run, run_in

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def run(interpreter: Interpreter) -> Run:
    """Run a few lines with a capture; returns what it emitted. mode: other than "install" for none yet."""
    return functools.partial(run_in, interpreter)
