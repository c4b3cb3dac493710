"""Children that say as much as they can of what no credit bounds, or hardly anything: what that costs the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc import Context, Router
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.links import pace, wire
from remotesvc.bootstrap.links.pace import LEAST
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.testing.tree import MemoryTree
from tests.kernel import called, called_rude
from tests.kernel.contexts import LIMIT, until, usable
from tests.kernel.rawpeer import RawPeer

pytest_plugins = ("tests.kernel.tree_fixtures", "tests.kernel.call_fixtures")

MIB = 1 << 20
FLOOD = 2000
SLOW = 1000.0
"""Frames a second, so that a flood takes seconds at least."""

KINDS: dict[str, dict[str, Any]] = {
    "ping of a neighbour": {"kind": wire.PING, "dst": wire.NEIGHBOUR},
    "ping": {"kind": wire.PING},
    "pong": {"kind": wire.PONG, "handle": RANDOM | 5},
    "acknowledgement of nothing": {"kind": wire.ACK},
    "grant of nothing": {"kind": wire.GRANT},
    "refusal": {"kind": wire.DEAD, "handle": RANDOM | 5},
    "loss of nobody": {"kind": wire.ROUTE_DROP, "dst": wire.NEIGHBOUR, "handle": 99999},
    "cancel for a stranger": {"kind": wire.CANCEL, "dst": 1},
    "end of no message": {"kind": wire.MESSAGE, "flags": wire.ABORT | wire.END, "stream": 20, "handle": RANDOM | 5},
    "message to a stranger": {"kind": wire.MESSAGE, "dst": 1, "stream": wire.REPLIES},
}


@pytest.fixture
def slow_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "RATE", SLOW)
    monkeypatch.setattr(pace, "BURST", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_is_read_at_its_pace(slow_pace: None, tree: MemoryTree, kind: str) -> None:
    """Nobody is cut off for it, and what came before it is not lost."""
    stranger = tree.add()
    peer = RawPeer(tree.root)
    assert stranger.id == 1
    begun = time.monotonic()
    for _ in range(FLOOD // 100):
        peer.send(*[Frame(**{"dst": 0, "src": peer.id, "auth": peer.id, **KINDS[kind]}) for _ in range(100)])
    peer.sync()
    took = time.monotonic() - begun
    # What we send it for these counts as a cause, too: a pong for a ping.
    allowed = 200 + peer.link.flight.sent / pace.SHARE + pace.TOGETHER
    assert took >= (FLOOD - allowed) / SLOW
    assert peer.link.closed == ""
    peer.close()


def test_messages_that_nobody_takes_are_no_way_round_the_pace(slow_pace: None, tree: MemoryTree) -> None:
    """They keep to their credit, which comes back at once."""
    node = tree.add()
    begun = time.monotonic()
    for _ in range(FLOOD):
        node.post(0, RANDOM | 5, codec.encode("x"), stream=wire.REPLIES)
    until(lambda: tree.root.dropped >= FLOOD)
    sent = tree.root.links[node.id].flight.sent
    assert time.monotonic() - begun >= (FLOOD - 200 - sent / pace.SHARE - pace.TOGETHER) / SLOW


def test_a_frame_that_takes_long_counts_as_many(
    slow_pace: None, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a context is told to all who might wait for it, and a child may invent such."""
    peer, forget = RawPeer(tree.root), tree.root.hub.forget

    def long(*args: Any) -> None:
        end = time.thread_time() + 0.002
        while time.thread_time() < end:
            pass
        forget(*args)

    monkeypatch.setattr(tree.root.hub, "forget", long)
    tree.root.hub.routes.lease(peer.id, 5000, 1)
    begun = time.monotonic()
    for _ in range(20):
        for kind in (wire.ROUTE_ADD, wire.ROUTE_DROP):
            peer.send(Frame(kind, src=peer.id, auth=peer.id, handle=5000))
    peer.sync()
    assert time.monotonic() - begun >= (20 * 0.002 * pace.SECOND - 200 - 2 * pace.TOGETHER) / SLOW
    assert peer.link.closed == ""
    peer.close()


def best_rate(context: Context, goes_on: Callable[[], bool]) -> float:
    """The most calls a second, of any quarter of a second: what else the machine does then takes least."""
    best = 0.0
    while goes_on():
        calls, begun = 0, time.monotonic()
        while time.monotonic() - begun < 0.25:
            assert context.call(called.add, calls, 1) == calls + 1
            calls += 1
        best = max(best, calls / (time.monotonic() - begun))
    return best


def test_a_process_that_floods_waits_and_others_do_not(router: Router) -> None:
    """Unbounded, it would leave others a tenth of their calls."""
    rude, other = router.local(), router.local()
    usable(rude)
    rounds = iter(range(8))
    alone = best_rate(other, lambda: next(rounds, None) is not None)
    link, begun = router.kernel.links[rude.id], time.monotonic()
    frames = 30_000
    flood = rude.submit(called_rude.ping_at_once, frames)
    until(lambda: link.received > pace.BURST * wire.SIZE, what="it has used up what may come at once")
    beside = best_rate(other, lambda: not flood.done())
    took = time.monotonic() - begun
    assert flood.result() == frames
    assert took >= (frames - pace.BURST - pace.TOGETHER - link.flight.sent / pace.SHARE) / pace.RATE
    assert beside >= alone / 4
    usable(rude)


def test_what_honest_children_say_has_its_cause(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to nothing beside that, no reader ever waits: not for data either way, calls, items or refusals."""
    monkeypatch.setattr(pace, "RATE", 1e-9)
    monkeypatch.setattr(pace, "BURST", 2 * pace.TOGETHER)
    waits: list[float] = []
    spend = pace.Allowance.spend

    def watched(allowance: pace.Allowance, frames: int, sent: int, now: float) -> float:
        waits.append(spend(allowance, frames, sent, now))
        return waits[-1]

    monkeypatch.setattr(pace.Allowance, "spend", watched)
    context = router.local()
    data = bytes(16 * MIB)
    for _ in range(4):
        assert context.call(called.echo, data) == data
    futures = [context.submit(called.add, number, 1) for number in range(5000)]
    assert [future.result(LIMIT) for future in futures] == list(range(1, 5001))
    assert sum(1 for _ in context.call(called.count, 20000)) == 20000
    assert sum(len(item) for item in context.call(called.big_items, 40, MIB)) == 40 * MIB
    for _ in range(3):
        assert context.options(isolation="process").call(called.add, 1, 2) == 3
    assert set(waits) == {0.0}


def test_one_byte_after_the_other_is_no_sign_of_life(tree: MemoryTree, raw: RawPeer) -> None:
    """Case 38: a frame that has begun and never comes."""
    raw.link.ping_after, raw.link.lost_after = 0.5, 3.0
    frame, begun = Frame(wire.PONG, payload=bytes(LEAST - wire.SIZE)).pack(), time.monotonic()
    with pytest.raises(OSError, match="closed"):
        for at in range(len(frame) - 1):
            raw.path.write([frame[at : at + 1]])
            paused = time.monotonic()
            until(lambda paused=paused: time.monotonic() - paused > 0.1 or raw.ended)  # type: ignore[misc]
    assert "nothing was heard" in raw.wait_end()
    assert time.monotonic() - begun >= 3.0
    assert tree.root.context(tree.add()).call("operator:add", 1, 2) == 3
