"""The module server: what it sends, what it answers, and what it refuses."""

from __future__ import annotations

import marshal
import py_compile
import random
import string
import sys
import tracemalloc
import zlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.finder import label_of
from remotesvc.bootstrap.imports.modules import (
    ABSENT,
    LISTING,
    MODULE,
    NAMESPACE,
    REFUSED,
    RESOURCE,
    SOURCE,
    TARGET,
    TEXT,
    Entry,
    Request,
    announced,
    check_request,
    pack,
    unpack,
)
from remotesvc.modules.codes import MAGIC
from remotesvc.modules.load import ELSEWHERE
from remotesvc.modules.policy import HERE, origins
from remotesvc.modules.server import REFUSALS_LOGGED, ModuleServer
from tests import zones
from tests.kernel.importing import write

NATIVE = EXTENSION_SUFFIXES[0]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "task.py": "import helper, installed, accelerated\ndef f():\n    import lazy\n",
            "helper.py": "from installed import part\n# second line\n",
            "lazy.py": "",
            "private.py": "PASSWORD = 1",
            "installed/__init__.py": "",
            "installed/part.py": "",
            "installed/rest.py": "",
            "installed/data.txt": "data",
            "installed-1.dist-info/RECORD": "installed/__init__.py,,\ninstalled/part.py,,\ninstalled/rest.py,,\n",
            "accelerated/__init__.py": "from . import inner",
            "accelerated/inner.py": "",
            f"accelerated/fast{NATIVE}": b"",
            "accelerated-1.dist-info/RECORD": "".join(
                f"accelerated/{name},,\n" for name in ("__init__.py", "inner.py", f"fast{NATIVE}")
            ),
            "other.py": "",
            "other-1.dist-info/RECORD": "other.py,,\n",
            f"compiled{NATIVE}": b"",
        },
    )
    return tmp_path


@pytest.fixture
def server(site: Path) -> ModuleServer:
    return ModuleServer(path=[str(site)])


def names(items: list[Any]) -> list[str]:
    """The names of the entries."""
    return [item[0] for item in items if isinstance(item, list)]


def told(items: list[Any]) -> tuple[list[str], list[str]]:
    """What is announced before the entries: what follows, and what nobody has that anybody but Python imports."""
    follow, absent = announced(items[0]) if items and isinstance(items[0], bytes) else ([], [])
    return follow, [name for name in absent if name not in ELSEWHERE]


def ask(server: ModuleServer, name: str, child: int = 1, python: tuple[int, int] = HERE) -> list[Entry]:
    items = server.answer(child, request(MODULE, name, python))["modules"]
    return [unpack(item) for item in items if isinstance(item, list)]


def request(kind: str, name: str, python: tuple[int, int], path: str = "", **more: Any) -> dict[str, Any]:
    return Request(kind, name, python, path, **more).plain()


