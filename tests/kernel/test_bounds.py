"""What a slow, lost or hostile peer costs: itself, and nothing that grows."""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Router
from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.entry import hello_data
from remotesvc.bootstrap.errors import CallTimeout, DecodeError, Error, Lost, NotSent
from remotesvc.bootstrap.links import patience, streams, wire
from remotesvc.bootstrap.links.stdio import FdPath
from remotesvc.bootstrap.links.wire import RANDOM, Frame
from remotesvc.bootstrap.routing import hub
from remotesvc.bootstrap.routing.leaf_routes import LeafRoutes
from remotesvc.bootstrap.unreachable import BootstrapError
from remotesvc.launch import ledger, process
from remotesvc.launch.connection import Connection
from remotesvc.launch.process import ProcessPath
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel import called
from tests.kernel.contexts import appears, until
from tests.kernel.rawpeer import LIMIT, RawPeer

pytest_plugins = ("tests.kernel.tree_fixtures",)
MIB = 1 << 20
ECHO = 40


# -- room for large messages


def announce(peer: RawPeer, size: int, **fields: Any) -> None:
    """Begin a large message, with one byte of it."""
    peer.say(wire.MESSAGE, flags=wire.FIRST | wire.MORE, stream=20, handle=ECHO,
             payload=struct.pack(">I", size) + b"x", **fields)


