"""Exceptions in every interpreter found: the cases of tests/failures, and from each Python to this one."""

from __future__ import annotations

import builtins
import json
import subprocess

import pytest

from remotesvc.bootstrap.failures.rebuild import CallError, rebuild
from tests import interpreters, zones
from tests.interpreters import Interpreter

RUN = zones.ROOT / "tests" / "failures" / "run.py"

DESCRIBE_ALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
from remotesvc.bootstrap.failures.describe import describe
from tests.failures.common import builtin_classes, instance_of, raised
told = {name: describe(raised(instance_of(cls))) for name, cls in builtin_classes().items()}
for data in told.values():
    data["args"] = [None if isinstance(arg, bytes) else arg for arg in data["args"]]
json.dump(told, sys.stdout)
"""


def run(interpreter: Interpreter, *arguments: str) -> str:
    answer = subprocess.run(
        [interpreter.path, "-B", "-I", *arguments, str(zones.ROOT)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_all_cases_of_failures_in_every_interpreter(interpreter: Interpreter) -> None:
    assert "case_printing_imports_nothing" in run(interpreter, str(RUN))


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_every_builtin_exception_from_there_to_here(interpreter: Interpreter) -> None:
    told = json.loads(run(interpreter, "-c", DESCRIBE_ALL))
    assert len(told) > 60
    for name, data in told.items():
        error = rebuild(data, "web1")
        assert str(error).startswith(f"web1: {name}")
        here = getattr(builtins, name, None)
        if here is None:  # newer than this Python: then as the nearest that it has
            here = next(getattr(builtins, base) for base in data["mro"] if hasattr(builtins, base))
        if issubclass(here, Exception) and not issubclass(here, (StopIteration, StopAsyncIteration)):
            assert isinstance(error, here), name
        elif not data["members"]:
            assert type(error) is CallError, name
