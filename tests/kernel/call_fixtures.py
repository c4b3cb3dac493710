"""Fixtures: a router that is closed, and a context on this machine. A test module takes them with

pytest_plugins = ("tests.kernel.call_fixtures",)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remotesvc import Context, Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel.contexts import Heard


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def router(heard: Heard) -> Iterator[Router]:
    with Router(on_output=heard.on_output, on_log=heard.on_log) as router:
        yield router


@pytest.fixture
def context(router: Router) -> Context:
    return router.local()


@pytest.fixture(params=interpreters.found(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    found: Interpreter = request.param
    return found


CASES = [*((each, "unknown") for each in interpreters.found()), *((each, "known") for each in interpreters.outer())]


@pytest.fixture(params=CASES, ids="{0[0]}-{0[1]}".format)
def case(request: pytest.FixtureRequest) -> tuple[Interpreter, str]:
    """A Python there, each that is here, and whether it is known when a call is made. That decides when its maker looks
    for a source, not how, and is tried with the oldest, the newest and the master's version."""
    given: tuple[Interpreter, str] = request.param
    return given
