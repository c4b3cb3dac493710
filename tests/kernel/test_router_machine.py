"""Trees of routers as a state machine."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import RANDOM
from remotesvc.testing.tree import MemoryTree
from tests.kernel.rawpeer import RawPeer

ECHO = 40


# -- the tree as a state machine


class Forest(RuleBasedStateMachine):
    """Contexts come, go, speak, and pretend to be others; what is delivered names its true sender."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = MemoryTree()
        self.peers: list[RawPeer] = []
        self.heard: list[tuple[int, int, int]] = []
        self.expected: list[tuple[int, int, int]] = []
        self.strikes: dict[int, int] = {}
        self.number = 0
        self.tree.root.mailboxes[ECHO] = self

    source = None

    def on_message(self, message: Any) -> None:
        self.heard.append((message.src, message.auth, message.decode()))
        message.release()

    def on_closed(self, error: BaseException) -> None:
        pass

    @rule()
    def joins(self) -> None:
        if len(self.peers) < 4:
            peer = RawPeer(self.tree.root)
            self.peers.append(peer)
            self.strikes[peer.id] = 0

    @precondition(lambda self: self.peers)
    @rule(index=st.integers(0, 9))
    def leaves(self, index: int) -> None:
        peer = self.peers.pop(index % len(self.peers))
        peer.close()
        assert peer.link.closed

    @precondition(lambda self: self.peers)
    @rule(index=st.integers(0, 9), src=st.integers(0, 6), auth=st.integers(0, 6), true=st.booleans())
    def speaks(self, index: int, src: int, auth: int, true: bool) -> None:
        peer = self.peers[index % len(self.peers)]
        self.number += 1
        if true:
            src = auth = peer.id
        peer.message(ECHO, self.number, src=src, auth=auth)
        if (src, auth) == (peer.id, peer.id):
            self.expected.append((src, auth, self.number))
        else:
            self.strikes[peer.id] += 1
        if self.strikes[peer.id] >= 3:
            peer.wait_end()
            self.peers.remove(peer)
            peer.close()
        else:
            peer.sync()

    @precondition(lambda self: len(self.peers) > 1)
    @rule(index=st.integers(0, 9))
    def speaks_to_a_sibling(self, index: int) -> None:
        peer, sibling = self.peers[index % len(self.peers)], self.peers[(index + 1) % len(self.peers)]
        self.number += 1
        peer.message(ECHO, "psst", dst=sibling.id, reply_to=RANDOM | self.number)
        assert b"may not talk" in peer.kind(wire.DEAD, handle=RANDOM | self.number).payload

    @invariant()
    def what_was_heard_was_said_by_whom_it_names(self) -> None:
        assert self.heard == self.expected

    @invariant()
    def siblings_never_connect(self) -> None:
        assert all(not peer.of_kind(wire.MESSAGE) for peer in self.peers)

    @invariant()
    def routes_are_those_of_the_peers(self) -> None:
        assert set(self.tree.root.routes.via) == {peer.id for peer in self.peers}

    def teardown(self) -> None:
        for peer in self.peers:
            peer.close()
        assert self.tree.root.unanswered() == []
        self.tree.close()


Forest.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestForest = Forest.TestCase
