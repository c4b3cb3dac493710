"""The module server: what it sends with a call and before it is asked."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from remotesvc.bootstrap.imports.modules import (
    MODULE,
    REFUSED,
    SOURCE,
    unpack,
)
from remotesvc.modules.codes import MAGIC
from remotesvc.modules.policy import HERE
from remotesvc.modules.server import ModuleServer
from tests.kernel.importing import write
from tests.unit.module_answers import ask, names, request, told
from tests.unit.module_fixtures import NATIVE

pytest_plugins = ("tests.unit.module_fixtures",)


class TestAhead:
    def test_the_server_sends_what_is_needed_once(self, server: ModuleServer) -> None:
        order = ["task", "helper", "installed", "installed.part", "accelerated", "accelerated.inner", "lazy"]
        assert names(server.ahead(1, "task", 1 << 20)) == order
        assert server.ahead(1, "task", 1 << 20) == []
        assert server.ahead(1, "helper", 1 << 20) == []

    def test_the_server_compresses_once_for_all_children(self, server: ModuleServer) -> None:
        for child in range(64):
            assert len(names(server.ahead(child, "task", 1 << 20))) == 7
        counts = server.statistics()
        assert (counts["sent"], counts["compressed"]) == (64 * 7, 7)

    def test_the_server_keeps_to_the_budget_and_lets_the_rest_be_asked_for(self, server: ModuleServer) -> None:
        assert names(server.ahead(1, "task", 600)) == ["task", "helper"]
        assert ask(server, "lazy")[0].kind == SOURCE

    def test_a_call_waits_for_no_more_than_goes_with_it(self, server: ModuleServer) -> None:
        """All that the module may lead to was read before the call left: seconds, for large packages."""
        server.ahead(1, "task", 600, follow=True)
        begun = server.statistics()["scanned"]
        assert server.distributions(1)
        assert server.statistics()["scanned"] > begun

    def test_the_server_announces_what_does_not_fit_and_brings_it_later(self, server: ModuleServer) -> None:
        items = server.ahead(1, "task", 600, magic=b"", follow=True)
        assert names(items) == ["task", "helper"]
        assert told(items) == (["installed", "lazy", "installed.part"], [])
        assert server.waiting(1)
        rest = server.more(1, MAGIC)
        assert names(rest) == ["installed", "installed.part", "accelerated", "accelerated.inner", "lazy"]
        assert all(unpack(item).magic == MAGIC for item in rest)
        assert server.more(1, MAGIC) == []
        assert not server.waiting(1)

    def test_where_imports_are_locked_all_that_comes_is_announced(self, tmp_path: Path) -> None:
        parts = [f"lib/part{number}.py" for number in range(4)]
        tree: dict[str, str | bytes] = {part: f"from lib import part{number + 1}" for number, part in enumerate(parts)}
        tree |= {"task.py": "from lib import part0\n", "lib/__init__.py": "", "lib/part4.py": ""}
        tree["lib-1.dist-info/RECORD"] = "".join(f"{file},,\n" for file in tree if file.startswith("lib/"))
        write(tmp_path, tree)
        server = ModuleServer(path=[str(tmp_path)], locked=True)
        items = server.ahead(1, "task", 1, follow=True)
        assert names(items) == []
        follow = told(items)[0]
        rest = server.more(1, b"")
        assert sorted(follow) == sorted(names(rest)) == ["lib", *(f"lib.part{number}" for number in range(5)), "task"]

    def test_what_was_announced_and_is_asked_for_comes_once(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 600, follow=True)
        assert ask(server, "lazy")[0].kind == SOURCE
        assert "lazy" not in names(server.more(1, b""))
        assert not server.waiting(1)

    def test_what_one_call_was_promised_does_not_wait_with_another(self, server: ModuleServer) -> None:
        """The other may be queued there behind calls that wait for just that."""
        server.ahead(1, "task", 600, magic=b"", follow=True)
        with_another = names(server.ahead(1, "installed", 1 << 20, follow=True))
        assert not {"installed", "installed.part", "lazy"} & set(with_another)
        rest: list[str] = []
        while server.waiting(1):
            rest += names(server.more(1, b""))
        assert {"installed", "installed.part", "lazy"} <= set(rest)
        assert len(rest) == len(set(rest))

    def test_what_was_announced_and_cannot_be_sent_is_sent_when_asked_for(self, server: ModuleServer) -> None:
        server.ahead(1, "task", 600, follow=True)
        server.give_up(1)
        assert server.more(1, b"") == []
        assert [entry.name for entry in ask(server, "installed.part")] == ["installed.part", "installed"]

    def test_what_the_target_may_have_is_never_announced(self, server: ModuleServer) -> None:
        items = server.ahead(1, "task", 0, follow=True)
        assert "accelerated" not in told(items)[0]

    def test_the_server_sends_nothing_of_the_standard_library(self, server: ModuleServer) -> None:
        assert server.ahead(1, "json", 1 << 20) == []

    def test_the_server_tells_of_modules_that_only_the_target_can_have(self, server: ModuleServer) -> None:
        assert told(server.ahead(1, "nowhere.at_all", 1 << 20)) == ([], ["nowhere", "nowhere.at_all"])
        assert server.ahead(1, "nowhere.at_all", 1 << 20) == []

    def test_the_server_starts_over_for_a_new_child_of_an_old_number(self, server: ModuleServer) -> None:
        first = server.ahead(1, "task", 1 << 20)
        server.forget(1)
        assert server.ahead(1, "task", 1 << 20) == first

    def test_the_server_lets_the_contexts_on_the_way_ask(self, server: ModuleServer) -> None:
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

    def test_each_child_gets_all_of_a_wide_module(self, wide: ModuleServer) -> None:
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
