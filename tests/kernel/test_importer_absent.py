"""Modules that a child does not get: absent, refused, denied, native, or the target's own; and what it says then."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import pytest

from remotesvc.bootstrap.finder import ROOT
from remotesvc.bootstrap.imports.importer import ARRIVAL_LIMIT
from remotesvc.bootstrap.imports.modules import REFUSED, Entry, pack
from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter
from tests.kernel.import_fixtures import NATIVE
from tests.kernel.importing import Child, RemoteError, write

pytest_plugins = ("tests.kernel.import_fixtures",)


def test_absent_module_a_second_time(child: Child) -> None:
    for _ in range(2):
        with pytest.raises(RemoteError) as caught:
            child.run("import nowhere.at.all")
        assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "nowhere")
        assert "the master has no such module either" in caught.value.message
    assert child.names == ["nowhere"]


def test_absent_module_that_was_made_meanwhile(child: Child, module_server: ModuleServer, project: Path) -> None:
    again = "try:\n    import made_late\n    result = made_late.X\nexcept ImportError:\n    result = None\n"
    assert child.run(again) is None
    write(project, {"made_late.py": "X = 1"})
    importlib.invalidate_caches()
    module_server.ahead(1, "made_late", 0)
    assert child.run(f"import importlib\nimportlib.invalidate_caches()\n{again}") == 1


def test_submodule_that_the_package_does_not_have_is_not_asked_for(child: Child) -> None:
    child.run("import shop")
    with pytest.raises(RemoteError) as caught:
        child.run("import shop.nothing")
    assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "shop.nothing")
    assert child.run("import shop.optional; result = shop.optional._speed") is None
    assert child.names == ["shop", "shop.optional"]


def test_refused_module_names_the_rule(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("import secret_settings")
    assert caught.value.kind == "ModuleNotFoundError"
    assert "allow=['secret_settings']" in caught.value.message


def test_refusal_ends_when_a_call_needs_the_module(child: Child, module_server: ModuleServer) -> None:
    with pytest.raises(RemoteError):
        child.run("import secret_settings")
    module_server.ahead(1, "secret_settings", 0)
    assert child.run("import secret_settings as s; result = s.PASSWORD") == "x"


def test_what_was_announced_and_will_not_come_is_asked_for_at_once(child: Child) -> None:
    given_up = pack(Entry("later", REFUSED, label="the master failed to send it"))
    started = time.monotonic()
    child.announce(["later"])
    child.deliver([given_up])
    assert child.run("import later; result = later.VALUE") == "later"
    assert child.names == ["later"]
    assert time.monotonic() - started < ARRIVAL_LIMIT / 2


def test_denied_module(interpreter: Interpreter, project: Path) -> None:
    module_server = ModuleServer(path=[str(project)], deny=["shop.money"])
    module_server.ahead(1, "app", 0)
    with Child(interpreter, module_server) as child:
        with pytest.raises(RemoteError, match="deny='shop.money'") as caught:
            child.run("import shop")  # which has "from . import money"
        assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "shop")
        with pytest.raises(RemoteError, match="deny='shop.money'"):
            child.run("from shop import money")


def test_native_module_names_the_file(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("import fastmath")
    assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "fastmath")
    assert NATIVE in caught.value.message
    assert "target" in caught.value.message


def test_find_spec_answers_none_instead_of_raising(child: Child) -> None:
    code = "from importlib.util import find_spec as f; result = [f('nowhere'), f('fastmath'), f('later').origin]"
    assert child.run(code) == [None, None, "/proc/remotesvc:/later.py"]


def test_finders_of_called_code_are_asked_last(child: Child) -> None:
    code = """
import sys
from importlib.machinery import ModuleSpec
class Finder(object):
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Finder) if name in ("made.up", "made") else None
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        module.__path__ = []
sys.meta_path.append(Finder)
import made.up
result = made.up.__name__
"""
    assert child.run(code) == "made.up"
    assert child.names == ["made"]


def test_copy_of_this_package_on_the_target_is_ignored(
    interpreter: Interpreter, module_server: ModuleServer, tmp_path: Path
) -> None:
    write(tmp_path / "old", {"remotesvc/__init__.py": "old = 1", "remotesvc/context.py": "old = 1"})
    with Child(interpreter, module_server) as child:
        code = """
import sys
sys.path.insert(0, %r)
finder.stdlib_path.insert(0, %r)
import remotesvc
from remotesvc.bootstrap.imports import resources
try:
    import remotesvc.cli
except ImportError as error:
    result = [remotesvc.__file__, resources.__file__, str(error)]
"""
        result = child.run(code % (str(tmp_path / "old"), str(tmp_path / "old")))
    assert result[:2] == [ROOT + "remotesvc/__init__.py", ROOT + "remotesvc/bootstrap/imports/resources.py"]
    assert "exists on the master only" in result[2]


def test_package_of_the_target_is_used_where_the_master_has_none(child: Child, tmp_path: Path) -> None:
    write(tmp_path / "theirs", {"theirs_only/__init__.py": "X = 1", "theirs_only/part.py": "Y = 2"})
    child.run(f"import site, sys; site.main = lambda: sys.path.append({str(tmp_path / 'theirs')!r})")
    assert child.run("import theirs_only.part as p; result = [p.Y, p.__file__]")[0] == 2
    with pytest.raises(RemoteError, match="theirs_only.nothing"):
        child.run("import theirs_only.nothing")
    assert child.names == ["theirs_only"]


def test_asking_that_fails_is_tried_again(interpreter: Interpreter, module_server: ModuleServer) -> None:
    module_server.ahead(1, "app", 0)
    replies: list[object] = ["the link is slow"]
    answer = lambda request: replies.pop() if replies else module_server.answer(1, request)  # noqa: E731
    with Child(interpreter, module_server, answer=answer) as child:
        with pytest.raises(RemoteError, match="the link is slow"):
            child.run("import later")
        assert child.run("import later; result = later.VALUE") == "later"
