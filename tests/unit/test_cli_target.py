"""`module:func` and `path/file.py:func`: parsed, and found without an import."""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from pathlib import Path

import pytest

from remotesvc.cli.arguments.signature import check_class, parse_source, read_callee
from remotesvc.cli.arguments.target import Target, find_source, parse_target
from remotesvc.cli.problems import BadUsage

PATH = ("/first",)


@pytest.mark.parametrize(
    ("text", "module", "qualname"),
    [
        ("os:getpid", "os", "getpid"),
        ("pkg.sub.mod:Class.method", "pkg.sub.mod", "Class.method"),
        ("mod::func", "mod", "func"),
    ],
)
def test_module_targets(text: str, module: str, qualname: str) -> None:
    assert parse_target(text, PATH) == Target(module, qualname, PATH)


@pytest.mark.parametrize(
    "text",
    [
        "os",
        "os:",
        ":f",
        "",
        ":",
        "os:get-pid",
        "os path:f",
        "1os:f",
        "os:f()",
        "a..b:f",
        "os:f.",
        "missing.py:f",
    ],
)
def test_text_that_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(BadUsage):
        parse_target(text, PATH)


@pytest.mark.parametrize("place", ["random.py", "code/t.py"])
def test_a_file_that_is_named_like_the_standard_librarys_is_refused(tmp_path: Path, place: str) -> None:
    """Targets ran their own module of that name."""
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("def f(): pass\n")
    if file.parent != tmp_path:
        (file.parent / "__init__.py").touch()
    with pytest.raises(BadUsage, match="a module of the standard library, .* would run instead; rename yours"):
        parse_target(f"{file}:f", PATH)


def test_a_file_of_the_standard_library_is_taken() -> None:
    assert parse_target(f"{ast.__file__}:parse", PATH).call == "ast:parse"


def test_a_service_is_asked_for_as_one() -> None:
    assert parse_target("disks:Disks", PATH, "service") == Target("disks", "Disks", PATH)
    with pytest.raises(BadUsage, match="'Disks' does not name a service: write module:Service or"):
        parse_target("Disks", PATH, "service")


@pytest.mark.parametrize(("name", "says"), [
    ("free", "m:free is a function, not a service: name a class"),
    ("Disks.usage", "m:Disks.usage is a function, not a service"),
    ("LIMIT", "m:LIMIT is a value, not a service"),
    ("Diks", "m has no service 'Diks'; did you mean m:Disks?"),
])  # fmt: skip
def test_what_the_source_says_is_no_service(name: str, says: str) -> None:
    source = "from a import b\nLIMIT = 3\ndef free(): ...\nclass Disks(b.Service):\n    def usage(self): ...\n"
    tree = parse_source(source, "m.py")
    with pytest.raises(BadUsage, match=re.escape(says)):
        check_class(tree, "m", name)
    check_class(tree, "m", "Disks")
    check_class(tree, "m", "b")


def test_a_file_is_a_module_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("def f(): ...")
    assert parse_target(f"{tmp_path}/tasks.py:f", PATH) == Target("tasks", "f", (str(tmp_path), "/first"))
    assert parse_target(f"{tmp_path}/tasks.py::f", PATH).module == "tasks"


def test_a_file_in_a_package_keeps_its_package(tmp_path: Path) -> None:
    inner = tmp_path / "pkg" / "sub"
    inner.mkdir(parents=True)
    for directory in (tmp_path / "pkg", inner):
        (directory / "__init__.py").touch()
    (inner / "tasks.py").touch()
    assert parse_target(f"{inner}/tasks.py:f", ()) == Target("pkg.sub.tasks", "f", (str(tmp_path),))
    assert parse_target(f"{inner}/__init__.py:f", ()).module == "pkg.sub"


def test_a_file_that_no_import_could_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my-tasks.py").touch()
    with pytest.raises(BadUsage, match="my-tasks"):
        parse_target(f"{tmp_path}/my-tasks.py:f", ())


def test_a_relative_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks.py").touch()
    monkeypatch.chdir(tmp_path)
    assert parse_target("tasks.py:f", ()).path == (str(tmp_path),)


def test_finding_runs_nothing(tmp_path: Path) -> None:
    package = tmp_path / "loud_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "tasks.py").write_text("raise SystemExit('imported')\ndef f(): ...")
    source = find_source(Target("loud_package.tasks", "f", (str(tmp_path),)))
    assert source is not None and source.text is not None
    assert b"def f" in source.text
    assert "loud_package" not in sys.modules
    top = find_source(Target("loud_package", "f", (str(tmp_path),)))
    assert top is not None and "tasks" in top.submodules


def test_the_given_path_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("mine = 1")
    source = find_source(Target("pytest", "f", (str(tmp_path),)))
    assert source is not None and source.text == b"mine = 1"


def test_zipped_modules_have_source(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zipped.py", "def f(): ...")
    source = find_source(Target("zipped", "f", (str(tmp_path / "lib.zip"),)))
    assert source is not None and source.text == b"def f(): ..."


@pytest.mark.parametrize("module", ["no_such_module_anywhere", "json.nothing", "os.nothing.deeper"])
def test_a_module_that_is_not_here_has_no_source(module: str) -> None:
    assert find_source(Target(module, "f", ())) is None


@pytest.mark.parametrize("module", ["sys", "time", "_ssl"])
def test_native_modules_have_no_source(module: str) -> None:
    source = find_source(Target(module, "f", ()))
    assert source is None or source.text is None


def test_the_standard_library_is_known_as_such() -> None:
    source = find_source(Target("os", "f", ()))
    assert source is not None and source.standard and source.text is not None


def test_source_in_its_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\ndef f(x='\xe9'): ...\n")
    source = find_source(Target("latin", "f", (str(tmp_path),)))
    assert source is not None and source.text is not None
    assert read_callee(parse_source(source.text, source.file), "latin", "f").shown == "latin:f(x='é')"


@pytest.mark.parametrize("text", [b"x = '\xe9'\n", b"# coding: no-such-code\n"])
def test_a_file_in_a_wrong_encoding_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "strange.py").write_bytes(text)
    source = find_source(Target("strange", "f", (str(tmp_path),)))
    assert source is not None and source.text is not None
    with pytest.raises(BadUsage, match=r"strange\.py"):
        parse_source(source.text, source.file)