class TestAhead:
    def test_sends_what_is_needed_once(self, server: ModuleServer) -> None:
        order = ["task", "helper", "installed", "installed.part", "accelerated", "accelerated.inner", "lazy"]
        assert names(server.ahead(1, "task", 1 << 20)) == order
        assert server.ahead(1, "task", 1 << 20) == []
        assert server.ahead(1, "helper", 1 << 20) == []

    def test_compresses_once_for_all_children(self, server: ModuleServer) -> None:
        for child in range(64):
            assert len(names(server.ahead(child, "task", 1 << 20))) == 7
        counts = server.statistics()
        assert (counts["sent"], counts["compressed"]) == (64 * 7, 7)

    def test_keeps_to_the_budget_and_lets_the_rest_be_asked_for(self, server: ModuleServer) -> None:
        assert names(server.ahead(1, "task", 600)) == ["task", "helper"]
        assert ask(server, "lazy")[0].kind == SOURCE

    def test_announces_what_does_not_fit_and_brings_it_later(self, server: ModuleServer) -> None:
        items = server.ahead(1, "task", 600, magic=b"", follow=True)
        assert names(items) == ["task", "helper"]
        assert told(items) == (["installed", "lazy", "installed.part"], [])
        assert server.waiting(1)
        rest = server.more(1, MAGIC)
        assert names(rest) == ["installed", "installed.part", "accelerated", "accelerated.inner", "lazy"]
        assert all(unpack(item).magic == MAGIC for item in rest)
        assert server.more(1, MAGIC) == []
        assert not server.waiting(1)

    def test_what_was_announced_and_is_asked_for_comes_once(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 600, follow=True)
        assert ask(server, "lazy")[0].kind == SOURCE
        assert "lazy" not in names(server.more(1, b""))
        assert not server.waiting(1)

    def test_what_was_announced_and_cannot_be_sent_is_sent_when_asked_for(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 600, follow=True)
        server.give_up(1)
        assert server.more(1, b"") == []
        assert [entry.name for entry in ask(server, "installed.part")] == ["installed.part", "installed"]

    def test_what_the_target_may_have_is_never_announced(self, server: ModuleServer) -> None:
        items = server.ahead(1, "task", 0, follow=True)
        assert "accelerated" not in told(items)[0]

    def test_sends_nothing_of_the_standard_library(self, server: ModuleServer) -> None:
        assert server.ahead(1, "json", 1 << 20) == []

    def test_tells_of_modules_that_only_the_target_can_have(self, server: ModuleServer) -> None:
        assert told(server.ahead(1, "nowhere.at_all", 1 << 20)) == ([], ["nowhere", "nowhere.at_all"])
        assert server.ahead(1, "nowhere.at_all", 1 << 20) == []

    def test_starts_over_for_a_new_child_of_an_old_number(self, server: ModuleServer) -> None:
        first = server.ahead(1, "task", 1 << 20)
        server.forget(1)
        assert server.ahead(1, "task", 1 << 20) == first

    def test_what_was_not_sent_is_sent_again(self, server: ModuleServer) -> None:
        first = server.ahead(1, "task", 1 << 20)
        server.unsent(1, "task", first)
        assert server.ahead(1, "task", 1 << 20) == first

    def test_lets_the_contexts_on_the_way_ask(self, server: ModuleServer) -> None:
        server.ahead(2, "task", 0, via=[1])
        assert ask(server, "lazy", child=1)[0].kind == SOURCE
        assert ask(server, "lazy", child=3)[0].kind == REFUSED


class TestWhileItIsLookedFor:
    """A closure too large for one message: what is imported first is sent before the rest is even known."""

    WIDE = 40

    @pytest.fixture
    def wide(self, tmp_path: Path) -> ModuleServer:
        tree: dict[str, str | bytes] = {}
        for number in range(self.WIDE):
            noise = "".join(random.Random(number).choices(string.ascii_letters, k=20_000))
            below = f"from . import part{number + 1}" if number + 1 < self.WIDE else ""
            tree[f"wide/part{number}.py"] = f"{below}\nfrom . import leaf{number}\nTEXT = {noise!r}\n"
            tree[f"wide/leaf{number}.py"] = "import nowhere"
        tree["wide/__init__.py"] = "from . import part0"
        write(tmp_path, tree)
        return ModuleServer(path=[str(tmp_path)], allow=["wide"])

    def test_the_first_answer_waits_for_no_more_than_it_brings(self, wide: ModuleServer) -> None:
        reply = wide.answer(1, request(MODULE, "wide", HERE))["modules"]
        assert names(reply) == ["wide", "wide.part0"]
        assert wide.statistics()["scanned"] == 3

    def test_what_comes_later_is_announced_with_what_imports_it(self, wide: ModuleServer) -> None:
        messages = [wide.answer(1, request(MODULE, "wide", HERE))["modules"]]
        while wide.waiting(1):
            messages.append(wide.more(1, b""))
        sent: list[str] = []
        heard: set[str] = set()
        for message in messages:
            follow, absent = told(message)
            heard.update(follow, absent, names(message))
            sent += names(message)
            for part in [name for name in sent if name.startswith("wide.part") and name != f"wide.part{self.WIDE - 1}"]:
                number = int(part.removeprefix("wide.part"))
                assert {f"wide.part{number + 1}", f"wide.leaf{number}"} <= heard
            assert "nowhere" in heard or not any(name.startswith("wide.leaf") for name in sent)
        assert len(messages) > 3
        assert len(sent) == len(set(sent)) == 2 * self.WIDE + 1
        assert sent.index("wide.part1") < sent.index("wide.leaf0")

    def test_what_was_asked_for_last_comes_first(self, wide: ModuleServer) -> None:
        wide.answer(1, request(MODULE, "wide", HERE))
        last = f"wide.part{self.WIDE - 1}"
        assert ask(wide, last)[0].name == last
        rest = []
        while wide.waiting(1):
            rest += names(wide.more(1, b""))
        assert last not in rest
        assert len(rest) == len(set(rest))

    def test_each_child_gets_all_of_it(self, wide: ModuleServer) -> None:
        for child in 1, 2:
            wide.answer(child, request(MODULE, "wide", HERE))
        for child in 2, 1:
            while wide.waiting(child):
                wide.more(child, b"")
        assert wide.statistics()["sent"] == 2 * wide.statistics()["compressed"] == 2 * (2 * self.WIDE + 1)


    def test_what_cannot_be_announced_comes_with_the_answer(self, tmp_path: Path) -> None:
        files = [f"space/fast/part{number}.py" for number in range(4)]
        tree: dict[str, str | bytes] = {}
        for number, file in enumerate(files):
            noise = "".join(random.Random(number).choices(string.ascii_letters, k=20_000))
            below = f"from . import part{number + 1}" if number < 3 else ""
            tree[file] = f"{below}\nTEXT = {noise!r}\n"
        tree |= {"space/fast/__init__.py": "", f"space/fast/core{NATIVE}": b""}
        tree["fast-1.dist-info/RECORD"] = "".join(f"{each},,\n" for each in tree)
        write(tmp_path, tree)
        server = ModuleServer(path=[str(tmp_path)], allow=["space"])
        reply = server.answer(1, request(MODULE, "space", HERE, goal="space.fast.part0"))["modules"]
        assert names(reply) == ["space", "space.fast", *(f"space.fast.part{number}" for number in range(4))]
        assert not server.waiting(1)


