"""Context ids for what children start: who gives them, how many, and to whom no longer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remotesvc.bootstrap.errors import NotSent
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.bootstrap.routing import ids
from remotesvc.testing.tree import MemoryTree
from tests.kernel.rawpeer import RawPeer

pytest_plugins = ("tests.kernel.tree_fixtures",)


def lease(peer: RawPeer, number: int, **fields: Any) -> Frame:
    """Ask for ids; returns what was answered, a MESSAGE or DEAD."""
    handle = RANDOM | number
    peer.message(wire.LEASE_IDS, None, stream=wire.CALLS, reply_to=handle, **fields)
    return peer.wait(lambda frame: frame.handle == handle and frame.kind in (wire.MESSAGE, wire.DEAD))


def id_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "remotesvc-ids"]


def test_leases_end(tree: MemoryTree, raw: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "MAX_BLOCKS", 50)
    assert {lease(raw, number).kind for number in range(50)} == {wire.MESSAGE}
    refused = lease(raw, 50)
    assert refused.kind == wire.DEAD
    assert b"have used up all context ids for them" in refused.payload
    assert len(tree.root.routes._leases[raw.id]) == 1  # type: ignore[attr-defined]
    assert len(id_threads()) == 1
    other = RawPeer(tree.root)
    assert lease(other, 1).kind == wire.MESSAGE, "the others have theirs"
    other.close()


def test_many_requests_at_once_are_one_thread_and_one_block(tree: MemoryTree, raw: RawPeer) -> None:
    pool, held = tree.root.ids, threading.Lock()
    held.acquire()
    take, pool.take = pool.take, lambda count=1: held.acquire() and take(count)  # type: ignore[method-assign]
    for number in range(100):
        raw.message(wire.LEASE_IDS, None, stream=wire.CALLS, reply_to=RANDOM | number)
    raw.sync()
    assert len(id_threads()) == 1
    held.release()
    raw.kind(wire.MESSAGE)
    raw.sync()
    assert len(raw.of_kind(wire.MESSAGE)) == 1
    assert len(raw.of_kind(wire.DEAD)) == 99
    assert b"before it got" in raw.of_kind(wire.DEAD)[0].payload


def test_whoever_is_further_away_asks_its_own_parent(tree: MemoryTree) -> None:
    near = tree.add()
    far = RawPeer(near)
    near.ping(tree.root)
    refused = lease(far, 1, dst=0)
    assert b"leased to neighbours" in refused.payload
    far.close()


def test_a_hop_that_gets_no_ids_says_why(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = tree.add()
    tree.add(near)
    monkeypatch.setattr(ids, "MAX_BLOCKS", 1)
    near.ids.take(ids.BLOCK - 1)
    with pytest.raises(NotSent, match="used up all context ids"):
        near.ids.take()
    far = RawPeer(near, tree.nodes[-1].id + 1)
    refused = lease(far, 1)
    assert refused.kind == wire.DEAD
    assert b"used up all context ids" in refused.payload
    assert near.errors == []
    far.close()


def test_asking_for_ids_and_going_ends_no_thread(tree: MemoryTree, raw: RawPeer) -> None:
    held = threading.Lock()
    held.acquire()
    pool = tree.root.ids
    take, pool.take = pool.take, lambda count=1: held.acquire() and take(count)  # type: ignore[method-assign]
    raw.message(wire.LEASE_IDS, None, stream=wire.CALLS, reply_to=RANDOM | 1)
    raw.sync()
    raw.close()
    held.release()
    pool.take = take  # type: ignore[method-assign]
    other = RawPeer(tree.root)
    assert lease(other, 1).kind == wire.MESSAGE
    assert tree.root.errors == []
    other.close()
