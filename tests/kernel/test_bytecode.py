"""The kernel as bytecode: for a Python that is known, on a short line; a wrong guess costs nothing but bytes."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import MAGIC_NUMBER

import pytest

from remotesvc import Context, Router
from remotesvc.launch.connection import Connection
from remotesvc.launch.process import ProcessPath
from remotesvc.launch.tree import process_name
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, compiled
from tests.kernel.contexts import LIMIT, until

pytest_plugins = ("tests.kernel.call_fixtures",)


def kernel_of(context: Context) -> tuple[list[str], list[str]]:
    """Kernel modules of a child that came with bytecode, and those it compiled."""
    until(lambda: context.call(compiled.kernel)[2])
    came, made, _ = context.call(compiled.kernel)
    return came, made


def start(router: Router, python: str, **phases: float) -> Context:
    """A child that is taken for one of our magic number, at the end of a line that took so long."""
    tree = router._tree
    path = ProcessPath(tree.bundle.argv(python, process_name()), "there")
    return tree.adopt(Connection(path, "there", LIMIT, phases, magic=MAGIC_NUMBER))


def magic_of(interpreter: Interpreter) -> bytes:
    code = "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"
    return subprocess.run([interpreter.path, "-ESsc", code], capture_output=True, timeout=LIMIT, check=True).stdout


OTHERS = [each for each in interpreters.found() if magic_of(each) != MAGIC_NUMBER]


def test_a_child_of_our_own_python_compiles_nothing_of_the_kernel(router: Router) -> None:
    context = router.local()
    came, made = kernel_of(context)
    assert made == []
    assert {"remotesvc", "remotesvc.bootstrap.entry", "remotesvc.bootstrap.lazy_parts"} <= set(came)


def test_a_grandchild_of_our_own_python_compiles_nothing_of_the_kernel(router: Router) -> None:
    assert kernel_of(router.local(via=router.local()))[1] == []


def test_a_python_known_only_when_its_kernel_is_up_is_in_time_for_the_rest(router: Router) -> None:
    """Its path is not the one this process runs by, so nothing is foretold."""
    tree = router._tree
    path = ProcessPath(tree.bundle.argv(sys.executable, process_name()), "there")
    context = tree.adopt(Connection(path, "there", LIMIT))
    came, made = kernel_of(context)
    assert "remotesvc.bootstrap.lazy_parts" in came
    assert "remotesvc.bootstrap.entry" in made


@pytest.mark.parametrize("interpreter", OTHERS, ids=str)
def test_a_python_that_is_not_what_was_foretold_compiles(router: Router, interpreter: Interpreter) -> None:
    context = start(router, interpreter.path)
    assert context.call(called.add, 1, 2) == 3
    came, made = kernel_of(context)
    assert came == []
    assert "remotesvc.bootstrap.entry" in made


def test_on_a_long_line_bytes_matter_more(router: Router) -> None:
    context = start(router, sys.executable, open=0.1, exec=0.1)
    assert context.call(called.add, 1, 2) == 3
    assert kernel_of(context)[0] == []


def test_the_source_of_a_kernel_that_came_as_bytecode_is_there(router: Router) -> None:
    context = router.local()
    until(lambda: context.call(compiled.kernel)[2])
    assert context.call(compiled.source_of_frame).startswith("class Frame(object):")
