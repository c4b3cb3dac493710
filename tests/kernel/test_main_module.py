"""Functions, services and classes of the program itself, however it was started."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import textwrap
import zipapp
from pathlib import Path

import pytest

from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.zones import ROOT

PROGRAM = """
import sys
from typing import NamedTuple
import remotesvc
from remotesvc.service import Service, expose

class Point(NamedTuple):
    x: int

class Mover(Service):
    @expose
    def move(self, point: Point) -> Point:
        return Point(point.x + 1)

def name(base=0):
    return __name__

def point(x):
    return Point(x)

if __name__ == "__main__":
    with remotesvc.Router() as router:
        router.register(Point)
        there = router.local(sys.argv[-1])
        print(there.call(name), there.call("__main__:name"), there.call(lambda: name.__name__))
        print(there.call(point, 1))
        for service in Mover, "__main__.Mover", "__main__:Mover":
            print(there.call_service(service, "move", Point(1)))
"""
SAID = ["Point(x=1)", *["Point(x=2)"] * 3]

SESSION = """
import sys
import remotesvc
FACTOR = 2
def double(n):
    return n * FACTOR
def deep(n):
    return n and n + deep(n - 1)
with remotesvc.Router() as router:
    there = router.local(sys.executable)
    print(there.call(double, 21), there.call(deep, 3), there.call(sorted, [1, -1], key=double))
    try:
        there.call("__main__:double", 1)
    except remotesvc.UsageError as error:
        print(error)
"""


def run(directory: Path, *arguments: str, text: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "pack").mkdir()
    for name in "__init__.py", "other.py":
        (tmp_path / "pack" / name).touch()
    for name in "__main__.py", "tool.py":
        (tmp_path / "pack" / name).write_text("from . import other\n" + PROGRAM)
    return tmp_path


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
@pytest.mark.parametrize("module", ["pack", "pack.tool"])
def test_functions_of_a_module_run_by_python_m(package: Path, interpreter: Interpreter, module: str) -> None:
    name = {"pack": "pack.__main__"}.get(module, module)
    assert run(package, "-m", module, interpreter.path) == [f"{name} {name} name", *SAID]


def test_a_module_run_by_python_m_without_a_guard_is_refused(package: Path) -> None:
    (package / "pack" / "tool.py").write_text(
        textwrap.dedent("""
        import remotesvc
        def f():
            return 1
        with remotesvc.Router() as router:
            try:
                router.local().call(f)
            except remotesvc.UsageError as error:
                print(str(error).partition(",")[0].rpartition("/")[2])
        """)
    )
    assert run(package, "-m", "pack.tool") == ["tool.py has no guard"]


def test_functions_of_a_script_and_an_archive(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(PROGRAM)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    for program in "app/__main__.py", "app", "app.pyz":
        assert run(tmp_path, program, sys.executable) == ["__main__ __main__ name", *SAID]


def test_functions_of_a_script_that_is_bytecode(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SESSION)
    py_compile.compile(str(tmp_path / "app.py"), str(tmp_path / "app.pyc"), doraise=True)
    said = run(tmp_path, "app.pyc")
    assert said[0] == "42 6 [-1, 1]"
    assert "app.pyc is bytecode" in said[1]


@pytest.mark.parametrize("arguments", [("-c", SESSION), ("-",), ("-i", "-q"), ("-i", "script.py")])
def test_functions_of_a_program_that_is_in_no_file(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "script.py").write_text("import sys\n")
    said = run(tmp_path, *arguments, text=f"exec({SESSION!r})\n" if "-i" in arguments else SESSION)
    assert said[0] == "42 6 [-1, 1]"
    if "script.py" not in arguments:
        assert "in no file" in said[1]
