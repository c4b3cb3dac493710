"""Imports read from bytecode, and the script with its guarded body cut off."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.modules.closure import Plans, Scanner
from remotesvc.modules.codes import Codes
from remotesvc.modules.find import Finder
from remotesvc.modules.found import Found
from remotesvc.modules.scan import Imported, imports_of
from remotesvc.modules.script import main_script, without_guarded
from tests.kernel.importing import write


def scan(text: str, name: str = "pkg.mod", is_pkg: bool = False) -> tuple[list[str], list[str]]:
    """Imports now and later, each as "module" or "module:names"."""
    found = Found(name, "source", is_pkg, textwrap.dedent(text).encode())
    now, later = ([shown(each) for each in scanned(found, functions)] for functions in (False, True))
    return now, later


def scanned(found: Found, functions: bool = False) -> tuple[Imported, ...]:
    return imports_of(found, Codes().code(found), functions)


def shown(imported: Imported) -> str:
    return imported.module + ":" * bool(imported.names) + ",".join(imported.names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a, b.c as d", ["a", "b.c"]),
        ("from a.b import c, d as e", ["a.b:c,d"]),
        ("from a import *", ["a:*"]),
        ("from . import x", ["pkg:x"]),
        ("from .x import y", ["pkg.x:y"]),
        ("from .. import x", []),
        ("try:\n    import a\nexcept ImportError:\n    import b", ["a", "b"]),
        ("class C:\n    import a\n    class D:\n        from b import c", ["a", "b:c"]),
        ("if x:\n    import a\nelse:\n    import b", ["a", "b"]),
        ("\n".join(f"v{n} = {n}" for n in range(400)) + "\nimport late", ["late"]),
        ("\n".join(f"import m{n}" for n in range(300)), [f"m{n}" for n in range(300)]),
    ],
)
def test_imports_at_import_time(text: str, expected: list[str]) -> None:
    assert scan(text) == (expected, [])


def test_what_only_type_checkers_import_is_told_apart_anywhere() -> None:
    far = "\n".join(f"import m{n}" for n in range(300))  # beyond what one byte can tell
    text = f"""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import never
import b
{far}
if typing.TYPE_CHECKING:
    import nor_this
else:
    import d
if TYPE_CHECKING:
    import nor_that
