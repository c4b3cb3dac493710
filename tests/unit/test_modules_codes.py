"""Modules as bytecode, and the lines of their source for tracebacks."""

from __future__ import annotations

import marshal
import py_compile
import subprocess
import sys
import zlib
from pathlib import Path
from types import CodeType, SimpleNamespace

import pytest

from remotesvc.bootstrap.finder import ROOT, label_of
from remotesvc.bootstrap.imports.modules import (
    MODULE,
    TEXT,
    Entry,
    unpack,
)
from remotesvc.jobs.lines import fill_in
from remotesvc.modules.codes import MAGIC
from remotesvc.modules.policy import HERE
from remotesvc.modules.server import ModuleServer
from tests import zones
from tests.kernel.importing import write
from tests.unit.module_answers import request

pytest_plugins = ("tests.unit.module_fixtures",)


class TestCode:
    """Bytecode for a Python of our magic number."""

    def entry(self, server: ModuleServer, name: str, magic: bytes) -> Entry:
        wanted = request(MODULE, name, HERE, magic=magic)
        return unpack(next(item for item in server.answer(1, wanted)["modules"] if isinstance(item, list)))

    def test_code_is_for_the_same_magic_only(self, server: ModuleServer) -> None:
        assert self.entry(server, "installed", b"").magic is None
        assert self.entry(server, "installed", b"\0\0\r\n").magic is None
        entry = self.entry(server, "installed.part", MAGIC)
        assert entry.magic == MAGIC
        assert isinstance(marshal.loads(zlib.decompress(entry.data)), CodeType)

    def test_code_has_labels_for_file_names_all_through(self, server: ModuleServer, site: Path) -> None:
        write(site, {"nested.py": "class A:\n    def f(self):\n        return [lambda: x for x in ()]\n"})
        py_compile.compile(str(site / "nested.py"))
        server.ahead(1, "nested", 0)
        data = zlib.decompress(self.entry(server, "nested", MAGIC).data)
        assert str(site).encode() not in data

        def files(code: CodeType) -> set[str]:
            inner = [files(each) for each in code.co_consts if isinstance(each, CodeType)]
            return {code.co_filename}.union(*inner)

        assert files(marshal.loads(data)) == {"/proc/remotesvc:/nested.py"}

    @pytest.mark.parametrize("text", ["+1" * 30_000, "(" * 5000 + ")" * 5000, "[" * 150 + "]" * 150 + "\0"])
    def test_what_cannot_be_compiled_here_goes_as_source(self, server: ModuleServer, site: Path, text: str) -> None:
        """A target may do better, or an `except` there be ready for it."""
        write(site, {"deep.py": f"X = 1{text}\n", "wants.py": "import deep, helper\n"})
        items = server.ahead(1, "wants", 1 << 20, magic=MAGIC)
        wants, *rest = (unpack(item) for item in items if isinstance(item, list))
        assert wants.magic == MAGIC
        assert [each.magic for each in rest if each.name == "deep"] == [None]
        assert [each.magic for each in rest if each.name == "helper"] == [MAGIC]

    def test_code_whose_path_cannot_be_replaced_in_place_has_its_label(self, server: ModuleServer, site: Path) -> None:
        write(site, {"same.py": f"PATH = 'x{site / 'same.py'}'\n", "wörter.py": "X = 1\n", "moved.py": "X = 1\n"})
        for name in ("same", "wörter", "moved"):
            py_compile.compile(str(site / f"{name}.py"), dfile="/elsewhere/moved.py" if name == "moved" else None)
            server.ahead(1, name, 0)
            code = marshal.loads(zlib.decompress(self.entry(server, name, MAGIC).data))
            assert code.co_filename == f"/proc/remotesvc:/{name}.py"

    @pytest.mark.parametrize("cached", [False, True])
    def test_code_of_a_master_that_optimizes_has_all_that_others_want(self, site: Path, cached: bool) -> None:
        write(site, {"checked.py": "'The text.'\ndef f(value):\n    'Says it.'\n    assert value, 'none'\n"})
        if cached:
            py_compile.compile(str(site / "checked.py"), optimize=2)
        code = """
import marshal, sys, zlib
from remotesvc.modules.codes import MAGIC
from remotesvc.modules.server import ModuleServer
items = ModuleServer(path=sys.argv[1:]).ahead(1, "checked", 9999, magic=MAGIC)
space = {}
exec(marshal.loads(zlib.decompress(next(item for item in items if isinstance(item, list))[4])), space)
try:
    space["f"](0)
except AssertionError as error:
    print(space["__doc__"], space["f"].__doc__, error)
"""
        done = subprocess.run([sys.executable, "-OO", "-c", code, site], cwd=zones.ROOT, capture_output=True, text=True,
                              timeout=60, check=True)  # fmt: skip
        assert done.stdout == "The text. Says it. none\n"

    def test_code_of_what_does_not_compile_is_its_source(self, server: ModuleServer, site: Path) -> None:
        write(site, {"wrong.py": "def oops(:\n"})
        server.ahead(1, "wrong", 0)
        entry = self.entry(server, "wrong", MAGIC)
        assert (entry.magic, zlib.decompress(entry.data)) == (None, b"def oops(:\n")

    def test_code_is_compiled_once_where_there_is_no_cache(self, server: ModuleServer) -> None:
        for child in range(5):
            server.ahead(child, "task", 1 << 20, magic=MAGIC)
        # The five modules that are not empty, and the two that are.
        assert server.statistics()["compiled"] == 7

    def test_source_comes_on_demand_under_the_rules_of_code(self, server: ModuleServer) -> None:
        assert "reason" in server.answer(1, request(TEXT, "private", HERE))
        server.ahead(1, "task", 0)
        assert zlib.decompress(server.answer(1, request(TEXT, "helper", HERE))["data"]).endswith(b"# second line\n")
        assert "reason" in server.answer(1, request(TEXT, "nowhere", HERE))

    def test_code_of_a_file_that_changed_since_is_as_it_was(self, server: ModuleServer, site: Path) -> None:
        server.ahead(1, "task", 0)
        write(site, {"helper.py": "changed = 1\n"})
        py_compile.compile(str(site / "helper.py"))
        entry = self.entry(server, "helper", MAGIC)
        assert "changed" not in marshal.loads(zlib.decompress(entry.data)).co_names


