"""What a caller may send that means harm, or take: the pool goes on serving the others. Frame by frame, in memory."""

from __future__ import annotations

import marshal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import remotesvc
from remotesvc.bootstrap.calls.unfold import Unfolder
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.links import wire
from remotesvc.service import CALLER, AllowAny, Message, Pool, Service, expose, remote
from remotesvc.service import callers as callers_module
from remotesvc.service import runner as runner_module
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.contexts import LIMIT, until
from tests.kernel.rawpeer import RawPeer

NAME = "tests.kernel.test_services_hostile.Desk"


class Desk(Service):
    """What anybody may ask."""

    def __init__(self, router: Any = None) -> None:
        super().__init__(router)
        self.begun, self.gate = threading.Event(), threading.Event()
        self.cancelled = threading.Event()

    @expose(policy=AllowAny())
    def echo(self, value: Any) -> Any:
        return value

    @expose(policy=AllowAny())
    def large(self) -> bytes:
        return b"x" * 60000

    @expose(policy=AllowAny())
    def wait(self, who: Message = CALLER) -> str:
        if who.call.wait(LIMIT):
            self.cancelled.set()
        return "waited"

    @expose(policy=AllowAny())
    def stream(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 60000

    @expose(policy=AllowAny())
    def stream_at_the_gate(self) -> Iterator[bytes]:
        self.begun.set()
        assert self.gate.wait(LIMIT)
        return self.stream()


@pytest.fixture
def root() -> Iterator[Node]:
    with MemoryTree() as tree:
        yield tree.root


@pytest.fixture
def raw(root: Node) -> Iterator[RawPeer]:
    peer = RawPeer(root)
    yield peer
    peer.close()


@pytest.fixture
def pool(root: Node, raw: RawPeer) -> Iterator[Pool]:
    with Pool(root, services=[Desk], size=2) as pool:
        yield pool


def ask(raw: RawPeer, value: Any, reply_to: int = 77, **fields: Any) -> None:
    raw.message(wire.CALL_SERVICE, value, reply_to=reply_to, stream=wire.CALLS, **fields)


def answer(raw: RawPeer, handle: int) -> Any:
    frame = raw.wait(lambda frame: frame.kind in (wire.MESSAGE, wire.DEAD) and frame.handle == handle)
    if frame.kind == wire.DEAD:
        return frame.payload.decode()
    return codec.decode(frame.payload, (), bool(frame.flags & wire.TAGGED))


def call(method: str, *args: Any, **options: Any) -> list[Any]:
    return [f"{NAME}:{method}", list(args), {}, options, []]


@pytest.mark.parametrize(
    "value",
    [
        0, "text", [], [1, 2, 3, 4, 5], [None, [], {}, {}, []], ["a:b", {}, [], {}, []], ["a:b", [], {1: 2}, {}, []],
        ["a:b", [], {}, {"lineage": 7}, []], ["a:b", [], {}, {}, {}], ["x" * 100000, [], {}, {}, []],
        ["", [], {}, {}, []], [":", [], {}, {}, []], [NAME, [], {}, {}, []], [NAME + ":", [], {}, {}, []],
        [NAME + ":echo", [1], {"value": 2}, {}, []], [NAME + ":__class__", [], {}, {}, []],
        [NAME + ":echo", [1], {}, {"lineage": [[], {}], "timeout": "x"}, ["m", b"y"]],
        ["os.system:x", ["true"], {}, {}, []], ["__main__.x:y", [], {}, {}, []],
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_no_call_imports_nothing_and_the_next_is_served(raw: RawPeer, pool: Pool, value: Any) -> None:
    """Each gets an error or its value, and the next one is served; nothing is imported for it."""
    import sys

    before = set(sys.modules)
    ask(raw, value, 5)
    answer(raw, 5)
    ask(raw, call("echo", 1), 6)
    assert answer(raw, 6) == 1
    assert {name for name in set(sys.modules) - before if not name.startswith("remotesvc.")} == set()


EXPOSED = {"echo", "large", "wait", "stream", "stream_at_the_gate"}


def test_no_name_leads_to_what_is_not_exposed(root: Node, raw: RawPeer, pool: Pool) -> None:
    """Every attribute of the service, its pool, router and class, and what looks like a name that is."""
    service = pool.get_service(Desk)
    names = {name for each in (service, pool, root, type, Desk.echo) for name in dir(each)} - EXPOSED
    names |= {"echo.__call__", "echo.__func__", "__class__.__mro__", "\u0435cho", "\uff45cho", "e\u0301cho", "echo ",
              " echo", "echo\0", "Echo", "echo()", "echo:echo", "../echo", "*", ""}
    asked = [f"{NAME}:{name}" for name in sorted(names)]
    asked += [f"{NAME}.{name}:echo" for name in ("__class__", "echo", "router", "__init__.__globals__")]
    asked += [f"{name}:echo" for name in ("Desk", NAME.lower(), NAME.replace("D", "\uff24"), "builtins.object",
                                          "remotesvc.service.Pool", "remotesvc.Router")]
    for number, name in enumerate(asked, 1000):
        ask(raw, [name, [], {}, {}, []], number)
    for number, name in enumerate(asked, 1000):
        reply = raw.wait(lambda frame, number=number: frame.handle == number)  # type: ignore[misc]
        assert reply.kind == wire.DEAD or reply.flags & wire.ERROR, name
    assert len(asked) > 150
    ask(raw, call("echo", "fine"), 999)
    assert answer(raw, 999) == "fine"


def test_bytes_that_are_no_value(raw: RawPeer, pool: Pool) -> None:
    for payload in (b"", b"\xc1", b"\x95", b"\x91" * 2000):
        raw.say(wire.MESSAGE, stream=wire.CALLS, handle=wire.CALL_SERVICE, reply_to=9, payload=payload)
    bad = b"\xff" * 9
    raw.say(wire.MESSAGE, stream=wire.CALLS, flags=wire.BLOBS, handle=wire.CALL_SERVICE, reply_to=9, payload=bad)
    ask(raw, call("echo", "fine"), 10)
    assert answer(raw, 10) == "fine"
    assert isinstance(answer(raw, 9), list)


def test_modules_from_below_are_not_taken(raw: RawPeer, pool: Pool) -> None:
    ask(raw, [f"{NAME}:echo", [1], {}, {}, [["evil", "source", False, "/proc/remotesvc:/evil.py", b"", None]]], 11)
    assert answer(raw, 11) == 1


def test_a_caller_that_takes_no_replies_harms_only_itself(
    root: Node, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grants nothing: once its window is full its threads are free again after a moment, and others are served."""
    monkeypatch.setattr(remote, "PATIENCE", 0.2)
    deaf, other = RawPeer(root, capacity=1 << 24, reads=False), RawPeer(root)
    for number in range(400):  # 24 MB of replies
        ask(deaf, call("large"), 100 + number)
    ask(other, call("echo", "served"), 12)
    assert answer(other, 12) == "served"
    until(lambda: pool.statistics()[0]["running"] == 0 and pool.statistics()[0]["waiting"] == 0)
    ask(other, call("echo", "still"), 13)
    assert answer(other, 13) == "still"
    deaf.close()
    other.close()


def test_generators_of_one_caller_are_limited(root: Node, raw: RawPeer, pool: Pool) -> None:
    other = RawPeer(root)
    for number in range(40):
        ask(raw, call("stream"), 200 + number)
    until(lambda: pool.statistics()[0]["errors"] == 8)
    ask(other, call("echo", 1), 14)
    assert answer(other, 14) == 1
    other.close()


def test_whoever_a_caller_makes_up_counts_as_that_caller(root: Node, raw: RawPeer, pool: Pool) -> None:
    first, other = raw.lease(), RawPeer(root)
    for number in range(60):
        made_up = first + number % 3
        raw.say(wire.ROUTE_ADD, dst=wire.NEIGHBOUR, handle=made_up)
        ask(raw, call("stream"), 400 + number, src=made_up, auth=made_up)
    until(lambda: pool.statistics()[0]["errors"] == 28)
    ask(other, call("stream"), 16)
    assert answer(other, 16) is None, "a stream begins"
    assert pool.statistics()[0]["errors"] == 28
    other.close()


def held_generators(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Generators wait where their sending begins: the first event says that one does, the second lets them go on."""
    begins, go, begin = threading.Event(), threading.Event(), Unfolder.__call__

    def slowly(*args: Any) -> Any:
        begins.set()
        assert go.wait(LIMIT)
        return begin(*args)

    monkeypatch.setattr(Unfolder, "__call__", slowly)
    return begins, go


def test_generators_that_begin_at_once_are_counted(
    raw: RawPeer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, go = held_generators(monkeypatch)
    monkeypatch.setattr(runner_module, "MAX_STREAMS", 1)
    ask(raw, call("stream"), 250)
    assert begins.wait(LIMIT)
    ask(raw, call("stream"), 251)
    assert answer(raw, 251)[0] == "busy"
    go.set()


def test_a_generator_is_lost_with_its_pool_whatever_its_caller_hears_first(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the pool closes overtakes the announcement of the generator, which its method has returned already: the
    call has begun, and must not be told as one that was not sent."""
    begins, go = held_generators(monkeypatch)
    with MemoryTree() as tree:
        caller = tree.add()
        context = caller.tree().context(tree.root.id, "root")
        with Pool(tree.root, services=[Desk], size=2) as pool:
            future = context.call_service_async(NAME, "stream")
            assert begins.wait(LIMIT)
            pool.close()
            error = future.exception(LIMIT)
            go.set()
    assert type(error) is remotesvc.Lost and "the pool of services is closing" in str(error)


def test_a_generator_that_begins_while_the_pool_closes_ends(raw: RawPeer, pool: Pool) -> None:
    """It was not open yet when the pool looked which are; its caller takes nothing, so it would wait for ever."""
    service = pool.get_service(Desk)
    assert isinstance(service, Desk)
    ask(raw, call("stream_at_the_gate"), 260)
    assert service.begun.wait(LIMIT)
    pool.close()
    service.gate.set()
    assert pool.join(LIMIT)
    assert "the pool of services is closing" in str(answer(raw, 260))


def test_open_calls_of_one_caller_are_limited(raw: RawPeer, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    from remotesvc.service import intake

    monkeypatch.setattr(intake, "MAX_OPEN", 3)
    for number in range(4):
        ask(raw, call("wait"), 300 + number)
    assert answer(raw, 303)[0] == "busy"
    for number in range(3):
        ask(raw, None, 300 + number)  # given up: each counts until it has ended
    until(lambda: not pool.callers.get(raw.id).open)
    ask(raw, call("echo", 1), 15)
    assert answer(raw, 15) == 1


def test_words_that_calls_are_given_up(raw: RawPeer, pool: Pool) -> None:
    """One that comes before its call is remembered; those that mean nothing are, too, in bounds."""
    for number in range(3 * callers_module.MAX_EARLY):
        ask(raw, None, 1000 + number)
    ask(raw, None, 16)
    ask(raw, call("wait"), 16)
    ask(raw, call("wait"), 17)
    until(lambda: pool.statistics()[0]["running"] == 1)
    ask(raw, None, 17)
    service = pool.get_service(Desk)
    assert isinstance(service, Desk)
    assert service.cancelled.wait(LIMIT)
    ask(raw, call("echo", 1), 18)
    assert answer(raw, 18) == 1
    assert not [frame for frame in raw.of_kind(wire.MESSAGE) if frame.handle in (16, 17)]
    assert len(pool.callers.get(raw.id).early) <= callers_module.MAX_EARLY


def test_a_caller_that_is_lost_is_forgotten(root: Node, pool: Pool) -> None:
    peer = RawPeer(root)
    ask(peer, call("wait"), 19)
    until(lambda: pool.statistics()[0]["running"] == 1)
    peer.close()
    until(lambda: pool.statistics()[0]["running"] == 0)
    assert pool.callers.get(peer.id) is None


def test_only_a_parent_may_marshal(raw: RawPeer, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[bytes] = []
    monkeypatch.setattr(marshal, "loads", reached.append)
    payload = marshal.dumps([f"{NAME}:echo", [1]], 2)
    raw.say(wire.MESSAGE, stream=wire.CALLS, handle=wire.CALL_SERVICE, reply_to=77, payload=payload)
    refused = raw.wait(lambda frame: frame.kind == wire.MESSAGE and frame.handle == 77)
    assert refused.flags & wire.ERROR
    ask(raw, [f"{NAME}:echo", [2]], reply_to=78)
    assert codec.decode(raw.wait(lambda frame: frame.handle == 78).payload, (), False) == 2
    assert reached == []
