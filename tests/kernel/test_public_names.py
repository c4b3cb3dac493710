"""The package's lazy table of names, on a master and on a child, in every interpreter found."""

from __future__ import annotations

import ast
import json
import subprocess

import pytest

import remotesvc
from tests import interpreters, zones
from tests.interpreters import Interpreter

FACE = zones.ROOT / "remotesvc" / "__init__.py"

# Runs as a child would: the package's text under the name that sent code has, with the rest beside it. Says
# what each public name gave.
CHILD = """
import json, sys, types
path, root = json.load(sys.stdin)
package = types.ModuleType("remotesvc")
package.__path__ = [root + "/remotesvc"]
package.__package__ = "remotesvc"
package.__file__ = "/proc/remotesvc:/remotesvc/__init__.py"
sys.modules["remotesvc"] = package
with open(path) as file:
    exec(compile(file.read(), "/proc/remotesvc:/remotesvc/__init__.py", "exec"), package.__dict__)
answers = {"early": sorted(name for name in sys.modules if name.startswith("remotesvc."))}
namespace = {}
exec("from remotesvc import *", namespace)
answers["star"] = sorted(name for name in namespace if name != "__builtins__")
answers["dir"] = dir(package)
answers["modules"] = {name: namespace[name].__module__ for name in ("Cancelled", "Error")}
try:
    from remotesvc import Router
except ImportError as error:
    answers["Router"] = str(error)
try:
    package.no_such_name
except AttributeError as error:
    answers["no_such_name"] = str(error)
json.dump(answers, sys.stdout)
"""


def test_every_public_name_is_found_on_the_master() -> None:
    assert remotesvc.__all__ == sorted(remotesvc.__all__)
    assert [name for name in remotesvc.__all__ if not hasattr(remotesvc, name)] == []
    assert set(remotesvc.__all__) <= set(dir(remotesvc))


def test_a_name_is_the_object_where_it_is_defined() -> None:
    from remotesvc.bootstrap import errors

    assert remotesvc.Error is errors.Error
    assert issubclass(remotesvc.Cancelled, errors.Cancelled)
    with pytest.raises(AttributeError, match="no attribute 'Unknown'"):
        remotesvc.Unknown  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    seen = {
        alias.asname
        for node in ast.walk(ast.parse(FACE.with_suffix(".pyi").read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == set(remotesvc.__all__) - {"__version__"}


def test_every_error_is_public() -> None:
    from remotesvc.bootstrap import errors

    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.Error) and value.__module__ == errors.__name__
    }
    assert defined - set(remotesvc.__all__) == set()


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_public_names_on_a_child(interpreter: Interpreter) -> None:
    answer = subprocess.run(
        [interpreter.path, "-I", "-S", "-c", CHILD],
        input=json.dumps([str(FACE), str(zones.ROOT)]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    answers = json.loads(answer.stdout)
    master_only = {"CallFuture", "Fleet", "FleetError", "FleetExecutor", "InventoryError", "LogEvent", "NoMatch",
                   "Outcome", "OutputEvent", "Results", "Router", "Status", "WrongVariable"}
    assert answers["early"] == []
    assert set(answers["star"]) == set(remotesvc.__all__) - master_only
    assert master_only & set(answers["dir"]) == set()
    assert answers["modules"] == dict.fromkeys(("Cancelled", "Error"), "remotesvc.bootstrap.errors")
    assert "exists on the master only" in answers["Router"]
    assert answers["no_such_name"] == "module 'remotesvc' has no attribute 'no_such_name'"


def test_importing_the_package_loads_nothing_else() -> None:
    ask = "import sys; before = set(sys.modules); import remotesvc; print(*sorted(set(sys.modules) - before))"
    answer = subprocess.run(
        [interpreters.found()[-1].path, "-c", ask],
        cwd=zones.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(answer.stdout.split()) <= {"remotesvc", "types"}
