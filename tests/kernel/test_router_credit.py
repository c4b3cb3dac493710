"""Credit and memory: a neighbour that breaks the rules, or reads nothing, costs only itself."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from remotesvc.bootstrap.calls.ask import withdraw
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import CallTimeout, Lost, NotSent
from remotesvc.bootstrap.links import link as link_module
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.assembly import BUDGET
from remotesvc.bootstrap.links.link import MAX_CONTROL
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.messages.line import VALUE
from remotesvc.messages.sender_paths import Remote
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel import called
from tests.kernel.contexts import until
from tests.kernel.rawpeer import LIMIT, RawPeer, ended
from tests.threads import beside

pytest_plugins = ("tests.kernel.tree_fixtures",)

MIB = 1 << 20
ECHO = 40


# -- credit and memory


def test_a_lying_grant_closes_the_link(tree: MemoryTree, raw: RawPeer) -> None:
    pending = tree.root.expect(raw.id)
    tree.root.post(raw.id, ECHO, codec.encode("x"), pending.handle)
    raw.kind(wire.MESSAGE)
    raw.say(wire.GRANT, stream=wire.CALLS, handle=1 << 30)
    assert "granted" in raw.wait_end()
    assert type(ended(pending)) is Lost


def test_who_writes_while_its_receiver_is_being_lost_does_not_wait_for_ever(tree: MemoryTree, raw: RawPeer) -> None:
    way = Remote(tree.root, raw.id, ECHO)
    data = codec.encode(bytes(100_000))

    def write() -> None:
        with pytest.raises(NotSent, match="it is gone"):
            for _ in range(100):
                way.post(data, VALUE, time.monotonic() + LIMIT, None)

    tree.root.streams.forget({raw.id}, "it is gone")  # the first step of `lose`; the mailboxes are told after it
    with beside([write]):
        until(lambda: way._credit().credit.outstanding > 900_000, what="its window is used up")
        way.on_closed(Lost("it is gone"))
    way.end()


@pytest.mark.parametrize("total", [1 << 20, (1 << 64) - 1])
def test_a_lying_acknowledgement_closes_the_link(raw: RawPeer, total: int) -> None:
    raw.send(Frame(wire.ACK, handle=total))
    assert "acknowledged" in raw.wait_end()


def test_a_sender_beyond_its_credit_loses_its_link(tree: MemoryTree, raw: RawPeer) -> None:
    gate = threading.Event()
    tree.root.serve(ECHO, lambda value: gate.wait(LIMIT))
    payload = codec.encode(bytes(60_000)).data
    with pytest.raises(OSError, match="closed"):
        for _ in range(100):
            raw.say(wire.MESSAGE, stream=wire.OUTPUT, handle=ECHO, payload=payload)
    assert "window" in raw.wait_end()
    gate.set()


def test_a_grandchild_that_breaks_the_rules_goes_alone(tree: MemoryTree) -> None:
    """Its hop, and who else lives behind that, are not to blame."""
    near = tree.add()
    good = tree.add(near)
    bad = RawPeer(near)
    near.ping(tree.root)
    pending = tree.root.expect(bad.id)
    bad.say(wire.MESSAGE, dst=0, flags=wire.FIRST | wire.MORE, stream=20, handle=pending.handle,
            payload=struct.pack(">I", wire.MAX_MESSAGE + 1))
    assert type(ended(pending)) is Lost
    assert bad.kind(wire.BYE).auth == 0
    assert tree.root.context(good).call("operator:add", 1, 2) == 3
    bad.close()


def test_a_peer_that_never_reads_bounds_our_memory(tree: MemoryTree) -> None:
    """Calls wait in their callers once the credit is used up; the queue holds no more than that."""
    deaf = RawPeer(tree.root, capacity=10_000, reads=False)
    data = codec.encode(bytes(60_000))
    sent = 0
    with pytest.raises(CallTimeout):
        for _ in range(1000):
            tree.root.post(deaf.id, ECHO, data, deadline=0.0)
            sent += len(data.data)
    assert 7 * MIB < sent <= 8 * MIB
    assert deaf.link.queued <= 8 * MIB
    pending = tree.root.expect(deaf.id)
    deaf.path.close()
    assert type(ended(pending)) is Lost
    assert deaf.link.queued == 0
    deaf.close()


def test_a_peer_that_asks_and_never_reads_loses_its_link(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MAX_CONTROL", 1000)
    deaf = RawPeer(tree.root, capacity=10_000, reads=False)
    ping = Frame(wire.PING, handle=1).pack() * 50
    with pytest.raises(OSError, match="closed"):
        for _ in range(1000):
            deaf.path.write([ping])
    assert "does not read" in deaf.link.closed
    assert len(deaf.link.controls) <= 1000 < MAX_CONTROL
    deaf.close()


def test_calls_taken_back_give_their_credit_back(tree: MemoryTree) -> None:
    deaf = RawPeer(tree.root, capacity=10_000, reads=False)
    data = codec.encode(bytes(60_000))
    for number in range(1000):
        tree.root.post(deaf.id, ECHO, data, RANDOM | number)
        if number > 20:
            assert withdraw(tree.root, deaf.id, wire.CALLS, RANDOM | number)
    assert not withdraw(tree.root, deaf.id, wire.CALLS, RANDOM | 999)
    deaf.path.close()
    deaf.close()


def test_a_flood_from_behind_costs_the_flooder(tree: MemoryTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hop whose way up is slow gives up who floods it, not its parent."""
    node = Node(5, [0])
    parent = RawPeer.above(node, capacity=5000)
    flooder = RawPeer(node, 6)
    monkeypatch.setattr("remotesvc.bootstrap.routing.hub.MAX_CONTROL", 1000)
    parent.far.stall()
    pings = Frame(wire.PING, dst=0, src=6, auth=6).pack() * 50
    with pytest.raises(OSError, match="closed"):
        for _ in range(1000):
            flooder.path.write([pings])
    assert "floods" in flooder.wait_end()
    assert parent.link.closed == ""
    parent.far.resume()
    parent.sync()
    flooder.close()
    parent.close()
    node.end()