class TestSourceLines:
    def test_source_lines_of_modules_that_were_sent(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 1 << 20)
        assert server.sent.source_line("/proc/remotesvc:/helper.py", 2) == "# second line"
        assert server.sent.source_line("/proc/remotesvc:/helper.py", 99) == ""
        assert server.sent.source_line("/proc/remotesvc:/helper.py", -1) == ""

    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_source_lines_are_counted_as_python_counts_them(
        self, server: ModuleServer, site: Path, ending: str
    ) -> None:
        write(site, {"paged.py": f"A = 1{ending}\f{ending}B = '\x85\u2028\x1c'{ending}C = 1{ending}".encode()})
        entries = [unpack(item) for item in server.ahead(1, "paged", 1 << 20) if isinstance(item, list)]
        assert server.sent.source_line(label_of("paged", False), 4) == "C = 1"
        reply = ["raised", {"frames": [[label_of("paged", False), 4, "f", ""]], "cause": None, "context": None,
                            "members": []}]  # fmt: skip
        fill_in(reply, SimpleNamespace(entries={each.name: each for each in entries}))
        assert reply[1]["frames"][0][3] == "C = 1"  # type: ignore[index]

    def test_source_lines_of_the_kernel(self, server: ModuleServer) -> None:
        assert server.sent.source_line(label_of("remotesvc.bootstrap.imports.modules", False), 1).startswith(
            '"""Modules on the wire'
        )

    @pytest.mark.parametrize(
        "label", ["", "/etc/passwd", ROOT + "private.py", ROOT + "remotesvc/bootstrap/../x.py"]
    )
    def test_source_lines_of_nothing_else_are_given(self, server: ModuleServer, label: str) -> None:
        assert server.sent.source_line(label, 1) == ""


class TestValidHere:
    @pytest.mark.parametrize(("text", "valid"), [
        ("def f(x):\n    return x is 1\n", True), ("x = = 1\n", False), (f"x = {'(' * 150}1{')' * 150}\n", True),
        (f"x = {'-' * 200_000}1\n", False),
    ])  # fmt: skip
    def test_whether_code_that_was_sent_is_valid_here_is_told_without_a_warning(
        self, server: ModuleServer, site: Path, recwarn: pytest.WarningsRecorder, text: str, valid: bool
    ) -> None:
        write(site, {"judged.py": text})
        server.ahead(1, "judged", 1 << 20)
        recwarn.clear()
        assert server.sent.is_valid_here(label_of("judged", False)) is valid
        assert not recwarn.list

    def test_what_was_not_sent_is_not_judged(self, server: ModuleServer) -> None:
        assert not server.sent.is_valid_here("/etc/passwd")
