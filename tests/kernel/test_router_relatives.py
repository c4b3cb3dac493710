"""Who may talk to whom in a tree, and that nobody waits for one who is not there."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remotesvc.bootstrap.errors import Busy, Error, Lost, NotSent, RouterClosed
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.links.wire import RANDOM
from remotesvc.testing.memory import CUT
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.contexts import until
from tests.kernel.rawpeer import LIMIT, RawPeer, ended

pytest_plugins = ("tests.kernel.tree_fixtures",)

MIB = 1 << 20
ECHO = 40


# -- siblings


def matrix(tree: MemoryTree) -> list[Node]:
    """Five contexts over two levels."""
    near, other = tree.add(), tree.add()
    return [near, other, tree.add(near), tree.add(near), tree.add(other)]


def below(tree: MemoryTree, one: Node, other: Node) -> bool:
    """Whether one of two lies above the other."""
    return one.id in other.routes.ancestors or other.id in one.routes.ancestors


def test_siblings_are_refused_with_a_reason(tree: MemoryTree) -> None:
    nodes = matrix(tree)
    for node in nodes:
        node.serve(ECHO, lambda value: value)
    for one in nodes:
        for other in nodes:
            if one is other or below(tree, one, other):
                continue
            with pytest.raises(NotSent, match=r"may not talk; Router\(siblings=True\) allows it"):
                one.ask(other, ECHO, "hello")
    assert all(node.unanswered() == [] for node in nodes)
    assert all(link.strikes == 0 for node in tree.nodes for link in node.links.values())


@pytest.mark.parametrize("handle", [*range(1, 8), ECHO, RANDOM | 5])
@pytest.mark.parametrize("kind", [wire.MESSAGE, wire.GRANT, wire.CANCEL, wire.DEAD, wire.PING, wire.PONG, wire.BYE])
def test_nothing_of_a_sibling_arrives_whatever_it_is_for(tree: MemoryTree, handle: int, kind: int) -> None:
    """Neither calls, modules and ids, services, nor what is said beside them; nor by way of a common parent's child."""
    near = tree.add()
    victims = [RawPeer(tree.root), RawPeer(near)]
    attackers = [RawPeer(tree.root), RawPeer(near)]
    near.ping(tree.root)
    for attacker in attackers:
        for victim in victims:
            attacker.say(kind, dst=victim.id, handle=handle, stream=wire.CALLS, payload=b"\x90")
        attacker.sync()
    near.ping(tree.root)
    for victim in victims:
        victim.sync()
        assert [frame for frame in victim.got if frame.src in {attacker.id for attacker in attackers}] == []
    for peer in victims + attackers:
        peer.close()


def test_relatives_in_line_may_talk(tree: MemoryTree) -> None:
    nodes = matrix(tree)
    for node in nodes:
        node.serve(ECHO, lambda value: value)
    pairs = [(one, other) for one in nodes for other in nodes if one is not other and below(tree, one, other)]
    assert len(pairs) == 6
    for one, other in pairs:
        assert one.ask(other, ECHO, [one.id]) == [one.id]


def test_siblings_may_talk_where_they_were_opened(open_tree: MemoryTree) -> None:
    nodes = matrix(open_tree)
    for node in nodes:
        node.serve(ECHO, lambda value: value)
    for one in nodes:
        for other in nodes:
            if one is not other:
                assert one.ask(other, ECHO, one.id) == one.id


def test_siblings_never_call_each_other_even_where_they_may_talk(open_tree: MemoryTree) -> None:
    one, other = open_tree.add(), open_tree.add()
    with pytest.raises(NotSent, match="only a parent"):
        one.context(other).call("operator:add", 1, 2)


def test_a_large_message_that_is_refused_ends_its_sender(tree: MemoryTree) -> None:
    """Nobody grants credit for what is refused: who sends must not wait for it."""
    one, other = tree.add(), tree.add()
    with pytest.raises(NotSent):
        one.context(other).call("operator:add", bytes(5 * MIB), b"")
    assert one.unanswered() == []


# -- nobody is there


def test_unknown_handles_are_answered_as_dead(tree: MemoryTree, raw: RawPeer) -> None:
    raw.message(77, "hello", reply_to=RANDOM | 3)
    frame = raw.kind(wire.DEAD, handle=RANDOM | 3)
    assert b"nobody listens at handle 77" in frame.payload
    with pytest.raises(NotSent, match="nobody listens"):
        tree.root.ask(tree.add(), 77, None)


def test_unknown_contexts_are_answered_as_dead(tree: MemoryTree, raw: RawPeer) -> None:
    raw.message(ECHO, "hello", dst=12345, reply_to=RANDOM | 3)
    assert b"no route to context 12345" in raw.kind(wire.DEAD, handle=RANDOM | 3).payload


