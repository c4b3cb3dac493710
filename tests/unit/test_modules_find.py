"""Finding modules, their distributions and their data files, without importing anything."""

from __future__ import annotations

import os
import sys
import zipfile
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from remotesvc.modules.datafiles import Unavailable, data_files, read_data_file, withheld
from remotesvc.modules.directories import leads_to
from remotesvc.modules.distributions import Distribution
from remotesvc.modules.find import Finder
from remotesvc.modules.found import Found
from remotesvc.modules.policy import Ruling
from tests.kernel.importing import write

NATIVE = EXTENSION_SUFFIXES[0]


def located(finder: Finder, name: str) -> Found:
    found = finder.locate(name)
    assert found is not None
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with installed distributions, as pip leaves it."""
    write(
        tmp_path,
        {
            "pure/__init__.py": "",
            "pure/part.py": "",
            "Pure_Dist-1.2.dist-info/RECORD": "pure/__init__.py,,\npure/part.py,,\n",
            "Pure_Dist-1.2.dist-info/METADATA": (
                "Name: Pure-Dist\nRequires-Dist: twinned\nRequires-Dist: fast; extra == 'x'\n\n"
            ),
            "fast/__init__.py": "",
            f"fast/core{NATIVE}": b"",
            "fast-2.0.dist-info/RECORD": f"fast/__init__.py,,\nfast/core{NATIVE},,\n",
            "needy.py": "",
            "needy-1.dist-info/RECORD": "needy.py,,\n",
            "needy-1.dist-info/METADATA": "Name: needy\nRequires-Dist: Fast (>=1)\n\nRequires-Dist: pure\n",
            "twinned/__init__.py": "",
            f"twinned/md{NATIVE}": b"",
            "twinned/md.py": "X = 1",
            "twinned-1.dist-info/RECORD": f"twinned/__init__.py,,\ntwinned/md{NATIVE},,\ntwinned/md.py,,\n",
            "edited/__init__.py": "",
            "edited-1.dist-info/RECORD": "edited/__init__.py,,\n",
            "edited-1.dist-info/direct_url.json": '{"dir_info": {"editable": true}, "url": "file:///x"}',
            "older/__init__.py": "",
            "older-3.egg-info/top_level.txt": "older\n",
            "theirs.py": "",
            "theirs-1.dist-info/RECORD": "theirs.py,,\n",
            "theirs-1.dist-info/INSTALLER": "rpm\n",
            "loose.py": "",
        },
    )
    return tmp_path


def test_finding_a_module_imports_nothing(tmp_path: Path) -> None:
    write(
        tmp_path, {"boom/__init__.py": "raise SystemExit", "boom/deep/__init__.py": "1/0", "boom/deep/er.py": "X = 1"}
    )
    before = dict(sys.modules)
    found = located(Finder([str(tmp_path)]), "boom.deep.er")
    assert (found.kind, found.source, found.is_pkg) == ("source", b"X = 1", False)
    assert sys.modules == before


@pytest.mark.parametrize("name", ["nowhere", "nowhere.deep", "os.path.more", "sys.nothing"])
def test_what_does_not_exist_is_none(name: str) -> None:
    assert Finder().locate(name) is None


def test_a_module_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"changing.py": "one"})
    finder = Finder([str(tmp_path)])
    assert located(finder, "changing").source == b"one"
    write(tmp_path, {"changing.py": "two"})
    assert located(finder, "changing").source == b"one"


def test_paths_given_come_before_sys_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a/mine.py": "a", "b/mine.py": "b"})
    monkeypatch.syspath_prepend(str(tmp_path / "b"))
    assert located(Finder([str(tmp_path / "a")]), "mine").source == b"a"
    assert located(Finder(), "mine").source == b"b"


def test_entries_of_sys_path_that_are_no_text_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"passed/over.py": "", "mine/found.py": ""})
    strange = [tmp_path / "passed", bytes(tmp_path / "passed"), None]
    monkeypatch.setattr(sys, "path", [*strange, str(tmp_path / "mine"), *sys.path])
    finder = Finder()
    assert located(finder, "found").first_party and located(finder, "json").stdlib
    assert finder.locate("over") is None and finder.distribution("nothing-like-it") is None


def test_namespace_package_over_several_entries(tmp_path: Path) -> None:
    write(tmp_path, {"a/ns/deep/one.py": "1", "b/ns/deep/two.py": "2", "b/ns/data/x.txt": ""})
    finder = Finder([str(tmp_path / "a"), str(tmp_path / "b")])
    found = located(finder, "ns")
    assert (found.kind, found.is_pkg, len(found.directories)) == ("namespace", True, 2)
    assert located(finder, "ns.deep.one").source + located(finder, "ns.deep.two").source == b"12"
    assert finder.submodules(found) == ("data//", "deep/")
    assert finder.submodules(located(finder, "ns.deep")) == ("one", "two")


@pytest.mark.parametrize("text", [
    "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n",
    "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "__import__('pkg_resources').declare_namespace(__name__)\n",
])  # fmt: skip
def test_namespace_package_of_the_older_kinds(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"a/old/__init__.py": text, "a/old/one.py": "1", "b/old/__init__.py": text, "b/old/two.py": "2",
                     "c/old/three.py": "3", "a/plain/__init__.py": "", "b/plain/__init__.py": ""})  # fmt: skip
    finder = Finder([str(tmp_path / part) for part in "abc"])
    assert finder.submodules(located(finder, "old")) == ("one", "three", "two")
    assert located(finder, "old.two").source + located(finder, "old.three").source == b"23"
    assert len(located(finder, "plain").directories) == 1


def test_a_line_full_of_paths_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"long/__init__.py": "# " + "__path__ " * 300_000 + "\n# extend_path", "b/long/__init__.py": ""})
    assert len(located(Finder([str(tmp_path), str(tmp_path / "b")]), "long").directories) == 1


def test_submodules(tmp_path: Path) -> None:
    files = [
        "__init__.py",
        "a.py",
        "b/__init__.py",
        f"c{NATIVE}",
        "not-an-identifier.py",
        "0001_first/__init__.py",
        "no module.py",
        ".d.py",
        "__pycache__/e.py",
        "data/f.txt",
    ]
    write(tmp_path, {f"pkg/{name}": b"" for name in files})
    finder = Finder([str(tmp_path)])
    assert finder.submodules(located(finder, "pkg")) == ("0001_first/", "a", "b/", "c", "data//", "not-an-identifier")


def test_standard_library() -> None:
    finder = Finder()
    assert [located(finder, name).stdlib for name in ("json", "json.decoder", "sys", "_ctypes")] == [True] * 4
    assert located(finder, "sys").kind == "builtin"


def test_own_package_is_found_where_it_is_imported_from() -> None:
    import remotesvc.bootstrap.links.wire

    finder = Finder()
    assert located(finder, "remotesvc.bootstrap.links.wire").own
    wire = Path(remotesvc.bootstrap.links.wire.__file__)
    assert located(finder, "remotesvc.bootstrap.links.wire").source == wire.read_bytes()


def test_zipped_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "A = 1")
        archive.writestr("zipped/part.py", "B = 2")
    finder = Finder([str(tmp_path / "z.zip")])
    assert located(finder, "zipped.part").source == b"B = 2"
    assert finder.submodules(located(finder, "zipped")) == ("part",)


def test_finder_of_an_editable_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"src/checkout/__init__.py": "X = 1", "src/checkout/part.py": "Y = 2"})

    class Editable:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            where = tmp_path / "src" / "checkout" / "__init__.py"
            return spec_from_file_location(name, where) if name == "checkout" else None

    class Strange(Editable):
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            raise AssertionError("asked for " + name)

    Editable.__module__ = "__editable___checkout_finder"
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Strange, Editable])
    finder = Finder()
    assert located(finder, "checkout").first_party
    assert located(finder, "checkout.part").source == b"Y = 2"
    assert located(finder, "checkout.part").first_party


def test_parts_that_the_finder_of_an_editable_install_has_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As scikit-build-core makes one: tables of files in the checkout, and of those that were built."""
    write(tmp_path, {"src/mixed/__init__.py": "", "site/mixed/built.py": "X = 1", "more/sub/__init__.py": ""})
    tables = {
        "known_source_files": {"mixed": "src/mixed/__init__.py", "mixed.sub": "more/sub/__init__.py"},
        "known_wheel_files": {"mixed.built": "site/mixed/built.py", "other.part": "x.py"},
    }

    class Redirecting:
        def __init__(self) -> None:
            for name, table in tables.items():
                setattr(self, name, {each: str(tmp_path / path) for each, path in table.items()})

        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            files = {name: str(tmp_path / path) for table in tables.values() for name, path in table.items()}
            return spec_from_file_location(name, files[name]) if name in files else None

    Redirecting.__module__ = "_editable_skbc_mixed"
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Redirecting()])
    finder = Finder()
    assert finder.submodules(located(finder, "mixed")) == ("built", "sub/")
    assert located(finder, "mixed.built").source == b"X = 1"