class TestClosedSet:
    def test_own_modules_only_if_called_code_imports_them(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 0)
        assert ask(server, "private")[0].kind == REFUSED
        assert "allow=['private']" in ask(server, "private")[0].label
        assert ask(server, "helper")[0].kind == SOURCE
        assert ask(server, "helper", child=2)[0].kind == REFUSED

    def test_installed_distributions_freely(self, server: ModuleServer) -> None:
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

    def test_locked(self, site: Path) -> None:
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
        assert server.sent.too_new(["remotesvc:/lib.py", "/no/such", "remotesvc:/os.py"], (3, 6)) == (
            {"lib 1": least} if least else {})
        assert server.sent.too_new(["remotesvc:/lib.py"], (3, 11)) == {}

    @pytest.mark.parametrize("pattern", ["deep.plugins.*", "deep.plugins.tar", "d*p.plug*.tar"])
    def test_what_is_allowed_comes_with_the_packages_it_lies_in(self, site: Path, pattern: str) -> None:
        names = ("deep/__init__", "deep/plugins/__init__", "deep/plugins/tar", "deep/other", "deeper/__init__")
        write(site, {f"{name}.py": "" for name in names})
        server = ModuleServer(path=[str(site)], allow=[pattern])
        for name in ("deep", "deep.plugins", "deep.plugins.tar"):
            assert ask(server, name)[0].kind == SOURCE
        for name in ("deep.other", "deeper"):
            assert ask(server, name)[0].kind == REFUSED

    def test_script_only_if_called(self, server: ModuleServer) -> None:
        assert ask(server, "__main__")[0].kind == REFUSED

    def test_data_files_as_their_package(self, server: ModuleServer, site: Path) -> None:
        write(site, {"mine/__init__.py": "", "mine/key.pem": "secret"})
        wanted = request(RESOURCE, "mine", HERE, "key.pem")
        assert "allow=['mine']" in server.answer(1, wanted)["reason"]
        assert "reason" in server.answer(1, request(LISTING, "mine", HERE))
        server.ahead(1, "mine", 0)
        assert server.answer(1, wanted) == {"data": b"secret"}
        assert server.answer(1, request(LISTING, "mine", HERE)) == {"names": ["key.pem"]}
        assert server.answer(1, request(RESOURCE, "installed", HERE, "data.txt")) == {"data": b"data"}
        assert "not a package" in server.answer(1, request(LISTING, "other", HERE))["reason"]

    def test_refusals_are_counted_and_named(self, server: ModuleServer) -> None:
        ask(server, "private", child=7)
        assert server.statistics()["refused"] == {"closed set": 1}
        assert list(server.refusals) == [(7, "private", "closed set")]


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
    def test_of_a_user(self) -> None:
        assert origins(None) == ({}, False)
        assert origins("locked") == ({}, True)
        assert origins({"*": "locked", "numpy.linalg": "target"}) == ({"numpy.linalg": "target"}, True)

    @pytest.mark.parametrize("wrong", ["open", {"a": "here"}, {"a-b": "deny"}, {"*": "deny"}])
    def test_of_a_user_who_errs(self, wrong: Any) -> None:
        with pytest.raises(UsageError, match="imports="):
            origins(wrong)


