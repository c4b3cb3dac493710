"""Stand-ins for compiled parts of the standard library, beside the real ones, in every Python a master may have."""

from __future__ import annotations

import subprocess

import pytest

from remotesvc.modules.standins import stand_in
from tests import interpreters
from tests.interpreters import Interpreter

CONTEXTVARS = """
import sys, types
source = sys.stdin.read()
module = types.ModuleType("_contextvars")
sys.modules["_contextvars"] = module
class Token(object):
    "Somebody's own, of the same name"
exec(source, vars(module))
import asyncio, contextvars
name = contextvars.ContextVar("name")
async def task(value):
    name.set(value)
    await asyncio.sleep(0)
    return name.get()
async def both():
    return await asyncio.gather(task("a"), task("b"))
name.set("me")
copied = contextvars.copy_context()
name.set("other")
inside = copied.run(lambda: (name.set("in"), name.get(), contextvars.copy_context()[name])[1:])
empty = contextvars.Context().run(lambda: list(contextvars.copy_context()))
ran = asyncio.run(both())
del sys.modules["_contextvars"]
import _contextvars as real
same = [getattr(real, each) is getattr(module, each) for each in ("Context", "ContextVar", "Token")]
alike = dict(real.copy_context()) == dict(module.copy_context())
print([copied[name], inside, empty, ran, name.get(), same, alike])
"""


@pytest.mark.parametrize("python", [each for each in interpreters.found() if each.version >= (3, 10)], ids=str)
def test_context_variables(python: Interpreter) -> None:
    source, _ = stand_in("_contextvars")
    ran = subprocess.run([python.path, "-I", "-S", "-c", CONTEXTVARS], input=source, capture_output=True, check=False)
    expected = "['in', ('in', 'in'), [], ['a', 'b'], 'other', [True, True, True], True]"
    assert (ran.stdout.decode().strip(), ran.stderr.decode()) == (expected, "")