def test_module_made_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    text = "MADE = 'ü'"

    class Loader:
        def get_source(self, name: str) -> str:
            return text

    module = ModuleType("made_up")
    module.__spec__ = ModuleSpec("made_up", Loader())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "made_up", module)
    assert located(Finder(), "made_up").source == "MADE = 'ü'".encode()
    for comment in ("# -*- coding: latin-1 -*-\n", "#!/bin/python\n# vim: set fileencoding=ascii coding:cp1252 :\n"):
        text = f"{comment}MADE = 'ü coding: x'\n"
        space: dict[str, object] = {}
        exec(located(Finder(), "made_up").source, space)
        assert space["MADE"] == "ü coding: x"
    text = '"""Text,\n# whose coding: is no matter."""\n'
    assert located(Finder(), "made_up").source.decode() == text


def test_parts_of_a_package_made_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target asks for none that the package is not said to have."""
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    class Loader:
        def get_source(self, name: str) -> str:
            return f"NAME = {name!r}"

    for name, is_package in (("virtual", True), ("virtual.part", False), ("virtual.below", True)):
        module: Any = ModuleType(name)
        module.__spec__ = ModuleSpec(name, Loader(), is_package=is_package)  # type: ignore[arg-type]
        if is_package:
            module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
    finder = Finder()
    assert finder.submodules(located(finder, "virtual")) == ("below/", "part")
    assert located(finder, "virtual.part").source == b"NAME = 'virtual.part'"


def test_native_module_with_and_without_python_beside(site: Path) -> None:
    finder = Finder([str(site)])
    assert located(finder, "fast.core").kind == "native"
    assert (located(finder, "twinned.md").kind, located(finder, "twinned.md").source) == ("source", b"X = 1")


@pytest.mark.parametrize(
    ("module", "name", "version"),
    [("pure.part", "Pure_Dist", "1.2"), ("fast", "fast", "2.0"), ("older", "older", "3"), ("needy", "needy", "1")],
)
def test_distribution_of_a_module(site: Path, module: str, name: str, version: str) -> None:
    found = located(Finder([str(site) + "/"]), module)
    assert found.distribution is not None and not found.first_party
    assert (found.distribution.name, found.distribution.version) == (name, version)


def test_records_of_distributions_with_other_names_are_not_read(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    text = Distribution.text

    def noted(self: Distribution, name: str) -> str | None:
        read.append((self.name, name))
        return text(self, name)

    monkeypatch.setattr(Distribution, "text", noted)
    finder = Finder([str(site)])
    assert not located(finder, "pure.part").first_party
    assert {name for name, file in read if file == "RECORD"} == {"Pure_Dist"}
    assert located(finder, "loose").first_party
    assert len({name for name, file in read if file == "RECORD"}) > 5


@pytest.mark.parametrize("module", ["edited", "loose"])
def test_editable_and_loose_modules_are_first_party(site: Path, module: str) -> None:
    assert located(Finder([str(site)]), module).first_party


def test_distributions_that_need_compiled_code(site: Path) -> None:
    finder = Finder([str(site)])
    needs = {name: located(finder, name).distribution for name in ("pure", "fast", "needy", "twinned", "theirs")}
    assert {name: owner is not None and owner.needs_native for name, owner in needs.items()} == {
        "pure": None,
        "fast": f"fast/core{NATIVE}",
        "needy": f"fast/core{NATIVE}",
        "twinned": None,
        "theirs": None,
    }
    assert {name for name, owner in needs.items() if owner is not None and owner.of_the_system} == {"theirs"}
    pure = needs["pure"]
    assert pure is not None and pure.with_requirements() == {"pure-dist", "twinned"}


class TestDataFiles:
    @pytest.fixture
    def package(self, tmp_path: Path) -> Found:
        files = ["a.txt", ".env", "code.py", "data/b.bin", "data/.git/c", "sub/__init__.py", "sub/d.txt", f"e{NATIVE}"]
        write(tmp_path, {"pkg/__init__.py": "", **{f"pkg/{name}": name for name in files}, "outside.txt": "secret"})
        (tmp_path / "pkg" / "link.txt").symlink_to(tmp_path / "outside.txt")
        (tmp_path / "pkg" / "up").symlink_to(tmp_path)
        (tmp_path / "pkg" / "inside.txt").symlink_to("a.txt")
        return located(Finder([str(tmp_path)]), "pkg")

    def test_data_files_are_listed(self, package: Found) -> None:
        assert data_files(package) == ["a.txt", "data/b.bin", "inside.txt"]

    def test_links_that_lead_nowhere(self, tmp_path: Path) -> None:
        """In a circle, or where nobody may look: a test that root runs has to make up the latter."""
        write(tmp_path, {"pkg/__init__.py": "", "pkg/a.txt": "", "pkg/sub/part.py": ""})
        for name in ("loop", "loop.txt", "loop.py", "sub/loop"):
            (tmp_path / "pkg" / name).symlink_to(name.rpartition("/")[2])
        package = located(finder := Finder([str(tmp_path)]), "pkg")
        assert (finder.submodules(package), data_files(package)) == (("loop", "sub/"), ["a.txt"])
        assert finder.submodules(located(finder, "pkg.sub")) == ("part",)

        def refused() -> bool:
            raise PermissionError(13, "Permission denied")

        assert leads_to(refused) is False

    def test_data_files_are_read(self, package: Found) -> None:
        assert [read_data_file(package, path) for path in ("a.txt", "data/b.bin")] == [b"a.txt", b"data/b.bin"]

    @pytest.mark.parametrize("path", ["code.py", "link.txt", "up/outside.txt", f"e{NATIVE}", "nothing", "data"])
    def test_what_is_no_data_file_is_not_served(self, package: Found, path: str) -> None:
        with pytest.raises(Unavailable, match=path.partition("/")[0]):
            read_data_file(package, path)


    @pytest.mark.parametrize("path", ["CODE.PY", "A.txt", "DATA/b.bin", "data/B.BIN", "Sub/d.txt"])
    def test_a_file_is_read_by_its_own_name_only(
        self, package: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """On a file system that compares names without their case."""
        files = {str(each).lower(): each for each in tmp_path.rglob("*")}
        monkeypatch.setattr(os.path, "lexists", lambda name: name.lower() in files)
        monkeypatch.setattr(os.path, "isfile", lambda name: name.lower() in files and files[name.lower()].is_file())
        assert [read_data_file(package, each) for each in ("a.txt", "sub/d.txt")] == [b"a.txt", b"sub/d.txt"]
        with pytest.raises(Unavailable, match=path):
            read_data_file(package, path)

    def test_data_files_of_directories_that_are_none(self, package: Found, tmp_path: Path) -> None:
        """As meson-python's finders name them, below their own file: theirs is the directory of the package's file."""
        write(tmp_path, {"_pkg_editable_loader.py": ""})
        package = replace(package, directories=(str(tmp_path / "_pkg_editable_loader.py" / "pkg"),))
        assert data_files(package) == ["a.txt", "data/b.bin", "inside.txt"]
        assert read_data_file(package, "data/b.bin") == b"data/b.bin"
        with pytest.raises(Unavailable):
            read_data_file(package, "link.txt")


def test_each_directory_on_the_way_to_a_data_file_is_ruled_on_and_there_are_not_any_number() -> None:
    asked: list[str] = []

    def rule(name: str) -> Ruling:
        asked.append(name)
        return Ruling("refused", "denied", "deny") if name == "p.a.b" else Ruling("master")

    assert withheld("p", "a/c/file.txt", lambda name: None, rule) is None
    denied = withheld("p", "a/b/file.txt", lambda name: None, rule)
    assert denied is not None and denied.reason == "denied"
    asked.clear()
    deep = withheld("p", "/".join(["x"] * 500), lambda name: None, rule)
    assert deep is not None and "32 directories" in deep.reason
    assert asked == []
