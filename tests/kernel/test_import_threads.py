"""Imports of several threads of a child at once."""

from __future__ import annotations

import pytest

from remotesvc import Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_late
from tests.kernel.contexts import LIMIT

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("module", ["logging", "linecache"])
def test_no_import_misses_our_finder_while_another_thread_imports(
    router: Router, interpreter: Interpreter, module: str
) -> None:
    """A finder that left the list would move those behind it under the feet of whoever walks along it."""
    names = router.local(interpreter.path).call(called.finders_met, module)
    assert "MemoryFinder" in names
    assert "PathFinder" in names


def test_calls_that_need_a_pickle_wait_for_the_import_that_another_has_begun(
    router: Router, interpreter: Interpreter
) -> None:
    """On Python 3.6 all but the first did not find their function in a module that was not complete yet."""
    context = router.local(interpreter.path).options(timeout=LIMIT)
    futures = [context.submit(called_late.name_of, called_late.Late) for _ in range(4)]
    assert [future.result() for future in futures] == ["Late"] * 4