import e
"""
    assert scan(text)[0] == ["typing:TYPE_CHECKING", "b", *(f"m{n}" for n in range(300)), "d", "e"]


def test_relative_imports_of_a_package() -> None:
    text = "from . import x\nfrom .y import z\nfrom .. import w"
    assert scan(text, "top.pkg", is_pkg=True)[0] == ["top.pkg:x", "top.pkg.y:z", "top:w"]


def test_imports_of_functions_come_later() -> None:
    text = """
        import now
        def f():
            import one
            def g():
                from two import three
            class C:
                import four
        h = lambda: __import__
        class D:
            def method(self):
                import now, five
    """
    assert scan(text) == (["now"], ["one", "two:three", "four", "now", "five"])


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_type_checking_blocks_are_skipped(test: str) -> None:
    text = f"""
        import typing
        from typing import TYPE_CHECKING
        if {test}:
            import never
            from a import b
        else:
            import real
        import after
    """
    assert scan(text)[0] == ["typing", "typing:TYPE_CHECKING", "real", "after"]


def test_negated_type_checking_block_counts() -> None:
    text = "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import real"
    assert "real" in scan(text)[0]


@pytest.mark.parametrize("source", [b"def (:", b"\0", b"# coding: nonsense\nimport a"])
def test_source_that_does_not_compile_has_no_imports(source: bytes) -> None:
    assert scanned(Found("m", "source", source=source)) == ()


class TestCachedBytecode:
    @pytest.fixture
    def module(self, tmp_path: Path) -> Path:
        """A module whose cached bytecode tells another story than its source, so that it shows which is read."""
        path = tmp_path / "cached.py"
        path.write_text("import from_cache")
        py_compile.compile(str(path))
        status = path.stat()
        path.write_text("import from_srcc_")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return path

    def found(self, path: Path) -> Found:
        source, written = path.read_bytes(), int(path.stat().st_mtime)
        return Found("cached", "source", False, source, str(path), entry=str(path.parent), modified=written)

    def test_cached_bytecode_is_used(self, module: Path) -> None:
        assert scanned(self.found(module)) == (Imported("from_cache"),)

    @pytest.mark.parametrize("change", ["mtime", "size", "magic", "garbage"])
    def test_cached_bytecode_that_does_not_fit_is_not_used(self, module: Path, change: str) -> None:
        cache = Path(importlib.util.cache_from_source(str(module)))
        data = bytearray(cache.read_bytes())
        if change == "mtime":
            os.utime(module, (1, 1))
        elif change == "size":
            data[12] ^= 1
        elif change == "magic":
            data[0] ^= 1
        else:
            data[16:] = b"\xff" * 20
        cache.write_bytes(data)
        assert scanned(self.found(module)) == (Imported("from_srcc_"),)


class TestClosure:
    @pytest.fixture
    def finder(self, tmp_path: Path) -> Finder:
        write(
            tmp_path,
            {
                "task.py": "import json\nfrom lib import helpers, VALUE\nimport numpyish\ndef f():\n    import lazy",
                "lib/__init__.py": "VALUE = 1",
                "lib/helpers.py": "from .deep import thing\ndef g():\n    import rare",
                "lib/deep/__init__.py": "",
                "lib/deep/thing.py": "import lib",
                "lib/unused.py": "",
                "lazy.py": "def h():\n    import rarest",
                "rare.py": "",
                "rarest.py": "",
            },
        )
        return Finder([str(tmp_path)])

    def test_the_closure_of_a_call(self, finder: Finder) -> None:
        closure = Plans(finder, Codes()).closure("task", called=True).whole()
        assert closure.names == ["task", "lib", "lib.helpers", "lib.deep", "lib.deep.thing", "lazy"]
        assert list(closure.missing) == ["numpyish"]

    def test_the_closure_of_an_import(self, finder: Finder) -> None:
        names = Plans(finder, Codes()).closure("lib.helpers").whole().names
        assert names == ["lib", "lib.helpers", "lib.deep", "lib.deep.thing"]

    def test_grants_follow_functions(self, finder: Finder) -> None:
        plans = Plans(finder, Codes())
        assert plans.own("task") == {
            "task", "lib", "lib.helpers", "lib.deep", "lib.deep.thing", "lazy", "rare", "rarest"
        }
        assert plans.distributions("task") == set()

    def test_the_closure_of_a_standard_module_stays_in_its_package(self, finder: Finder) -> None:
        names = set(Plans(finder, Codes()).closure("json").whole().names)
        assert names == {"json", "json.decoder", "json.encoder", "json.scanner"}

    def test_each_module_is_scanned_once(self, finder: Finder) -> None:
        scanner = Scanner(finder, Codes())
        for _ in range(3):
            scanner.closure("task", lambda found: True, lambda found: True).whole()
        assert scanner.scanned == 8


def test_modules_hidden_by_the_standard_library_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, {
        "task.py": "import queue, other, lib\ndef f():\n    import code.parts, json\n",
        "other.py": "import queue, sched",
        "queue.py": "", "code/__init__.py": "", "code/parts.py": "", "sched/notes.txt": "", "heapq.py": "",
        "json.md": "",
        "site-packages/lib.py": "import heapq", "site-packages/lib-1.dist-info/RECORD": "lib.py,,\n",
    })  # fmt: skip
    Plans(Finder([str(tmp_path), str(tmp_path / "site-packages")]), Codes()).own("task")
    told = [record.getMessage() for record in caplog.records]
    assert sorted(text.split(":")[0] for text in told) == ["task imports code", "task imports queue"]
    assert any(str(tmp_path / "queue.py") in text for text in told)


class TestScript:
    GUARDED = (
        "import sys\n\ndef f():\n    return 1\n\nif __name__ == '__main__':\n    secret = 'x'\n    f()\nAFTER = 2\n"
    )

    def run(self, text: str) -> dict[str, object]:
        space: dict[str, object] = {"__name__": "__main__"}
        exec(compile(without_guarded(text.encode(), "s.py"), "s.py", "exec"), space)
        return space

    def test_body_is_cut_and_lines_keep_their_numbers(self) -> None:
        cut = without_guarded(self.GUARDED.encode(), "s.py").decode()
        assert "secret" not in cut
        assert cut.splitlines()[8] == "AFTER = 2"
        assert self.run(self.GUARDED)["AFTER"] == 2

    @pytest.mark.parametrize(
        "guard",
        [
            'if "__main__" == __name__:\n    bad = 1',
            "if __name__ == '__main__': bad = 1",
            "if (__name__ ==\n    '__main__'):\n    bad = 1",
            "if __name__ == '__main__' and True:\n    bad = '''\nx\n'''",
            "if __name__ == '__main__':\r\n    bad = 1\r\n",
        ],
    )
    def test_forms_of_the_guard(self, guard: str) -> None:
        assert "bad" not in self.run(f"a = 1\n{guard}\nb = 2\n")

    def test_the_else_branch_of_a_guard_stays(self) -> None:
        space = self.run("if __name__ == '__main__':\n    bad = 1\nelse:\n    good = 1\n")
        assert "good" in space and "bad" not in space

    def test_scripts_in_other_encodings_are_cut_too(self) -> None:
        source = "# -*- coding: latin-1 -*-\nNAME = 'ü'\nif __name__ == '__main__':\n    pass\n".encode("latin-1")
        space: dict[str, object] = {}
        exec(compile(without_guarded(source, "s.py"), "s.py", "exec"), space)
        assert space["NAME"] == "ü"

    def test_a_script_without_guard_is_refused_with_the_lines_to_add(self) -> None:
        with pytest.raises(UsageError, match='if __name__ == "__main__":\n        main()'):
            without_guarded(b"def f():\n    if __name__ == '__main__':\n        pass\nf()\n", "s.py")

    def test_interactive_session(self) -> None:
        with pytest.raises(UsageError, match="interactive"):
            main_script(ModuleType("__main__"))