def test_a_context_is_answered_as_dead_whose_loss_has_a_reason_with_surrogates(tree: MemoryTree, raw: RawPeer) -> None:
    gone = tree.add()
    link = tree.root.links[gone.id]
    link.fail("/tmp/\udcff is gone")  # as Python reads the name of a file that is not UTF-8
    raw.message(ECHO, "hello", dst=gone.id, reply_to=RANDOM | 3)
    assert b"/tmp/? is gone" in raw.kind(wire.DEAD, handle=RANDOM | 3).payload


def test_dead_and_busy_are_told_apart(tree: MemoryTree, raw: RawPeer) -> None:
    for flags, kind in ((0, NotSent), (1, Busy)):
        pending = tree.root.expect(raw.id)
        raw.say(wire.DEAD, flags=flags, handle=pending.handle, payload=b"because")
        error = ended(pending)
        assert type(error) is kind
        assert str(error) == "because"


def test_dead_is_believed_only_from_the_way(tree: MemoryTree, raw: RawPeer) -> None:
    asked = tree.add()
    pending = tree.root.expect(asked.id)
    raw.say(wire.DEAD, handle=pending.handle)
    raw.sync()
    assert pending.outcome is None
    tree.root.drop(pending.handle)


def test_a_lost_context_wakes_its_callers_at_every_level(tree: MemoryTree) -> None:
    near = tree.add()
    far = tree.add(near)
    pendings = [(node, node.expect(far.id)) for node in (tree.root, near)]
    assert far.path is not None
    far.path.cut_after(0)
    for _node, pending in pendings:
        error = ended(pending)
        assert type(error) is Lost
        assert CUT in str(error)
    with pytest.raises(NotSent, match=CUT):
        tree.root.ask(far, ECHO, None)
    assert tree.root.context(near).call("operator:add", 1, 2) == 3


def test_a_cousin_that_waits_is_woken(open_tree: MemoryTree) -> None:
    """ROUTE_DROP reaches whoever spoke to the lost context, by the way that they spoke."""
    near, other = open_tree.add(), open_tree.add()
    one, cousin = open_tree.add(near), open_tree.add(other)
    begun, never = threading.Event(), threading.Event()

    def answer(value: Any) -> Any:
        begun.set()
        never.wait(LIMIT)
        return value

    cousin.serve(ECHO, answer)
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            one.ask(cousin, ECHO, "hello")
        except Error as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(LIMIT)
    assert cousin.path is not None
    cousin.path.cut_after(0)
    thread.join(LIMIT)
    assert [type(error) for error in failed] == [Lost]
    assert CUT in str(failed[0])
    never.set()


@pytest.mark.parametrize("hops", [0, 1])
def test_who_attends_to_one_that_is_gone_is_told(tree: MemoryTree, hops: int) -> None:
    """The first word of a reader, that it wants to hear of the loss, may come when that has happened."""
    gone = tree.add()
    reader = RawPeer(tree.add() if hops else tree.root)
    assert gone.path is not None
    gone.path.cut_after(0)
    until(lambda: gone.id in tree.root.hub.lost, what="its loss is known")
    reader.say(wire.GRANT, dst=gone.id)
    assert CUT.encode() in reader.kind(wire.ROUTE_DROP, handle=gone.id).payload
    reader.close()


@pytest.mark.parametrize("kind", [wire.MESSAGE, wire.GRANT])
def test_a_context_that_is_lost_while_somebody_speaks_to_it(open_tree: MemoryTree, kind: int) -> None:
    """Between the look at the route and the note of who spoke."""
    node, peer, hub = open_tree.add(), RawPeer(open_tree.root), open_tree.root.hub
    note = hub._note

    def late(link: Link, dst: int) -> None:
        hub.forget(dst, "in this very moment")
        note(link, dst)

    hub._note = late
    peer.say(kind, dst=node.id)
    assert b"in this very moment" in peer.kind(wire.ROUTE_DROP, handle=node.id).payload
    peer.close()


def test_whoever_lies_behind_a_lost_hop_is_lost(tree: MemoryTree) -> None:
    near = tree.add()
    nodes = [tree.add(near), tree.add(tree.add(near))]
    pendings = [tree.root.expect(node.id) for node in nodes]
    assert near.path is not None
    near.path.cut_after(0)
    assert [type(ended(pending)) for pending in pendings] == [Lost, Lost]
    for node in [near, *nodes]:
        assert node.orphaned.wait(LIMIT), "a child whose parent is gone must end"


def test_closing_the_root_ends_everything(tree: MemoryTree) -> None:
    nodes = matrix(tree)
    pending = tree.root.expect(nodes[-1].id)
    tree.root.end()
    assert type(ended(pending)) is Lost
    for node in nodes:
        assert node.orphaned.wait(LIMIT)
    with pytest.raises(RouterClosed):
        tree.root.context(nodes[0]).call("operator:add", 1, 2)