def test_announcing_much_and_sending_little_costs_the_one_who_does_it(
    tree: MemoryTree, raw: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LATE", 1.0)
    node, slow = tree.add(), RawPeer(tree.root)
    for peer in (raw, slow):
        announce(peer, wire.MAX_MESSAGE)
        peer.sync()
    assert len(tree.root.context(node).call("operator:mul", b"x", 30 * MIB)) == 30 * MIB
    assert {raw.link.closed, slow.link.closed} - {""}, "nobody made room"
    assert all("too slowly" in link.closed for link in (raw.link, slow.link) if link.closed)
    slow.close()


def test_a_grandchild_that_keeps_others_waiting_goes_alone(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LATE", 1.0)
    near = tree.add()
    node, slow = tree.add(near), RawPeer(near)
    near.ping(tree.root)
    tree.root.streams.large.budget = 10 * MIB
    announce(slow, 10 * MIB, dst=0)
    incoming = tree.root.streams.large.incoming
    until(lambda: any(each.reserved for each in list(incoming.values())), what="the room is taken")
    assert len(tree.root.context(node).call("operator:mul", b"x", 9 * MIB)) == 9 * MIB
    assert slow.kind(wire.BYE).auth == 0
    slow.close()


def test_a_large_call_in_the_loop_over_large_items(tree: MemoryTree) -> None:
    tree.root.streams.large.budget = 12 * MIB
    context = tree.root.context(tree.add())
    items = context.call(called.big_items, 4, 5 * MIB)
    nested = context.options(timeout=LIMIT)
    assert [len(item) + len(nested.call("operator:mul", b"x", 5 * MIB)) for item in items] == [10 * MIB] * 4
    assert tree.root.streams.large.budget == 12 * MIB


# -- blame


@pytest.mark.parametrize("kind", [wire.CANCEL, wire.BYE, wire.CONFIG])
def test_forbidden_frames_of_a_grandchild_are_its_own(tree: MemoryTree, kind: int) -> None:
    near = tree.add()
    good, bad = tree.add(near), RawPeer(near)
    near.ping(tree.root)
    for count in (1, 2, 3):
        bad.say(kind, dst=0, handle=1)
        if count < 3:
            near.ping(tree.root)
            assert tree.root.routes.towards(bad.id) == near.id
    assert b"broke the rules" in bad.kind(wire.BYE).payload
    until(lambda: tree.root.routes.towards(bad.id) is None, what="it is forgotten, which it is told first")
    until(lambda: tree.root.hub._strikes == {}, what="so is what it did")
    assert (tree.root.links[near.id].strikes, tree.root.links[near.id].closed) == (0, "")
    assert tree.root.context(good).call("operator:add", 1, 2) == 3
    bad.close()


@pytest.fixture
def leaf() -> Iterator[tuple[Node, RawPeer]]:
    """A context that has no children and never called anybody, and its parent."""
    node = Node(5, [0])
    node.hub, node.routes = None, LeafRoutes(5, [0])
    parent = RawPeer.above(node)
    yield node, parent
    parent.close()
    node.end()


def test_a_leaf_hears_of_a_lost_sibling(leaf: tuple[Node, RawPeer]) -> None:
    node, parent = leaf
    pending, other = node.expect(77), node.expect(78)
    parent.send(Frame(wire.ROUTE_DROP, handle=77, payload=b"it burnt down"))
    assert pending.wait(LIMIT)
    assert type(pending.outcome) is Lost
    assert "burnt down" in str(pending.outcome)
    parent.sync()
    assert other.outcome is None
    assert node.mailboxes[wire.CALL] is node.dispatcher
    node.drop(other.handle)


def test_a_leaf_does_not_end_because_a_sibling_breaks_the_rules(leaf: tuple[Node, RawPeer]) -> None:
    node, parent = leaf
    pending = node.expect(77)
    parent.say(wire.MESSAGE, src=77, auth=77, flags=wire.FIRST | wire.MORE, stream=20,
               payload=struct.pack(">I", wire.MAX_MESSAGE + 1))
    assert pending.wait(LIMIT)
    parent.sync()
    assert (parent.link.closed, node.orphaned.is_set()) == ("", False)
    assert node.streams.incoming == {}


# -- errors of others in our log


def test_rubbish_does_not_fill_the_log(tree: MemoryTree, raw: RawPeer) -> None:
    root, other = tree.root, RawPeer(tree.root)
    root.serve(ECHO, lambda value: value)
    inbox: Any = root.mailboxes[ECHO]
    reported: list[BaseException] = []
    inbox._failed = reported.append
    inbox._handle = lambda message: message.decode()
    for peer in (raw, other):
        for _ in range(200):
            peer.say(wire.MESSAGE, stream=wire.OUTPUT, handle=ECHO, payload=b"\xc1")
        peer.sync()
        assert inbox.flush(LIMIT)
    assert [type(error) for error in reported] == [*[DecodeError] * 5, Error] * 2
    assert f"context {raw.id}" in str(reported[5])
    assert inbox.refused == 400
    other.close()


# -- what must not grow


def test_made_up_destinations_push_out_only_what_the_same_child_wrote(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MAX_SPOKEN", 20)
    node = Node(5, [0])
    parent, honest, bad = RawPeer.above(node), RawPeer(node, 6), RawPeer(node, 7)
    honest.message(ECHO, "hello", dst=77)
    honest.sync()
    for number in range(1000, 1100):
        bad.message(ECHO, "hello", dst=number)
    bad.sync()
    assert max(map(len, node.hub._spoken.values())) <= 20
    parent.send(Frame(wire.ROUTE_DROP, handle=77, payload=b"gone"))
    assert honest.kind(wire.ROUTE_DROP).handle == 77
    bad.close()
    until(lambda: bad.id not in node.hub._spoken, what="its own entry is gone")
    honest.close()
    parent.close()
    node.end()


def test_contexts_that_are_gone_are_forgotten(tree: MemoryTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_GONE", 5)
    monkeypatch.setattr(hub, "MAX_LOST", 5)
    root: Any = tree.root
    kept = tree.add()
    assert root.context(kept).call("operator:add", 1, 2) == 3
    numbers = []
    for _ in range(30):
        peer = RawPeer(root)
        numbers.append(peer.id)
        root.tree().ledger.starts[peer.id] = root.tree().ledger.hops[peer.id] = root.tree().ledger.peer(peer.id)
        peer.close()
    for table in (root.tree().ledger.starts, root.tree().ledger.hops, root.hub.lost):
        assert set(table) == set(numbers[-5:])
    assert set(root.tree().ledger.peers) == {*numbers[-5:], kept.id}


@pytest.mark.parametrize("behind", [False, True])
def test_who_opens_most_streams_goes_and_nobody_else(
    tree: MemoryTree, raw: RawPeer, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS", 100)
    first = raw.lease()
    for number in range(100):
        src = raw.id
        if behind:  # made up, each with one of the streams that small messages share
            src = first + number
            raw.say(wire.ROUTE_ADD, dst=wire.NEIGHBOUR, handle=src)
        raw.say(wire.MESSAGE, src=src, auth=src, handle=ECHO, payload=struct.pack(">I", 5) + b"x",
                **({"stream": wire.OUTPUT} if behind else {"flags": wire.FIRST | wire.MORE, "stream": 20 + number}))
    raw.sync()
    other = RawPeer(tree.root)
    other.say(wire.MESSAGE, stream=wire.OUTPUT, handle=ECHO)
    other.say(wire.MESSAGE, stream=20, handle=ECHO)
    assert "streams open, of " in raw.wait_end()
    other.sync()
    assert not other.link.closed
    other.close()


def test_contexts_behind_one_child_are_limited(
    tree: MemoryTree, raw: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MAX_BEHIND", 50)
    first = raw.lease()

    def say(kind: int, *numbers: int) -> None:
        raw.send(*[Frame(kind, src=raw.id, auth=raw.id, handle=number) for number in numbers])

    for number in range(first, first + 200):  # as many as there are ids, one after the other
        say(wire.ROUTE_ADD, number)
        say(wire.ROUTE_DROP, number)
    say(wire.ROUTE_ADD, *range(first, first + 50), first)
    raw.sync()
    say(wire.ROUTE_ADD, first + 50)
    assert raw.wait_end() == "it announced more than 50 contexts"
    assert set(tree.root.routes.via) == {node.id for node in tree.nodes if node is not tree.root}


def test_of_a_context_that_is_gone_its_story_is_kept_and_not_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_WHOLE", 2)
    with Router() as router:
        contexts = [router.local() for _ in range(4)]
        pids = [context.info["pid"] for context in contexts]
        failed = router.local(python="/bin/false")
        with pytest.raises(BootstrapError) as before:
            failed.wait_ready()
        for context in contexts:
            context.close()
        every = [context.id for context in (failed, *contexts)]
        reduced = [number for number in every if not hasattr(router._tree.ledger.start_of(number), "path")]
        assert reduced == [failed.id, contexts[0].id, contexts[1].id]
        assert [context.info["pid"] for context in contexts] == pids
        assert "boot" in contexts[0].phases
        assert before.value.__traceback__ is None, "it holds frames, and what is in them"
        with pytest.raises(BootstrapError) as after:
            failed.wait_ready()
        assert after.value is before.value
        with pytest.raises(NotSent, match="closed"):
            contexts[0].call("os:getpid")


def test_the_module_server_forgets_who_is_gone() -> None:
    with Router() as router:
        for _ in range(2):
            with router.local() as context:
                assert context.call(called.add, 1, 2) == 3
                assert router.modules._children.known(context.id) is not None
            until(lambda: router.modules._children.known(context.id) is None, what="it is forgotten")


@pytest.mark.parametrize("how", ["call", "ask", "generator"])
def test_an_answer_in_the_moment_of_the_timeout(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    root, node = tree.root, tree.add()
    node.serve(ECHO, lambda value: value)
    wait = Pending.wait

    def too_late(pending: Pending, timeout: float | None = None) -> bool:
        assert wait(pending, LIMIT)
        return False

    monkeypatch.setattr(Pending, "wait", too_late)
    with pytest.raises(CallTimeout):
        if how == "ask":
            root.ask(node, ECHO, bytes(300_000))
        elif how == "call":
            root.context(node).call("operator:mul", b"x", 300_000)
        else:
            root.context(node).call(called.big_items, 3, 300_000)
    monkeypatch.undo()
    until(lambda: [link.taken - link.freed for link in root.links.values()] == [0], what="its room is back")
    assert root.ping(node) < LIMIT
    assert root.unanswered() == []
    until(lambda: not root.streams.large.incoming, what="its stream has ended")


# -- the dispatcher's books


def test_a_chained_call_that_goes_to_the_main_thread_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(5, [0], concurrency=2)
    monkeypatch.setattr(threading, "main_thread", lambda: node._main)
    parent = RawPeer.above(node)

    def call(number: int, target: str, args: list[Any], **options: Any) -> None:
        parent.message(wire.CALL, [target, args, {}, options, []], stream=wire.CALLS, reply_to=RANDOM | number,
                       flags=wire.CAUSED)

    call(1, "threading:get_ident", [], chain=[1, 1], thread="main")  # waits for the one before it
    until(lambda: node.dispatcher.running and node.dispatcher.main_idle, what="it is parked")
    call(2, "tests.kernel.called_waiting:wait_for_file", [str(tmp_path / "begun"), str(tmp_path / "go")])
    appears(tmp_path / "begun")
    call(3, "operator:add", [1, 2], chain=[1, 0])
    parent.kind(wire.MESSAGE, handle=RANDOM | 3)
    until(lambda: node.dispatcher.for_main, what="it waits for the main thread")
    (tmp_path / "go").touch()
    parent.kind(wire.MESSAGE, handle=RANDOM | 1)
    until(lambda: not node.dispatcher.running, what="all is done")
    until(lambda: node.dispatcher.extra == 0, what="as many given back as taken")
    parent.close()
    node.end()


# -- what a target says of itself

HELLO: dict[str, Any] = hello_data()
INTRODUCES = """
import os, sys, time
said = b""
while b"RSVCBOOT" not in said or len(said) < said.index(b"RSVCBOOT") + 24:
    said += os.read(0, 65536)
begin = said.index(b"RSVCBOOT") + 8
os.write(1, said[begin:begin + 16] + bytes.fromhex(sys.argv[1]))
while os.read(0, 65536):
    pass
"""


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"version": "3.11"}, "version"),
        ({"version": [3, 11]}, "version"),
        ({"version": [2**40, {}, []]}, "version"),
        ({"magic": "text"}, "magic"),
        ({"pid": None}, "pid"),
        ({"hostname": "x" * 60_000}, "hostname"),
        ({"executable": [1]}, "executable"),
    ],
)
def test_a_target_that_introduces_itself_wrongly_is_given_up(wrong: dict[str, Any], what: str) -> None:
    frame = Frame(wire.HELLO, payload=codec.encode({**HELLO, **wrong}).data).pack()
    with Router() as router:
        path = ProcessPath([sys.executable, "-c", INTRODUCES, frame.hex()], "there")
        context = router._tree.adopt(Connection(path, "there", LIMIT))
        with pytest.raises(BootstrapError, match=f"introduced itself wrongly: .*malformed: .*{what}"):
            context.wait_ready()


def test_a_target_that_introduces_itself_is_up() -> None:
    frame = Frame(wire.HELLO, payload=codec.encode(HELLO).data).pack()
    with Router() as router:
        path = ProcessPath([sys.executable, "-c", INTRODUCES, frame.hex()], "there")
        assert router._tree.adopt(Connection(path, "there", LIMIT)).info == HELLO


# -- the end of a path


def test_a_process_that_floods_and_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ENDING", 0.2)
    code = "import os\nwhile True:\n try: os.write(1, bytes(65536))\n except OSError: pass"
    path = ProcessPath([sys.executable, "-c", code], "flood")
    flooded, ends = threading.Event(), list[str]()
    path.start(lambda data: flooded.set(), ends.append)
    assert flooded.wait(LIMIT)
    path.close()
    path.join(LIMIT)
    assert path.exit_status() == -9
    assert ends == [path.CLOSED]


def test_a_child_that_nobody_can_attend_to_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the user may have no more threads."""

    def start(*_ignored: object) -> None:
        raise RuntimeError("can't start new thread")

    path = ProcessPath([sys.executable, "-c", "import time; time.sleep(600)"], "there")
    monkeypatch.setattr(FdPath, "start", start)
    with Router() as router:
        tree = router._tree
        with pytest.raises(BootstrapError, match="cannot attend to a new process: can't start new thread") as caught:
            tree.adopt(Connection(path, "there", LIMIT))
        assert caught.value.hint
        (begun,) = tree.ledger.starts.values()
        assert begun.decided
        assert begun.error is caught.value
        assert not tree.lives(begun.context)
        path.join(LIMIT)
        assert path.exit_status() is not None