@pytest.fixture
def deaf(tree: MemoryTree) -> Iterator[RawPeer]:
    """A context behind a hop that reads nothing; the hop has a sibling of it."""
    near = tree.add()
    tree.add(near)
    peer = RawPeer(near, capacity=10_000, reads=False)
    near.ping(tree.root)
    yield peer
    peer.close()


def others_live(tree: MemoryTree, deaf: RawPeer) -> bool:
    """Do calls to the hop of a deaf context, and to others behind that, return?"""
    contexts = [tree.root.context(node) for node in tree.nodes if node is not tree.root]
    return [context.call("operator:add", 1, 2) for context in contexts] == [3, 3]


def test_who_reads_nothing_behind_a_hop_costs_only_itself(
    tree: MemoryTree, deaf: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotesvc.bootstrap.routing.hub.MAX_QUEUE", 2 * MIB)
    monkeypatch.setattr("remotesvc.bootstrap.routing.hub.MAX_FROM_ABOVE", 4 * MIB)
    pending = tree.root.expect(deaf.id)
    data = codec.encode(bytes(100_000))
    post = partial(tree.root.post, deaf.id, ECHO, data, deadline=0.0)
    for _ in range(30):  # each on a stream of its own
        post(stream=tree.root.streams.new())
    deaf.node.ping(tree.root)
    assert not deaf.link.closed  # it may be slow
    with contextlib.suppress(NotSent):
        for _ in range(30):
            post(stream=tree.root.streams.new())
    assert "does not read" in str(ended(pending))
    assert "does not read" in deaf.link.closed
    assert others_live(tree, deaf)


def test_who_asks_behind_a_hop_and_reads_nothing_costs_only_itself(
    tree: MemoryTree, deaf: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotesvc.bootstrap.routing.hub.MAX_CONTROL", 1000)
    pings = Frame(wire.PING, dst=0, src=deaf.id, auth=deaf.id).pack() * 50
    with pytest.raises(OSError, match="closed"):
        for _ in range(1000):
            deaf.path.write([pings])
    # Which of the two is seen first is a matter of who runs when.
    assert "does not read" in deaf.link.closed or "it floods" in deaf.link.closed
    assert others_live(tree, deaf)


def open_streams(node: Node) -> list[tuple[int, int]]:
    """The streams towards a node that belong to one message or generator."""
    return list(node.streams.large.incoming)


def test_a_generator_that_is_closed_early_leaves_nothing(tree: MemoryTree) -> None:
    node = tree.add()
    context = tree.root.context(node)
    for size in (1, 400_000):
        for _ in range(5):
            items = context.call(called.big_items, 1000, size)
            assert len(next(items)) == size
            items.close()
    until(lambda: open_streams(tree.root) == [], what="streams at the caller")
    until(lambda: not [key for key in list(node.streams._outgoing) if key[1] >= wire.DYNAMIC], what="at the target")
    until(lambda: [link.taken - link.freed for link in tree.root.links.values()] == [0], what="no message is kept")
    until(lambda: tree.root.streams.large.budget == BUDGET, what="all room is back")
    assert context.call("operator:add", 1, 2) == 3


def test_a_generator_that_is_read_to_its_end_leaves_nothing(tree: MemoryTree) -> None:
    context = tree.root.context(tree.add())
    assert [len(item) for item in context.call(called.big_items, 5, 300_000)] == [300_000] * 5
    assert sum(context.call(called.count, 10)) == 45
    assert (open_streams(tree.root), tree.root.unanswered()) == ([], [])
    assert tree.root.streams.large.budget == BUDGET
