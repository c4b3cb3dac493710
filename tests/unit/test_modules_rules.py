"""What the module server gives to whom: the closed set, where a module is from, the choices of a user."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.finder import label_of
from remotesvc.bootstrap.imports.modules import (
    ABSENT,
    LISTING,
    NAMESPACE,
    REFUSED,
    RESOURCE,
    SOURCE,
    TARGET,
)
from remotesvc.modules.policy import HERE, origins
from remotesvc.modules.server import ModuleServer
from tests import zones
from tests.kernel.importing import write
from tests.unit.module_answers import ask, request
from tests.unit.module_fixtures import NATIVE

pytest_plugins = ("tests.unit.module_fixtures",)


class TestClosedSet:
    def test_own_modules_are_given_only_if_called_code_imports_them(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 0)
        assert ask(server, "private")[0].kind == REFUSED
        assert "allow=['private']" in ask(server, "private")[0].label
        assert ask(server, "helper")[0].kind == SOURCE
        assert ask(server, "helper", child=2)[0].kind == REFUSED

    def test_installed_distributions_are_given_freely(self, server: ModuleServer) -> None:
        assert [ask(server, name)[0].kind for name in ("installed.rest", "other")] == [SOURCE, SOURCE]

    def test_namespace_packages_in_and_of_installed_distributions(self, tmp_path: Path) -> None:
        site = tmp_path / "site-packages"
        write(site, {
            "whole/__init__.py": "from .part import inner", "whole/part/inner.py": "",
            "whole-1.dist-info/RECORD": "whole/__init__.py,,\nwhole/part/inner.py,,\n",
            "shared/below/one.py": "", "one-1.dist-info/RECORD": "shared/below/one.py,,\n",
        })  # fmt: skip
        write(tmp_path / "mine", {"own/below/two.py": ""})
        server = ModuleServer(path=[str(site), str(tmp_path / "mine")])
        served = ["whole.part", "whole.part.inner", "shared", "shared.below", "shared.below.one"]
        assert [ask(server, name)[0].kind for name in served] == [NAMESPACE, SOURCE, NAMESPACE, NAMESPACE, SOURCE]
        assert [ask(server, name)[0].kind for name in ("own", "own.below", "own.below.two")] == [REFUSED] * 3

    def test_namespace_package_that_is_also_the_users_is_the_users(self, tmp_path: Path) -> None:
        write(tmp_path, {"site-packages/shared/one.py": "", "mine/shared/two.py": ""})
        server = ModuleServer(path=[str(tmp_path / "site-packages"), str(tmp_path / "mine")])
        assert ask(server, "shared")[0].kind == REFUSED

    def test_a_locked_server_gives_only_what_called_code_imports(self, site: Path) -> None:
        server = ModuleServer(path=[str(site)], locked=True)
        server.ahead(1, "task", 0)
        assert ask(server, "installed.rest")[0].kind == SOURCE
        assert ask(server, "other")[0].kind == REFUSED
        assert "locked" in ask(server, "other")[0].label

    def test_allow_and_deny(self, site: Path) -> None:
        server = ModuleServer(path=[str(site)], allow=["priv*"], deny=["installed"])
        assert ask(server, "private")[0].kind == SOURCE
        assert ask(server, "installed.part")[0].kind == TARGET
        assert "deny='installed'" in ask(server, "installed.part")[0].label

    @pytest.mark.parametrize(("said", "least"), [
        (">=3.8", (3, 8)), (" >= 3.9, <4", (3, 9)), ("~=3.10", (3, 10)), (">=3.9,!=3.9.0,>=3.11.2", (3, 11)),
        (">=3", None), ("", None), ("nonsense", None),
    ])  # fmt: skip
    def test_the_python_a_distribution_needs(self, tmp_path: Path, said: str, least: tuple[int, int] | None) -> None:
        write(tmp_path, {
            "lib.py": "", "lib-1.dist-info/RECORD": "lib.py,,\n",
            "lib-1.dist-info/METADATA": f"Name: lib\nRequires-Python:{said}\n\nRequires-Python: >=3.50\n",
        })  # fmt: skip
        server = ModuleServer(path=[str(tmp_path)])
        ask(server, "lib")
        labels = [label_of(name, False) for name in ("lib", "os")]
        assert server.sent.too_new([*labels, "/no/such"], (3, 6)) == ({"lib 1": least} if least else {})
        assert server.sent.too_new(labels, (3, 11)) == {}

    @pytest.mark.parametrize("pattern", ["deep.plugins.*", "deep.plugins.tar", "d*p.plug*.tar"])
    def test_what_is_allowed_comes_with_the_packages_it_lies_in(self, site: Path, pattern: str) -> None:
        names = ("deep/__init__", "deep/plugins/__init__", "deep/plugins/tar", "deep/other", "deeper/__init__")
        write(site, {f"{name}.py": "" for name in names})
        server = ModuleServer(path=[str(site)], allow=[pattern])
        for name in ("deep", "deep.plugins", "deep.plugins.tar"):
            assert ask(server, name)[0].kind == SOURCE
        for name in ("deep.other", "deeper"):
            assert ask(server, name)[0].kind == REFUSED

    def test_a_script_is_given_only_if_called(self, server: ModuleServer) -> None:
        assert ask(server, "__main__")[0].kind == REFUSED

    def test_data_files_are_given_as_their_package_is(self, server: ModuleServer, site: Path) -> None:
        write(site, {"mine/__init__.py": "", "mine/key.pem": "secret"})
        wanted = request(RESOURCE, "mine", HERE, "key.pem")
        assert "allow=['mine']" in server.answer(1, wanted)["reason"]
        assert "reason" in server.answer(1, request(LISTING, "mine", HERE))
        server.ahead(1, "mine", 0)
        assert server.answer(1, wanted) == {"data": b"secret"}
        assert server.answer(1, request(LISTING, "mine", HERE)) == {"names": ["key.pem"]}
        assert server.answer(1, request(RESOURCE, "installed", HERE, "data.txt")) == {"data": b"data"}
        assert "not a package" in server.answer(1, request(LISTING, "other", HERE))["reason"]

    @pytest.mark.parametrize("archived", [False, True])
    def test_data_files_of_packages_inside_are_given_as_those_are(self, tmp_path: Path, archived: bool) -> None:
        files = ["__init__.py", "task.py", "used/__init__.py", "used/a.txt", "admin/__init__.py", "admin/b.txt",
                 "admin/more/c.txt", "data/d.txt"]  # fmt: skip
        write(tmp_path, {f"mine/{name}": "import mine.used" if name == "task.py" else "" for name in files})
        if archived:
            path = shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path, "mine")
        server = ModuleServer(path=[path if archived else str(tmp_path)])
        server.ahead(1, "mine.task", 0)
        for name in ("used/a.txt", "data/d.txt"):
            assert server.answer(1, request(RESOURCE, "mine", HERE, name)) == {"data": b""}
        for name in ("admin/b.txt", "admin/more/c.txt"):
            reason = server.answer(1, request(RESOURCE, "mine", HERE, name))["reason"]
            assert name in reason and "allow=['mine.admin']" in reason
        server.ahead(1, "mine.admin", 0)
        assert server.answer(1, request(RESOURCE, "mine", HERE, "admin/b.txt")) == {"data": b""}

    @pytest.mark.parametrize("init", [{}, {"mine/admin/__init__.py": ""}])
    @pytest.mark.parametrize("rules", [{"deny": ["mine.admin"]}, {"imports": {"mine.admin": "deny"}}])
    def test_data_files_below_what_is_denied(self, tmp_path: Path, init: dict[str, Any], rules: dict[str, Any]) -> None:
        write(tmp_path, {"mine/task.py": "import mine.admin", "mine/admin/key.pem": "secret", **init})
        server = ModuleServer(path=[str(tmp_path)], **rules)
        server.ahead(1, "mine.task", 0)
        reason = server.answer(1, request(RESOURCE, "mine", HERE, "admin/key.pem"))["reason"]
        assert "denied on the master" in reason
        assert server.statistics()["refused"]["deny"] == 1

    def test_refusals_are_counted_and_named(self, server: ModuleServer) -> None:
        ask(server, "private", child=7)
        assert server.statistics()["refused"] == {"closed set": 1}
        assert list(server.refusals.latest) == [(7, "private", "closed set")]


class TestOrigin:
    def test_distribution_with_compiled_code_is_the_targets_if_it_has_it(self, server: ModuleServer) -> None:
        entries = ask(server, "accelerated")
        assert [(entry.name, entry.prefer_target) for entry in entries] == [
            ("accelerated", True),
            ("accelerated.inner", True),
        ]
        inner = ask(server, "accelerated.inner")[0]
        assert (inner.kind, inner.prefer_target) == (SOURCE, True)

    def test_compiled_module_names_file_and_distribution(self, server: ModuleServer) -> None:
        entry = ask(server, "accelerated.fast")[0]
        assert entry.kind == TARGET
        assert f"fast{NATIVE} of accelerated 1" in entry.label
        assert "pip install accelerated==1" in entry.label

    @pytest.mark.parametrize(("choice", "kind"), [("master", SOURCE), ("target", TARGET), ("deny", TARGET)])
    def test_choice_by_package(self, site: Path, choice: Any, kind: str) -> None:
        entry = ask(ModuleServer(path=[str(site)], imports={"accelerated": choice}), "accelerated.inner")[0]
        assert (entry.kind, entry.prefer_target) == (kind, False)

    def test_standard_library_for_the_same_minor_version_only(self, server: ModuleServer) -> None:
        entries = ask(server, "json")
        assert {entry.name for entry in entries} >= {"json", "json.decoder", "json.scanner"}
        assert all(entry.python == HERE for entry in entries if entry.loadable)
        other = ask(server, "json", python=(3, 6))[0]
        assert (other.kind, other.name) == (ABSENT, "json")
        assert "libpython3.6-stdlib" in other.label

    def test_what_came_with_a_later_python_is_in_none_of_its_packages(self, server: ModuleServer) -> None:
        for name, since in (("dataclasses", "3.7"), ("zoneinfo._common", "3.9")):
            label = ask(server, name, python=(3, 6))[0].label
            assert f"came with Python {since}, and this is 3.6; name a newer" in label
            assert "stdlib" not in label

    def test_compiled_standard_library_says_what_to_install(self, server: ModuleServer) -> None:
        assert "compiled" in ask(server, "_ctypes")[0].label
        assert "-stdlib" in ask(server, "_ctypes")[0].label

    def test_compiled_standard_library_that_something_imports_says_so_too(self, server: ModuleServer) -> None:
        entries = {entry.name: entry for entry in ask(server, "decimal")}
        assert "-stdlib" in entries["_decimal"].label

    def test_own_package(self, server: ModuleServer) -> None:
        assert ask(server, "remotesvc.bootstrap.imports.resources")[0].kind == SOURCE
        assert "master only" in ask(server, "remotesvc.cli")[0].label
        assert ask(server, "remotesvc.nothing")[0].kind == ABSENT

    def test_what_is_the_masters_alone_is_what_the_layering_test_says(self, server: ModuleServer) -> None:
        kinds = {module: ask(server, module)[0].kind for module in zones.package_modules()}
        assert kinds == {module: ABSENT if zones.zone(module) == "M" else SOURCE for module in zones.package_modules()}


class TestChoices:
    def test_choices_of_a_user_are_understood(self) -> None:
        assert origins(None) == ({}, False)
        assert origins("locked") == ({}, True)
        assert origins({"*": "locked", "numpy.linalg": "target"}) == ({"numpy.linalg": "target"}, True)

    @pytest.mark.parametrize("wrong", ["open", {"a": "here"}, {"a-b": "deny"}, {"*": "deny"}])
    def test_choices_of_a_user_who_errs_are_refused(self, wrong: Any) -> None:
        with pytest.raises(UsageError, match="imports="):
            origins(wrong)
