"""Imports of several threads of a child at once."""

from __future__ import annotations

import pytest

from remotesvc import Router
from tests.interpreters import Interpreter
from tests.kernel import called

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("module", ["logging", "linecache"])
def test_no_import_misses_our_finder_while_another_thread_imports(
    router: Router, interpreter: Interpreter, module: str
) -> None:
    """A finder that left the list would move those behind it under the feet of whoever walks along it."""
    names = router.local(interpreter.path).call(called.finders_met, module)
    assert "MemoryFinder" in names
    assert "PathFinder" in names
