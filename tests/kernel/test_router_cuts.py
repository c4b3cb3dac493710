"""A link that breaks anywhere releases everybody who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import Lost, NotSent
from remotesvc.bootstrap.links import fragments, wire
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.rawpeer import LIMIT, RawPeer, ended

pytest_plugins = ("tests.kernel.tree_fixtures",)

ECHO = 40


# -- a link that breaks anywhere


class Waiters:
    """One of each that waits for a child: a call, a future, a ping, a generator, a large message half sent."""

    def __init__(self, tree: MemoryTree, node: Node) -> None:
        context = tree.root.context(node)
        self.ends: list[Any] = []
        self.threads = [
            threading.Thread(target=self._run, args=(work,))
            for work in (
                lambda: context.call("operator:add", 1, 2),
                lambda: context.submit("operator:add", b"x" * 300_000, b"y").result(LIMIT),
                lambda: context.ping(LIMIT),
                lambda: sum(context.call("tests.kernel.called:count", 5)),
                lambda: tree.root.ask(node, ECHO, bytes(200_000), LIMIT),
            )
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            work()
            self.ends.append(None)
        except BaseException as error:
            self.ends.append(error)

    def wait(self) -> list[Any]:
        for thread in self.threads:
            thread.join(LIMIT)
        assert not any(thread.is_alive() for thread in self.threads), "somebody waits for ever"
        return self.ends


def cut_tree(below: bool, size: int | None) -> tuple[int, list[Any]]:
    """The waiters on a link that is cut after so many bytes of one side; returns what was written, and their ends."""
    with MemoryTree() as tree:
        node = tree.add()
        node.serve(ECHO, lambda value: value)
        path = node.own if below else node.path
        assert path is not None
        before = path.written
        if size is not None:
            path.cut_after(size)
        ends = Waiters(tree, node).wait()
        assert tree.root.unanswered() == [], "the table of calls is not empty"
        if size is not None and any(ends):
            assert all(peer.unanswered == set() for peer in tree.root.tree().ledger.peers.values())
        errors = [error for error in ends if error is not None]
        assert all(isinstance(error, (Lost, NotSent)) for error in errors), errors
        return path.written - before, ends


@pytest.mark.parametrize("below", [False, True], ids=["downward", "upward"])
def test_a_cut_under_load_releases_everybody(below: bool) -> None:
    whole, ends = cut_tree(below, None)
    assert ends == [None] * 5
    for size in [*range(0, 200, 23), *range(200, whole, whole // 12)]:
        cut_tree(below, size)


def frame_sequence(node: Node, peer: RawPeer) -> tuple[list[Pending], bytes]:
    """Answers of every form for waiters at the node, in one piece."""
    pendings = [node.expect(peer.id) for _ in range(4)]
    small, large = codec.encode("small"), codec.encode(b"x" * 150_000)
    flags, buffers = fragments.body(large.data, large.blobs)
    frames = [Frame(wire.MESSAGE, 0, wire.REPLIES, node.id, peer.id, peer.id, pendings[0].handle, payload=small.data)]
    for more, _length, parts in fragments.fragments(buffers, sum(map(len, buffers))):
        frames.append(Frame(wire.MESSAGE, flags | more | (0 if more & wire.MORE else wire.END), 20, node.id, peer.id,
                            peer.id, pendings[1].handle, payload=b"".join(parts)))
    frames.append(Frame(wire.PONG, 0, 0, node.id, peer.id, peer.id, pendings[2].handle))
    frames.append(Frame(wire.DEAD, 0, 0, node.id, peer.id, peer.id, pendings[3].handle, payload=b"nobody"))
    return pendings, b"".join(frame.pack() for frame in frames)


def interesting(size: int) -> list[int]:
    """Every byte around headers, and some of those within the large payload, which are all alike."""
    large = range(300, size - 400)
    return [place for place in range(size + 1) if place not in large or place % 5000 < 45]


def test_cut_at_every_byte_all_waiters_are_released(tree: MemoryTree) -> None:
    root = tree.root
    peer = RawPeer(root)
    _, data = frame_sequence(root, peer)
    peer.close()
    for size in interesting(len(data)):
        peer = RawPeer(root)
        pendings, data = frame_sequence(root, peer)
        peer.path.cut_after(size)
        try:
            peer.path.write([data])
        except OSError:
            assert size < len(data)
        outcomes = [ended(pending) for pending in pendings]
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert all(type(error) in (Lost, NotSent) for error in errors)
        # In the order they were sent: what came whole before the cut is an answer, all after it is lost.
        lost = [type(outcome) is Lost for outcome in outcomes]
        assert lost == sorted(lost)
        assert any(lost) is (size < len(data))
        for pending, outcome in zip(pendings, outcomes, strict=True):
            root.drop(pending.handle)
            if not isinstance(outcome, BaseException):
                outcome.release()
        peer.close()
        assert root.unanswered() == []
        assert peer.link.taken == peer.link.freed
    assert root.links == {}
    assert root.streams.large.budget == 2 * wire.MAX_MESSAGE
    assert root.streams.incoming == {}


def test_garbage_closes_the_link_and_quotes_it(raw: RawPeer) -> None:
    raw.path.write([b"Traceback (most recent call last)"])
    assert "Traceback" in raw.wait_end()
