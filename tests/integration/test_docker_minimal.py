"""The standard library of Debian's python3-minimal, with what it lacks from the master: as docs/imports.md has it."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import CallError, Context
from tests.integration import minimal_tasks
from tests.kernel import called

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

HERE = sys.version_info[:2]
DEBIANS = {"bullseye": (3, 9), "bookworm": (3, 11), "trixie": (3, 13)}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "imports.md"
Connect = Callable[..., Context]

LEFT_OUT = {"antigravity", "this"}
"""They do something when they are imported."""


def documented() -> tuple[int, int, set[str]]:
    """How many modules are lacking, how many of them are served, and the names of the others."""
    text = PAGE.read_text(encoding="utf-8").partition("## Minimal targets")[2].partition("\n## ")[0]
    numbers = re.search(r"Of the (\d+) standard modules .* lacks, (\d+) are served", text, re.DOTALL)
    names = re.search(r"for them: (.*?); tkinter and turtle", text, re.DOTALL)
    assert numbers and names
    return int(numbers[1]), int(numbers[2]), {"tkinter", "turtle", *re.split(r",\s+", names[1])}


@pytest.mark.parametrize("service", DEBIANS)
def test_each_standard_module_is_served_or_its_error_names_the_package(service: str, connect: Connect) -> None:
    context = connect(service).options(timeout=120)
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")} - LEFT_OUT
    lacking = context.call(minimal_tasks.lacking, sorted(public))
    lacking = [name for name in lacking if importlib.util.find_spec(name) is not None]  # not those of Windows
    errors = {name: error for name, error in context.call(minimal_tasks.imported, lacking).items() if error}
    package = "libpython{}.{}-stdlib".format(*DEBIANS[service])
    # What no package of that Python holds is told as what it is: newer.
    told = {name for name, error in errors.items() if package in error or f"{name} came with Python 3." in error}
    assert set(errors) - told <= {"crypt"}  # it has words of its own for that
    if DEBIANS[service] != HERE:
        assert set(lacking) == set(errors) and len(lacking) > 50
    elif service == "bookworm":  # the one that the page tells of
        count, served, compiled = documented()
        assert (len(lacking), len(lacking) - len(errors), set(errors)) == (count, served, compiled)


@pytest.mark.parametrize("service", DEBIANS)
def test_what_needs_context_variables(service: str, connect: Connect) -> None:
    context = connect(service).options(timeout=60)
    if DEBIANS[service] != HERE:
        with pytest.raises(CallError, match="libpython{}.{}-stdlib".format(*DEBIANS[service])):
            context.call(minimal_tasks.exact)
        return
    assert context.call(minimal_tasks.exact) == ["0.33333", True, "3/8"]
    assert context.call(minimal_tasks.contexts) == [["a", "b", "me"], "me", [], "nobody"]
    assert context.call(called.double, 21) == 42
    assert list(context.call(called.async_count, 5)) == list(range(5))
