"""Identity is the link: who may say what, and whose answers are believed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import NotSent
from remotesvc.bootstrap.links import fragments, wire
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.bootstrap.routing.ids import BLOCK
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.rawpeer import LIMIT, RawPeer, ended

pytest_plugins = ("tests.kernel.tree_fixtures",)

ECHO = 40
MASTER_KINDS = [wire.CANCEL, wire.BYE, wire.HELLO, wire.CONFIG, wire.KERNEL, wire.ROUTE_ADD, wire.ROUTE_DROP]


# -- identity is the link


@pytest.mark.parametrize(("src", "auth"), [(0, None), (None, 0), (0, 0), ("sibling", None), (None, "sibling"),
                                           ("sibling", "sibling"), (999, None), (None, 999), (0xFFFFFFFF, None)])
def test_three_forged_senders_close_the_link(tree: MemoryTree, raw: RawPeer, src: Any, auth: Any) -> None:
    sibling = tree.add()
    heard: list[Any] = []
    tree.root.serve(ECHO, heard.append)

    def number(who: Any) -> int:
        return raw.id if who is None else sibling.id if who == "sibling" else who

    for count in (1, 2):
        raw.message(ECHO, "forged", src=number(src), auth=number(auth))
        raw.sync()
        assert (raw.link.strikes, raw.link.closed) == (count, "")
    raw.message(ECHO, "forged", src=number(src), auth=number(auth))
    assert "broke the rules" in raw.wait_end()
    assert heard == []
    assert tree.root.dropped >= 3
    assert tree.root.context(sibling).call("operator:add", 1, 2) == 3


def test_after_the_third_strike_nothing_more_is_heard(tree: MemoryTree, raw: RawPeer) -> None:
    """What came in one read with the frame that closed the link: also from nobody any more."""
    heard: list[Any] = []
    tree.root.serve(ECHO, heard.append)
    hello = threading.Event()
    raw.link.on_hello = lambda frame: hello.set()
    forged = Frame(wire.MESSAGE, 0, wire.REPLIES, 0, 999, 999, ECHO, payload=codec.encode("x").data)
    raw.send(forged, forged, forged, Frame(wire.HELLO), Frame(wire.ROUTE_ADD, handle=raw.id + 1), forged)
    raw.wait_end()
    assert not hello.is_set()
    assert heard == []


@pytest.mark.parametrize("kind", MASTER_KINDS)
def test_commands_from_below_are_refused(tree: MemoryTree, raw: RawPeer, kind: int) -> None:
    for count in (1, 2, 3):
        raw.say(kind, handle=1, payload=b"do as I say")
        if count < 3:
            raw.sync()
            assert raw.link.strikes == count
    assert "broke the rules" in raw.wait_end()
    assert tree.root.closed == ""
    assert not tree.root.orphaned.is_set()


@pytest.mark.parametrize(
    "kind", [wire.MESSAGE, wire.GRANT, wire.CANCEL, wire.DEAD, wire.HELLO, wire.CONFIG, wire.KERNEL]
)
def test_frames_that_no_neighbour_sends(raw: RawPeer, kind: int) -> None:
    raw.say(kind, dst=wire.NEIGHBOUR)
    raw.sync()
    assert raw.link.strikes == 1


def test_a_child_cannot_call_functions_above(tree: MemoryTree) -> None:
    child = tree.add()
    with pytest.raises(NotSent, match="nobody listens"):
        child.context(tree.root).call("operator:add", 1, 2)


def test_a_node_runs_only_what_comes_from_above(tree: MemoryTree) -> None:
    """Neither its child, nor whoever its child pretends to be, gets anything run."""
    node = tree.add()
    peer = RawPeer(node)
    call = codec.encode(["operator:add", [1, 2], {}, {}, []]).data
    fields: dict[str, Any] = {"stream": wire.CALLS, "handle": wire.CALL, "payload": call}
    peer.say(wire.MESSAGE, reply_to=RANDOM | 1, **fields)
    assert b"only a parent" in peer.kind(wire.DEAD, handle=RANDOM | 1).payload
    peer.say(wire.MESSAGE, reply_to=RANDOM | 2, auth=0, **fields)
    peer.sync()
    assert peer.link.strikes == 1
    assert [frame.handle for frame in peer.of_kind(wire.DEAD)] == [RANDOM | 1]
    assert peer.of_kind(wire.MESSAGE) == []
    peer.close()


# -- ids


def test_a_child_may_announce_only_what_it_was_leased(tree: MemoryTree, raw: RawPeer) -> None:
    raw.message(wire.LEASE_IDS, None, stream=wire.CALLS, reply_to=RANDOM | 9)
    first, count = codec.decode(raw.kind(wire.MESSAGE, handle=RANDOM | 9).payload, (), False)
    assert count == BLOCK
    raw.send(Frame(wire.ROUTE_ADD, handle=first), Frame(wire.ROUTE_ADD, handle=first + count - 1))
    raw.sync()
    assert tree.root.routes.towards(first) == raw.id
    assert raw.link.strikes == 0
    sibling = tree.add()
    for forged in (first + count, sibling.id, 0):
        raw.send(Frame(wire.ROUTE_ADD, handle=forged))
    assert "announced" in raw.wait_end()
    assert tree.root.routes.towards(sibling.id) == sibling.id
    assert tree.root.routes.towards(first) is None


def test_a_child_cannot_drop_its_sibling(tree: MemoryTree, raw: RawPeer) -> None:
    sibling = tree.add()
    raw.send(Frame(wire.ROUTE_DROP, handle=sibling.id), Frame(wire.ROUTE_DROP, handle=0))
    raw.sync()
    assert tree.root.context(sibling).call("operator:add", 1, 2) == 3


# -- replies


def test_replies_from_somebody_else_are_refused(tree: MemoryTree, raw: RawPeer) -> None:
    asked = tree.add()
    pending = tree.root.expect(asked.id)
    raw.message(pending.handle, "forged", reply_to=RANDOM | 5)
    raw.sync()
    assert pending.outcome is None
    assert raw.kind(wire.DEAD, handle=RANDOM | 5)
    tree.root.drop(pending.handle)


def test_guessed_handles_say_nothing(tree: MemoryTree, raw: RawPeer) -> None:
    pending = tree.root.expect(raw.id)
    for guess in (pending.handle - 1, pending.handle + 1, pending.handle ^ RANDOM):
        raw.message(guess, "guessed")
    raw.sync()
    assert pending.outcome is None
    assert tree.root.dropped == 3
    tree.root.drop(pending.handle)


def test_duplicate_and_late_replies_are_dropped_and_leave_nothing(tree: MemoryTree, raw: RawPeer) -> None:
    told: list[Pending] = []
    pending = tree.root.expect(raw.id, told.append)
    for value in ("first", "second", "third"):
        raw.message(pending.handle, value)
    raw.sync()
    assert told == [pending]
    assert ended(pending).decode() == "first"
    pending.outcome.release()
    tree.root.drop(pending.handle)
    raw.message(pending.handle, "late")
    raw.sync()
    assert raw.link.taken == raw.link.freed, "a duplicate must give its room back"
    assert (raw.link.strikes, tree.root.unanswered()) == (0, [])


def test_large_duplicates_do_not_eat_the_room_of_others(tree: MemoryTree, raw: RawPeer) -> None:
    room = tree.root.streams.large.budget
    pending = tree.root.expect(raw.id)
    payload = codec.encode(b"x" * 300_000)
    for stream in (20, 21, 22):
        flags, buffers = fragments.body(payload.data, payload.blobs)
        total = sum(map(len, buffers))
        for more, _length, parts in fragments.fragments(buffers, total):
            raw.say(wire.MESSAGE, flags=flags | more | (0 if more & wire.MORE else wire.END), stream=stream,
                    handle=pending.handle, payload=b"".join(parts))
    raw.sync()
    ended(pending).release()
    tree.root.drop(pending.handle)
    assert tree.root.streams.large.budget == room
    assert raw.link.taken == raw.link.freed


@pytest.mark.parametrize("handle", [wire.CALL, wire.ASK_MODULE, wire.LEASE_IDS, ECHO])
@pytest.mark.parametrize("kind", [wire.DEAD, wire.PONG])
def test_well_known_mailboxes_stay_open_and_empty(tree: MemoryTree, raw: RawPeer, kind: int, handle: int) -> None:
    heard: list[Any] = []
    tree.root.serve(ECHO, heard.append)
    before = tree.root.mailboxes.get(handle)
    for _ in range(5):
        raw.say(kind, handle=handle)
    raw.sync()
    assert tree.root.mailboxes.get(handle) is before
    assert tree.root.errors == []
    assert heard == []


def test_what_a_parent_relays_closes_no_well_known_mailbox(tree: MemoryTree) -> None:
    """What a parent relays is not always what the parent says."""
    node = Node(5, [0])
    parent = RawPeer.above(node)
    for src in (0, 77):
        parent.say(wire.DEAD, src=src, auth=src, handle=wire.CALL)
        parent.say(wire.PONG, src=src, auth=src, handle=wire.CALL)
    parent.sync()
    assert node.mailboxes[wire.CALL] is node.dispatcher
    parent.close()
    node.end()


def test_what_a_parent_relays_costs_it_no_strikes(tree: MemoryTree) -> None:
    """A cousin that says what only ancestors may say must not have us close the link to our parent."""
    node = Node(5, [3, 0])
    parent = RawPeer.above(node)
    for kind in (wire.CANCEL, wire.BYE, wire.CONFIG, wire.HELLO) * 3:
        parent.say(kind, src=77, auth=77, handle=1)
    parent.sync()
    assert (parent.link.strikes, parent.link.closed, node.orphaned.is_set()) == (0, "", False)
    parent.say(wire.BYE, src=0, auth=0, payload=b"sent away")
    assert node.orphaned.wait(LIMIT)
    parent.close()
