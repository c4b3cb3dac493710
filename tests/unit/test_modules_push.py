"""What follows a call: sent in pieces, or given up so that it can be asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.errors import NotSent
from remotesvc.bootstrap.imports.modules import REFUSED
from remotesvc.bootstrap.links import wire
from remotesvc.modules.push import Pusher
from remotesvc.modules.server import ModuleServer
from tests.kernel.importing import write

LIMIT = 30.0


class FakeRouter:
    """Takes what is posted; fails when told to."""

    codec = fastcodec
    bindings = Bindings()

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.kinds: set[str] = set()
        self.error: Exception | None = None

    def post(self, dst: int, handle: int, encoded: Any, **more: Any) -> None:
        if self.error is not None:
            raise self.error
        items = fastcodec.decode(encoded.data, encoded.blobs, encoded.tagged)
        self.kinds |= {item[1] for item in items if isinstance(item, list)}
        self.posted.append((dst, handle, [item[0] for item in items if isinstance(item, list)]))


@pytest.fixture
def server(tmp_path: Path) -> ModuleServer:
    write(tmp_path, {"task.py": "import one, two", "one.py": "", "two.py": ""})
    made = ModuleServer(path=[str(tmp_path)])
    made.ahead(1, "task", 0, follow=True)
    return made


def ended() -> None:
    """Wait for every thread that sends modules."""
    for thread in threading.enumerate():
        if thread.name.startswith("remotesvc-push"):
            thread.join(LIMIT)
            assert not thread.is_alive()


def test_a_pusher_sends_all_that_was_announced(server: ModuleServer) -> None:
    router = FakeRouter()
    pusher = Pusher(router, server, lambda child: b"")
    pusher.wake(1)
    ended()
    assert router.posted == [(1, wire.PUSH_MODULES, ["task", "one", "two"])]
    pusher.wake(1)
    assert not server.waiting(1)
    pusher.close()


def test_a_pusher_gives_up_what_cannot_be_sent(server: ModuleServer) -> None:
    router = FakeRouter()
    router.error = NotSent("the link is closed")
    pusher = Pusher(router, server, lambda child: b"")
    pusher.wake(1)
    ended()
    assert not server.waiting(1)
    router.error = None
    server.ahead(2, "task", 0, follow=True)
    pusher.wake(2)
    ended()
    assert router.posted == [(2, wire.PUSH_MODULES, ["task", "one", "two"])]


def test_a_pusher_gives_up_a_context_that_never_comes_up(server: ModuleServer) -> None:
    def fail(child: int) -> bytes:
        raise NotSent("it is gone")

    pusher = Pusher(FakeRouter(), server, fail)
    pusher.wake(1)
    ended()
    assert not server.waiting(1)
    pusher.close()


def test_an_error_of_ours_tells_the_child_to_ask(
    server: ModuleServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(child: int, magic: bytes) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(server, "more", fail)
    router = FakeRouter()
    pusher = Pusher(router, server, lambda child: b"")
    pusher.wake(1)
    ended()
    assert router.posted == [(1, wire.PUSH_MODULES, ["task"])]
    assert router.kinds == {REFUSED}
    assert "the disk is on fire" in caplog.text
    assert not server.waiting(1)
