"""What a child asks of modules costs itself, and keeps nobody else waiting."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import RANDOM
from remotesvc.testing.tree import MemoryTree
from tests.kernel.contexts import until
from tests.kernel.rawpeer import LIMIT, RawPeer

pytest_plugins = ("tests.kernel.tree_fixtures",)
MIB = 1 << 20


@pytest.mark.parametrize("size", [60_000, 3 * MIB], ids=["small", "large"])
def test_a_child_that_takes_no_modules_keeps_nobody_else_waiting(tree: MemoryTree, raw: RawPeer, size: int) -> None:
    asked: list[int] = []

    def reply(child: int, wanted: Any) -> Any:
        asked.append(child)
        return {"data": b"x" * (size if child == raw.id else 10)}

    tree.root._tree.answer_modules = reply  # type: ignore[method-assign]
    other = tree.add()
    for number in range(400 if size < MIB else 12):
        raw.message(wire.ASK_MODULE, {"n": number}, dst=0, stream=wire.MODULES, reply_to=RANDOM | number)
    raw.sync()
    # It has been given all that its credit allows, and still wants more.
    until(lambda: any(thread.name == f"remotesvc-modules-{raw.id}" for thread in threading.enumerate()))
    assert other.ask(tree.root, wire.ASK_MODULE, {}, timeout=LIMIT) == {"data": b"x" * 10}
    assert asked.count(other.id) == 1
    raw.close()
    until(lambda: not any(thread.name == f"remotesvc-modules-{raw.id}" for thread in threading.enumerate()))


def test_who_asks_for_many_modules_keeps_nobody_else_waiting(tree: MemoryTree, raw: RawPeer) -> None:
    asked: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def reply(child: int, wanted: Any) -> Any:
        asked.append(child)
        begun.set()
        assert go_on.wait(LIMIT)
        return {}

    tree.root._tree.answer_modules = reply  # type: ignore[method-assign]
    other = RawPeer(tree.root)
    for number in range(1000):
        raw.message(wire.ASK_MODULE, {}, dst=0, stream=wire.MODULES, reply_to=RANDOM | number)
    raw.sync()
    assert begun.wait(LIMIT)
    for number in range(2):
        other.message(wire.ASK_MODULE, {}, dst=0, stream=wire.MODULES, reply_to=RANDOM | number)
    other.sync()
    go_on.set()
    other.kind(wire.MESSAGE, handle=RANDOM | 1)
    until(lambda: asked.count(raw.id) == 1000)
    assert asked[:5] == [raw.id, other.id, raw.id, other.id, raw.id]
    other.close()


def test_made_up_contexts_that_take_no_modules_keep_nobody_else_waiting(tree: MemoryTree, raw: RawPeer) -> None:
    tree.root._tree.answer_modules = lambda child, wanted: {"data": b"x" * MIB}  # type: ignore[method-assign]
    other = tree.add()
    first = raw.lease()
    for number in range(first, first + 100):
        raw.say(wire.ROUTE_ADD, dst=wire.NEIGHBOUR, handle=number)
        raw.message(wire.ASK_MODULE, {}, dst=0, src=number, auth=number, stream=wire.MODULES, reply_to=RANDOM | number)
    raw.sync()
    until(lambda: any(thread.name == f"remotesvc-modules-{raw.id}" for thread in threading.enumerate()))
    assert other.ask(tree.root, wire.ASK_MODULE, {}, timeout=LIMIT) == {"data": b"x" * MIB}
    assert sum(thread.name.startswith("remotesvc-modules-") for thread in threading.enumerate()) <= 2
    raw.close()
    until(lambda: not any(thread.name == f"remotesvc-modules-{raw.id}" for thread in threading.enumerate()))
