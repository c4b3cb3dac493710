"""Routers in one process: calls at every depth of a tree, and trees that share nothing."""

from __future__ import annotations

import threading

import pytest

from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.errors import Lost, NotSent
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.testing.memory import pair
from remotesvc.testing.tree import PATIENCE, MemoryTree, Node
from tests.kernel.rawpeer import LIMIT

pytest_plugins = ("tests.kernel.tree_fixtures",)

ECHO = 40


# -- what a tree is for


def test_calls_at_every_depth(tree: MemoryTree) -> None:
    node: Node | None = None
    for _ in range(4):
        node = tree.add(node)
        assert tree.root.context(node).call("operator:add", 1, 2) == 3
        assert tree.root.ping(node) < PATIENCE
    assert tree.root.unanswered() == []


@pytest.mark.parametrize("capacity", [1000, 1 << 20])
@pytest.mark.parametrize("piece", [0, 1000, 32704])
def test_large_values_whatever_the_pieces(tree: MemoryTree, capacity: int, piece: int) -> None:
    far = tree.add(tree.add(capacity=capacity), capacity=capacity)
    for node in tree.nodes[1:]:
        assert node.path is not None
        assert node.own is not None
        node.path.deliver_in(piece)
        node.own.deliver_in(piece)
    data = bytes(range(256)) * 8192
    assert tree.root.context(far).call("operator:add", data, b"!") == data + b"!"


def test_frames_one_byte_at_a_time(tree: MemoryTree) -> None:
    node = tree.add()
    assert node.path is not None
    assert node.own is not None
    node.path.deliver_in(1)
    node.own.deliver_in(1)
    assert tree.root.context(node).call("operator:add", [1], [2]) == [1, 2]


def test_ids_are_leased_and_differ(tree: MemoryTree) -> None:
    near, other = tree.add(), tree.add()
    nodes = [tree.add(near), tree.add(near), tree.add(other), tree.add(tree.add(near))]
    ids = [node.id for node in [*nodes, near, other, tree.root]]
    assert len(set(ids)) == len(ids)


def test_many_calls_at_once_at_two_depths(tree: MemoryTree) -> None:
    nodes = [tree.add(), tree.add()]
    nodes += [tree.add(nodes[0]), tree.add(nodes[1])]
    contexts = [tree.root.context(node) for node in nodes]
    futures = [contexts[n % 4].submit("operator:add", b"x" * (n % 7 * 50_000), b"y") for n in range(200)]
    assert [len(future.result(LIMIT)) for future in futures] == [n % 7 * 50_000 + 1 for n in range(200)]
    assert tree.root.unanswered() == []


def test_two_routers_share_nothing() -> None:
    with MemoryTree() as one, MemoryTree() as other:
        first, second = one.add(), other.add()
        assert first.id == second.id
        one.root.serve(ECHO, lambda value: "one")
        assert first.ask(one.root, ECHO, None) == "one"
        with pytest.raises(NotSent):
            second.ask(other.root, ECHO, None)
        one.close()
        assert other.root.context(second).call("operator:add", 1, 2) == 3


def test_a_node_without_children_forwards_nothing() -> None:
    from remotesvc.bootstrap.routing.router import Router

    class Leaf(Router):
        """A kernel that never started a child: it has no hub."""

    leaf = Leaf(5, [0], codec, Bindings())
    far, path = pair()
    link = leaf.attach(far, None)
    got: list[Frame] = []
    decoder, came = wire.Decoder(), threading.Event()

    def feed(data: bytes) -> None:
        got.extend(decoder.feed_untrusted(data))
        came.set()

    path.start(feed, lambda reason: None)
    far.start(link.feed, link.fail)
    path.write([Frame(wire.MESSAGE, 0, wire.CALLS, 9, 0, 0, ECHO, RANDOM | 4).pack()])
    assert came.wait(LIMIT)
    assert [(frame.kind, frame.dst, frame.handle) for frame in got] == [(wire.DEAD, 0, RANDOM | 4)]
    leaf.close()
    link.join(LIMIT)
    far.join(LIMIT)
    path.join(LIMIT)


def test_a_mailbox_that_fails_keeps_no_other_from_hearing_of_a_loss(tree: MemoryTree) -> None:
    class Failing:
        source: int

        def on_closed(self, error: BaseException) -> None:
            raise RuntimeError("bad mailbox")

    node = tree.add()
    before = tree.root.context(node).submit("time:sleep", 0.5)
    failing = Failing()
    failing.source = node.id
    tree.root.open(failing)
    after = tree.root.context(node).submit("time:sleep", 0.5)
    assert node.path is not None
    node.path.cut_after(0)
    for future in (before, after):
        with pytest.raises(Lost):
            future.result(LIMIT)
    assert [str(error) for error in tree.root.errors] == ["bad mailbox"]
    tree.root.errors.clear()