class TestHostileRequests:
    @pytest.mark.parametrize(
        "wanted",
        [
            None,
            b"x",
            [],
            {},
            {"kind": "module"},
            {"kind": "exec", "name": "os", "python": [3, 9]},
            {"kind": "module", "name": "../x", "python": [3, 9]},
            {"kind": "module", "name": "a..b", "python": [3, 9]},
            {"kind": "module", "name": "", "python": [3, 9]},
            {"kind": "module", "name": "a" * 1000, "python": [3, 9]},
            {"kind": "module", "name": b"os", "python": [3, 9]},
            {"kind": "module", "name": ["os"], "python": [3, 9]},
            {"kind": "module", "name": "os\0", "python": [3, 9]},
            {"kind": "module", "name": "os", "python": None},
            {"kind": "module", "name": "os", "python": [3, 10**30]},
            {"kind": "module", "name": "os", "python": [True, 9]},
            {"kind": ["module"], "name": "os", "python": [3, 9]},
            {"kind": "resource", "name": "json", "python": [3, 9]},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": "../os.py"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": "/etc/passwd"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": ".env"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": "a//b"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": "a\\b"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": "a\0"},
            {"kind": "resource", "name": "json", "python": [3, 9], "path": 5},
            {"kind": "module", "name": "json", "python": [3, 9], "magic": "x"},
            {"kind": "module", "name": "json", "python": [3, 9], "magic": b"x" * 100},
            {"kind": "module", "name": "json", "python": [3, 9], "goal": "os"},
            {"kind": "module", "name": "json", "python": [3, 9], "goal": "jsonx"},
            {"kind": "module", "name": "json", "python": [3, 9], "goal": ["json"]},
        ],
    )
    def test_get_a_reason(self, server: ModuleServer, wanted: Any) -> None:
        if isinstance(wanted, dict):
            wanted = {"magic": b"", "goal": wanted.get("name"), **wanted}
        assert set(server.answer(1, wanted)) == {"reason"}
        assert server.statistics()["refused"] == {"malformed": 1}

    def test_whatever_goes_wrong_here_is_answered(self, server: ModuleServer, monkeypatch: pytest.MonkeyPatch,
                                                  caplog: pytest.LogCaptureFixture) -> None:
        def fail(path: str) -> None:
            raise RuntimeError("the disk is on fire")

        monkeypatch.setattr("remotesvc.modules.directories.os.scandir", fail)
        reply = server.answer(1, request(LISTING, "installed", HERE))
        assert "the disk is on fire" in reply["reason"]
        assert "the disk is on fire" in caplog.text

    def test_refusals_are_logged_up_to_a_limit(self, server: ModuleServer, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG", "remotesvc.modules")
        for number in range(REFUSALS_LOGGED + 100):
            ask(server, f"made_up{number}")
        assert len(caplog.records) == REFUSALS_LOGGED + 1
        assert server.statistics()["refused"] == {"absent": REFUSALS_LOGGED + 100}

    def test_ten_thousand_names_cost_no_memory_and_import_nothing(self, server: ModuleServer) -> None:
        chance = random.Random(1)
        made_up = ["".join(chance.choices(string.ascii_lowercase, k=20)) for _ in range(11_000)]
        for name in made_up[:1000]:
            ask(server, name)
            ask(server, f"installed.{name}")
        modules = dict(sys.modules)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for name in made_up[1000:]:
                assert ask(server, f"installed.{name}" if name < "m" else name)[0].kind == ABSENT
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert grown < 100_000
        assert sys.modules == modules


class TestEntries:
    def test_survive_the_codec(self, server: ModuleServer) -> None:
        entries = server.ahead(1, "task", 1 << 20)
        encoded = codec.encode(entries)
        assert codec.decode(encoded.data, encoded.blobs, encoded.tagged) == entries

    def test_fields(self, server: ModuleServer) -> None:
        entry = ask(server, "installed")[0]
        assert (entry.label, entry.is_pkg) == ("remotesvc:/installed/__init__.py", True)
        assert entry.submodules == ["part", "rest"]
        assert entry.resources == ["data.txt"]
        assert zlib.decompress(ask(server, "helper.x")[0].data or zlib.compress(b"")) == b""

    @pytest.mark.parametrize("index", range(10))
    def test_malformed_ones_are_refused(self, index: int) -> None:
        value = pack(Entry("a.b", SOURCE))
        value[index] = 3.5
        with pytest.raises(ValueError, match="module entry"):
            unpack(value)

    @pytest.mark.parametrize("value", [None, [], "x", [1] * 3, pack(Entry("../x", SOURCE)), pack(Entry("x", "spam"))])
    def test_what_is_no_entry_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError, match="module"):
            unpack(value)

    def test_request_survives_its_check(self) -> None:
        plain = Request(RESOURCE, "a.b", (3, 9), "c/d", b"x", "a.b.c", True).plain()
        assert check_request(plain).plain() == plain


