"""What a router is told is checked where it is said."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Router, UsageError, arguments


@pytest.mark.parametrize(("told", "message"), [
    ({"deny": "settings"}, r"deny='settings': give a list, deny=\['settings'\]"),
    ({"allow": "plugins.*"}, "allow='plugins"),
    ({"path": "/srv"}, "path='/srv'"),
    ({"path": Path("/srv")}, "give a list"),
    ({"deny": [3]}, "3 is no text"),
    ({"log_level": "LOUD"}, "log_level='LOUD' is no level of logging"),
    ({"log_level": None}, "log_level=None"),
    ({"log_level": 3.5}, "log_level=3.5"),
    ({"concurrency": 0}, "concurrency=0: a context runs at least one call"),
    ({"concurrency": "8"}, "concurrency='8'"),
    ({"concurrency": True}, "concurrency=True"),
])  # fmt: skip
def test_arguments_of_a_router_that_mean_nothing_are_refused(told: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Router(**told)


def test_arguments_of_a_context_that_mean_nothing_are_refused() -> None:
    with Router() as router, pytest.raises(UsageError, match="concurrency=-1"):
        router.local(concurrency=-1)


@pytest.mark.parametrize(("level", "meant"), [("DEBUG", 10), (logging.ERROR, 40), (15, 15)])
def test_levels_have_names_and_numbers(level: int | str, meant: int) -> None:
    assert arguments.level(level) == meant


def test_lists_may_be_of_any_kind() -> None:
    assert arguments.several("path", iter((Path("/srv"), "/opt"))) == ("/srv", "/opt")
    assert arguments.several("path", {"/srv": 1}) == ("/srv",)
