"""Where modules came from, and why, as a user is told."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc.modules.explain import loaded_untrusted
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT, until
from tests.kernel.importing import write

pytest_plugins = ("tests.kernel.call_fixtures",)

FILES: dict[str, str | bytes] = {
    "task.py": "import helper, dist, json\ndef go():\n    try:\n        __import__('private')\n"
    "    except ImportError:\n        pass\n    import theirs\n    return theirs.X\n",
    "helper.py": "",
    "private.py": "PASSWORD = 1\n",
    "site-packages/dist/__init__.py": "",
    "site-packages/dist-1.0.dist-info/METADATA": "Name: dist\nVersion: 1.0\n",
    "site-packages/dist-1.0.dist-info/RECORD": "dist/__init__.py,,\n",
}
THERE: dict[str, str | bytes] = {
    "theirs.py": "X = 7\n",
    "dist/__init__.py": "",
    "dist-2.0.dist-info/METADATA": "Name: dist\nVersion: 2.0\n",
}


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A Python of this version with packages of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "there")], check=True)
    (site,) = (tmp_path / "there").glob("lib/python*/site-packages")
    write(site, THERE)
    return str(tmp_path / "there" / "bin" / "python")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[remotesvc.Router]:
    write(tmp_path / "here", FILES)
    with remotesvc.Router(path=[tmp_path / "here", tmp_path / "here" / "site-packages"]) as made:
        yield made


def test_each_module_is_explained_with_its_reason(router: remotesvc.Router, python: str) -> None:
    context = router.local(python=python).options(timeout=LIMIT)
    context.wait_ready()
    assert context.call("task:go") == 7
    told = {each.name: each for each in router.explain_imports(context)}
    assert (told["helper"].source, told["helper"].why) == ("master bytecode", "your own code")
    assert told["helper"].bytes > 0
    assert (told["dist"].source, told["dist"].why) == ("master bytecode", "dist 1.0; 2.0 is installed there")
    assert told["theirs"].source == "target"
    assert "no such module" in told["theirs"].why and "theirs.py" in told["theirs"].why
    assert (told["private"].source, told["private"].why) == ("refused", "closed set")
    assert "json" not in told


def test_imports_are_explained_on_every_python(router: remotesvc.Router, interpreter: Interpreter) -> None:
    """Before 3.8 there is no importlib.metadata, neither there nor from here."""
    context = router.local(python=interpreter.path).options(timeout=LIMIT)
    with pytest.raises(ModuleNotFoundError):
        context.call("task:go")
    assert "helper" in {each.name for each in router.explain_imports(context)}
    if interpreter.version < (3, 8):
        with pytest.raises(ModuleNotFoundError, match=r"importlib\.metadata"):
            context.call("importlib:import_module", "importlib.metadata")


def test_imports_are_explained_on_the_command_line(router: remotesvc.Router, python: str, tmp_path: Path) -> None:
    path = ["--path", ".", "--path", "site-packages", "--python", python]
    command = [sys.executable, "-m", "remotesvc", "run", "local:", "task:go", "--explain-imports", *path]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path / "here", env=env, capture_output=True, text=True, timeout=2 * LIMIT)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
    assert "  task: master source" in done.stderr
    assert "  theirs: target" in done.stderr
    assert "  private: refused (closed set)" in done.stderr


def test_origins_from_a_configuration_file(router: remotesvc.Router, python: str, tmp_path: Path) -> None:
    path = ["--path", ".", "--path", "site-packages", "--python", python]
    command = [sys.executable, "-m", "remotesvc", "run", "local:", "task:go", "--explain-imports", *path]
    (tmp_path / "here" / "remotesvc.toml").write_text('imports = {dist = "target", helper = "deny"}\n')
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    options = {"cwd": tmp_path / "here", "env": env, "capture_output": True, "text": True, "timeout": 2 * LIMIT}
    denied = subprocess.run(command, **options)  # type: ignore[call-overload]
    assert denied.returncode == 2 and "denied on the master by imports={...}" in denied.stderr, denied.stderr
    done = subprocess.run([*command, "--imports", "helper=master"], **options)  # type: ignore[call-overload]
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
    assert "  dist: target (the master leaves it to the target" in done.stderr


def test_other_versions_are_in_the_debug_log_once(
    router: remotesvc.Router, python: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = router.local(python=python, name="web1").options(timeout=LIMIT)
    assert context.call("task:go") == 7  # nobody reads the log: nothing is asked
    with caplog.at_level(logging.DEBUG, "remotesvc.modules"):
        for name in ("web1", "web2"):
            calls = router.local(python=python, name=name).options(timeout=LIMIT)
            assert [calls.call("task:go") for _ in range(3)] == [7, 7, 7]
        until(lambda: len(skews(caplog)) == 2)
        assert calls.call("task:go") == 7
    assert sorted(skews(caplog)) == ["web1 has dist 2.0, and 1.0 is here", "web2 has dist 2.0, and 1.0 is here"]


def skews(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "is here" in record.getMessage()]


@pytest.mark.parametrize("report", [
    None, [], {}, {"modules": 5}, {"modules": [[1, 2, 3], ["a", "spam", "x"], ["a"], "abc", ["a", "code"]]},
    {"modules": {"a": 1}, "versions": [1]}, {"versions": {1: "2", "a": 5}},
])  # fmt: skip
def test_lies_of_a_target(report: object) -> None:
    assert loaded_untrusted(report) == ([], {})