class TestCode:
    """Bytecode for a Python of our magic number."""

    def entry(self, server: ModuleServer, name: str, magic: bytes) -> Entry:
        wanted = request(MODULE, name, HERE, magic=magic)
        return unpack(next(item for item in server.answer(1, wanted)["modules"] if isinstance(item, list)))

    def test_for_the_same_magic_only(self, server: ModuleServer) -> None:
        assert self.entry(server, "installed", b"").magic is None
        assert self.entry(server, "installed", b"\0\0\r\n").magic is None
        entry = self.entry(server, "installed.part", MAGIC)
        assert entry.magic == MAGIC
        assert isinstance(marshal.loads(zlib.decompress(entry.data)), CodeType)

    def test_has_labels_for_file_names_all_through(self, server: ModuleServer, site: Path) -> None:
        write(site, {"nested.py": "class A:\n    def f(self):\n        return [lambda: x for x in ()]\n"})
        py_compile.compile(str(site / "nested.py"))
        server.ahead(1, "nested", 0)
        data = zlib.decompress(self.entry(server, "nested", MAGIC).data)
        assert str(site).encode() not in data

        def files(code: CodeType) -> set[str]:
            inner = [files(each) for each in code.co_consts if isinstance(each, CodeType)]
            return {code.co_filename}.union(*inner)

        assert files(marshal.loads(data)) == {"remotesvc:/nested.py"}

    def test_whose_path_cannot_be_replaced_in_place(self, server: ModuleServer, site: Path) -> None:
        write(site, {"same.py": f"PATH = 'x{site / 'same.py'}'\n", "wörter.py": "X = 1\n", "moved.py": "X = 1\n"})
        for name in ("same", "wörter", "moved"):
            py_compile.compile(str(site / f"{name}.py"), dfile="/elsewhere/moved.py" if name == "moved" else None)
            server.ahead(1, name, 0)
            code = marshal.loads(zlib.decompress(self.entry(server, name, MAGIC).data))
            assert code.co_filename == f"remotesvc:/{name}.py"

    def test_of_what_does_not_compile_is_its_source(self, server: ModuleServer, site: Path) -> None:
        write(site, {"wrong.py": "def oops(:\n"})
        server.ahead(1, "wrong", 0)
        entry = self.entry(server, "wrong", MAGIC)
        assert (entry.magic, zlib.decompress(entry.data)) == (None, b"def oops(:\n")

    def test_is_compiled_once_where_there_is_no_cache(self, server: ModuleServer) -> None:
        for child in range(5):
            server.ahead(child, "task", 1 << 20, magic=MAGIC)
        # The five modules that are not empty, and the two that are.
        assert server.statistics()["compiled"] == 7

    def test_source_on_demand_under_the_same_rules(self, server: ModuleServer) -> None:
        assert "reason" in server.answer(1, request(TEXT, "private", HERE))
        server.ahead(1, "task", 0)
        assert zlib.decompress(server.answer(1, request(TEXT, "helper", HERE))["data"]).endswith(b"# second line\n")
        assert "reason" in server.answer(1, request(TEXT, "nowhere", HERE))

    def test_file_changed_since_is_as_it_was(self, server: ModuleServer, site: Path) -> None:
        server.ahead(1, "task", 0)
        write(site, {"helper.py": "changed = 1\n"})
        py_compile.compile(str(site / "helper.py"))
        entry = self.entry(server, "helper", MAGIC)
        assert "changed" not in marshal.loads(zlib.decompress(entry.data)).co_names


class TestSourceLines:
    def test_of_modules_sent(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 1 << 20)
        assert server.sent.source_line("remotesvc:/helper.py", 2) == "# second line"
        assert server.sent.source_line("remotesvc:/helper.py", 99) == ""
        assert server.sent.source_line("remotesvc:/helper.py", -1) == ""

    def test_of_the_kernel(self, server: ModuleServer) -> None:
        assert server.sent.source_line(label_of("remotesvc.bootstrap.imports.modules", False), 1).startswith(
            '"""Modules on the wire'
        )

    @pytest.mark.parametrize(
        "label", ["", "/etc/passwd", "remotesvc:/private.py", "remotesvc:/remotesvc/bootstrap/../x.py"]
    )
    def test_of_nothing_else(self, server: ModuleServer, label: str) -> None:
        assert server.sent.source_line(label, 1) == ""
