"""What a child may send as a request, whatever it is, and the form of the answers."""

from __future__ import annotations

import random
import string
import sys
import tracemalloc
import zlib
from typing import Any

import pytest

from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.imports.modules import (
    ABSENT,
    LISTING,
    RESOURCE,
    SOURCE,
    Entry,
    Request,
    check_request,
    pack,
    unpack,
)
from remotesvc.modules.policy import HERE
from remotesvc.modules.refusals import LOGGED
from remotesvc.modules.server import ModuleServer
from tests.unit.module_answers import ask, request

pytest_plugins = ("tests.unit.module_fixtures",)


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
            {"kind": "module", "name": "a b", "python": [3, 9]},
            {"kind": "module", "name": "a\nb", "python": [3, 9]},
            {"kind": "module", "name": "a\\b", "python": [3, 9]},
            {"kind": "module", "name": "a:b", "python": [3, 9]},
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
    def test_hostile_requests_get_a_reason(self, server: ModuleServer, wanted: Any) -> None:
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
        for number in range(LOGGED + 100):
            ask(server, f"made_up{number}")
        assert len(caplog.records) == LOGGED + 1
        assert server.statistics()["refused"] == {"absent": LOGGED + 100}

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
    def test_entries_survive_the_codec(self, server: ModuleServer) -> None:
        entries = server.ahead(1, "task", 1 << 20)
        encoded = codec.encode(entries)
        assert codec.decode(encoded.data, encoded.blobs, encoded.tagged) == entries

    def test_the_fields_of_an_entry(self, server: ModuleServer) -> None:
        entry = ask(server, "installed")[0]
        assert (entry.label, entry.is_pkg) == ("/proc/remotesvc:/installed/__init__.py", True)
        assert entry.submodules == ["part", "rest"]
        assert entry.resources == ["data.txt"]
        assert zlib.decompress(ask(server, "helper.x")[0].data or zlib.compress(b"")) == b""

    @pytest.mark.parametrize("index", range(10))
    def test_malformed_entries_are_refused(self, index: int) -> None:
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
