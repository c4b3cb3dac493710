"""Which side a distribution comes from, where the target has packages of its own and the master has others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import remotesvc
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import write

NATIVE = EXTENSION_SUFFIXES[0]
Files = dict[str, str | bytes]
Start = Callable[..., remotesvc.Context]


def distribution(name: str, version: str, files: Files, requires: str = "") -> Files:
    """The files of an installed distribution."""
    made: Files = dict(files)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    made[f"{name}-{version}.dist-info/METADATA"] = metadata
    made[f"{name}-{version}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files)
    return made


# As pydantic is: pure Python over a compiled core of the very same version.
MODEL = {"model/__init__.py": "from core import VERSION as CORE\nfrom .part import VERSION\n"}
HERE_FILES: Files = {
    **distribution("model", "2.0", {**MODEL, "model/part.py": "VERSION = 'model 2'\n"}, "core==2.0"),
    **distribution("core", "2.0", {
        "core/__init__.py": "from ._core import VERSION\n",
        f"core/_core{NATIVE}": b"\x7fELF",
    }),
    # As PyYAML is: its compiled part is an extra.
    **distribution("notes", "2.0", {
        "notes/__init__.py": "VERSION = 'notes 2'\ntry:\n    from . import _fast\n    FAST = _fast.FAST\n"
        "except ImportError:\n    FAST = None\n",
        f"notes/_fast{NATIVE}": b"\x7fELF",
    }),
    # Compiled, with its source beside it.
    **distribution("compiled", "2.0", {"compiled.py": "VERSION = 'compiled 2'\n", f"compiled{NATIVE}": b"\x7fELF"}),
    **distribution("pure", "2.0", {"pure/__init__.py": "VERSION = 'pure 2'\n"}),
    # Pure, over numbers that only the target has.
    **distribution("sums", "2.0", {"sums.py": "import numbers_there\nVALUE = numbers_there.ONE + 1\n"}),
}
THERE_FILES: dict[str, Files] = {
    "model": distribution("model", "1.0", {**MODEL, "model/part.py": "VERSION = 'model 1'\n"}, "core==1.0"),
    "core": distribution("core", "1.0", {"core/__init__.py": "VERSION = 'core 1'\n"}),
    "notes": distribution("notes", "1.0", {"notes/__init__.py": "VERSION, FAST = 'notes 1', True\n"}),
    "compiled": distribution("compiled", "1.0", {"compiled.py": "VERSION = 'compiled 1'\n"}),
    "pure": distribution("pure", "1.0", {"pure/__init__.py": "VERSION = 'pure 1'\n"}),
    "numbers": {"numbers_there.py": "ONE = 1\n"},
}
TASK = """
import importlib
def get(name, *what):
    module = importlib.import_module(name)
    return [getattr(module, each) for each in what]
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start("core", ..., imports=...)``: a context on a Python that has these distributions of its own."""
    write(tmp_path / "here" / "site-packages", HERE_FILES)
    write(tmp_path / "here", {"task.py": TASK})
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "there")], check=True)
    (site,) = (tmp_path / "there").glob("lib/python*/site-packages")
    routers = []

    def begin(*names: str, imports: Mapping[str, str] | None = None) -> remotesvc.Context:
        for name in names:
            write(site, THERE_FILES[name])
        path = [tmp_path / "here", tmp_path / "here" / "site-packages"]
        routers.append(remotesvc.Router(path=path, imports=imports))
        python = str(tmp_path / "there" / "bin" / "python")
        return routers[-1].local(python=python).options(timeout=LIMIT)

    yield begin
    for router in routers:
        router.close()


def test_what_needs_a_compiled_core_comes_from_the_target_with_it(start: Start) -> None:
    assert start("core", "model").call("task:get", "model", "VERSION", "CORE") == ["model 1", "core 1"]


def test_the_core_alone_is_the_targets(start: Start) -> None:
    assert start("core").call("task:get", "model", "VERSION", "CORE") == ["model 2", "core 1"]


def test_without_the_core_the_error_names_its_file(start: Start) -> None:
    with pytest.raises(ImportError, match=f"core/_core{NATIVE}|_core{NATIVE}") as caught:
        start().call("task:get", "model", "VERSION")
    assert "pip install core==2.0" in str(caught.value)


def test_optional_compiled_part(start: Start) -> None:
    assert start().call("task:get", "notes", "VERSION", "FAST") == ["notes 2", None]
    assert start("notes").call("task:get", "notes", "VERSION", "FAST") == ["notes 1", True]


def test_compiled_with_its_source_beside_it_is_pure(start: Start) -> None:
    assert start("compiled").call("task:get", "compiled", "VERSION") == ["compiled 2"]


def test_pure_code_is_the_masters_whatever_the_target_has(start: Start) -> None:
    assert start("pure").call("task:get", "pure", "VERSION") == ["pure 2"]


def test_pure_code_over_what_only_the_target_has(start: Start) -> None:
    assert start("numbers").call("task:get", "sums", "VALUE") == [2]


def test_choices_of_a_user_say_where_packages_come_from(start: Start) -> None:
    context = start("pure", "notes", "core", imports={"pure": "target", "notes": "master", "core": "deny"})
    assert context.call("task:get", "pure", "VERSION") == ["pure 1"]
    assert context.call("task:get", "notes", "VERSION") == ["notes 2"]
    # Denied is what would leave the master; what the target has is its own.
    assert context.call("task:get", "core", "VERSION") == ["core 1"]
