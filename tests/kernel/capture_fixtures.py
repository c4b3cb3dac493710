"""Fixtures: each interpreter found, and `run`, which captures in it. A test module takes them with

pytest_plugins = ("tests.kernel.capture_fixtures",)
"""

from __future__ import annotations

import functools

import pytest

from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel.capturing import Run, run_in


@pytest.fixture(params=interpreters.found(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    found: Interpreter = request.param
    return found


@pytest.fixture
def run(interpreter: Interpreter) -> Run:
    """Run a few lines with a capture; returns what it emitted. mode: other than "install" for none yet."""
    return functools.partial(run_in, interpreter)
