"""Data files as `importlib.resources` gives them here: of directories, namespace packages and modules; and of many."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import PROBE, probe, write

pytest_plugins = ("tests.kernel.call_fixtures",)

FILES: dict[str, str | bytes] = {
    "holder/__init__.py": "",
    "holder/use.py": "import holder, spaced.part, remotesvc\n" + PROBE,
    "holder/data/a.txt": "A",
    "holder/data/b-c/b.txt": "B",
    "holder/code/other.py": "",
    "holder/plugins/inner/__init__.py": "",
    "spaced/part.py": "",
    "spaced/c.txt": "C",
    "secret/d.txt": "D",
}


@pytest.fixture
def context(interpreter: Interpreter, tmp_path: Path) -> Iterator[remotesvc.Context]:
    write(tmp_path / "mine", FILES)
    with remotesvc.Router(path=[tmp_path / "mine"]) as router:
        yield router.local(python=interpreter.path).options(timeout=LIMIT)


def run(context: remotesvc.Context, text: str) -> Any:
    return probe(context, "holder.use", text)


def test_directory_of_data_as_a_package(context: remotesvc.Context) -> None:
    text = """
import pkgutil, holder
from importlib import import_module
names = [each.name for each in pkgutil.iter_modules(holder.__path__)]
data = import_module("holder.data")
result = [sorted(names), data.__name__, list(data.__path__) == [holder.__path__[0] + "/data"]]
for name in "holder.code", "holder.plugins", "secret":
    try:
        import_module(name)
    except ImportError as error:
        result.append(error.name)
"""
    assert run(context, text) == [
        ["code", "plugins", "use"], "holder.data", True, "holder.code", "holder.plugins", "secret",
    ]  # fmt: skip


def test_files_of_directories_and_namespace_packages(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 10):
        return  # before, Python itself has none of a package without __init__.py
    text = """
from importlib.resources import files
import importlib.resources as r
result = [(files("holder.data") / "a.txt").read_text(), (files("holder.data.b-c") / "b.txt").read_text(),
          (files("spaced") / "c.txt").read_text(), sorted(each.name for each in files("holder.data").iterdir())]
"""
    assert run(context, text) == ["A", "B", "C", ["a.txt", "b-c"]]


def test_any_number_of_parts_is_joined(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 9):
        return
    text = """
from importlib.resources import files
top = files("holder")
result = [top.joinpath("data", "b-c", "b.txt").read_text(), top.joinpath("data").joinpath("a.txt").read_text(),
          top.joinpath().is_dir(), (top / "data/a.txt").read_text()]
"""
    assert run(context, text) == run(context, text) == ["B", "A", True, "A"]


def test_what_is_not_there_is_not_opened(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 9):
        return
    text = """
from importlib.resources import files
result = []
for name in ("no", "data/no", "data"):
    try:
        files("holder").joinpath(name).open("rb")
    except OSError as error:
        result.append(type(error).__name__)
"""
    assert run(context, text)[:2] == ["FileNotFoundError", "FileNotFoundError"]
    assert len(run(context, text)) == 3


def test_files_without_anchor_and_of_a_module(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 12):
        return
    text = """
from importlib.resources import files
from importlib.readers import FileReader
result = [(files("holder.use") / "data" / "a.txt").read_text(), (files() / "data" / "a.txt").read_text(),
          (files("spaced.part") / "c.txt").read_text()]
"""
    assert run(context, text) == ["A", "A", "C"]


def test_directory_as_a_file(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 10):
        return
    text = """
from importlib.resources import as_file, files
import os
with as_file(files("holder") / "data") as path:
    result = [path.name, (path / "a.txt").read_text(), (path / "b-c" / "b.txt").read_text()]
result.append(os.path.exists(str(path)))
"""
    assert run(context, text) == ["data", "A", "B", False]


def test_a_file_that_is_opened_is_fetched_when_it_is_read(tmp_path: Path, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 9):
        return
    write(tmp_path, {"many/__init__.py": "", "many/use.py": "import many\n" + PROBE})
    write(tmp_path, {f"many/zones/{number}.txt": f"{number}\nline\n" for number in range(100)})
    text = """
from importlib.resources import files
import hashlib, json, pickle, shutil, io
every = [files("many").joinpath("zones/%d.txt" % number) for number in range(100)]
for each in every:
    each.open("rb").close()
result = 1
"""
    more = """
def opened(number):
    return every[number].open("rb")
pieces = [opened(0).read(), opened(1).readline(), list(opened(2)), opened(3).readlines(1), opened(4).getvalue()]
file = opened(5)
size = file.seek(0, 2), file.tell(), file.seek(1), file.read(1), file.read(), file.read()
room = bytearray(3)
counts = [opened(6).readinto(room), bytes(room), bytes(opened(7).getbuffer()), opened(8).read1(2)]
copy = io.BytesIO()
shutil.copyfileobj(opened(9), copy)
with every[10].open() as lines:
    words = [lines.readline(), lines.read()]
result = [pieces, size, counts, copy.getvalue(), words, every[11].read_text(), every[12].read_bytes()]
"""
    with remotesvc.Router(path=[tmp_path]) as router:
        context = router.local(python=interpreter.path).options(timeout=LIMIT)
        count = router._tree._modules.statistics
        assert probe(context, "many.use", text) == 1
        assert "resource" not in count()["requests"]
        assert probe(context, "many.use", text + more) == [
            [b"0\nline\n", b"1\n", [b"2\n", b"line\n"], [b"3\n"], b"4\nline\n"],
            (7, 7, 1, b"\n", b"line\n", b""), [3, b"6\nl", b"7\nline\n", b"8\n"], b"9\nline\n",
            ["10\n", "line\n"], "11\nline\n", b"12\nline\n",
        ]  # fmt: skip
        assert count()["requests"]["resource"] == 13


def test_walking_many_data_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("many/__init__.py", "")
        archive.writestr("many/use.py", PROBE)
        for number in range(15_000):
            archive.writestr(f"many/data/{number % 100}/{number}.txt", "")
    text = """
import time
from importlib.resources import files
def walk(place):
    return sum(walk(each) if each.is_dir() else each.is_file() for each in place.iterdir())
before = time.process_time()
result = [walk(files("many")), time.process_time() - before]
"""
    with remotesvc.Router(path=[tmp_path / "many.zip"]) as router:
        context = router.local().options(timeout=LIMIT)
        probe(context, "many.use", "result = 1")
        before = time.process_time()
        found, there = probe(context, "many.use", text)
        here = time.process_time() - before
    assert found == 15_000
    assert here + there < 5, "processor time: what else the machine does takes none of it"
