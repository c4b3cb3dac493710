"""Whatever arrives, ends, is given up or lost in whatever order: every caller of a service has exactly one answer."""

from __future__ import annotations

import collections
import concurrent.futures
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from remotesvc import CallTimeout, Lost
from remotesvc.bootstrap.errors import Cancelled
from remotesvc.bootstrap.links import wire
from remotesvc.service import (
    CALLER,
    AllowAny,
    DeduplicatingInvoker,
    Invoker,
    Message,
    Pool,
    SerializedInvoker,
    Service,
    ServiceInactive,
    expose,
)
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.contexts import LIMIT, until

TOKENS = ("a", "b", "c", "d")
SIZE = 3
"""Threads of the pool: fewer than calls that are under way."""


class Gated(Service):
    """Its calls end when the test decides how those of their token end."""

    def __init__(self, router: Any = None) -> None:
        super().__init__(router)
        self.changed = threading.Condition()
        self.decided: dict[str, str] = {}
        self.running: collections.Counter[str] = collections.Counter()
        self.most = 0
        self.most_of_one = 0
        self.begun: list[tuple[int, int]] = []
        self.promised: dict[str, list[Message]] = {}
        self.shut_down = 0

    @expose(policy=AllowAny())
    def work(self, token: str, number: int, msg: Message = CALLER) -> str:
        with self.changed:
            self.begun.append((msg.src, number))
            self.running[token] += 1
            self.most = max(self.most, sum(self.running.values()))
            self.most_of_one = max(self.most_of_one, self.running[token])
            assert self.changed.wait_for(lambda: token in self.decided, LIMIT)
            self.running[token] -= 1
            return outcome_of(token, self.decided[token])

    @expose(policy=AllowAny())
    def later(self, token: str, number: int, msg: Message = CALLER) -> Any:
        with self.changed:
            if token in self.decided:
                return outcome_of(token, self.decided[token])
            self.promised.setdefault(token, []).append(msg)
        return Service.NO_REPLY

    def decide(self, token: str, how: str) -> None:
        with self.changed:
            self.decided[token] = how
            promised = self.promised.pop(token, [])
            self.changed.notify_all()
        for msg in promised:
            if how == "value":
                msg.reply(f"value of {token}")
                assert not msg.reply("a second answer")
            else:
                msg.fail(KeyError(token))
                assert not msg.fail(KeyError("a second error"))

    def on_shutdown(self) -> None:
        self.shut_down += 1


def outcome_of(token: str, how: str) -> str:
    if how == "error":
        raise KeyError(token)
    return f"value of {token}"


class Serialized(Gated):
    invoker_class = SerializedInvoker


class KeyedByToken(DeduplicatingInvoker):
    def key_from_request(self, method: str, kwargs: dict[str, Any]) -> Any:
        return method, kwargs["token"]


class Deduplicated(Gated):
    invoker_class = KeyedByToken

    @expose(policy=AllowAny())
    def later(self, token: str, number: int) -> str:  # type: ignore[override]  # it answers for all, so at once
        return self.work(token, number, _Nobody())  # type: ignore[arg-type]


class _Nobody:
    src = -1


class Call:
    """One call as its caller sees it."""

    def __init__(self, node: Node, token: str, number: int, future: Any, hurried: bool) -> None:
        self.node = node
        self.token = token
        self.number = number
        self.future = future
        self.hurried = hurried
        self.given_up = False

    def ending(self) -> Any:
        """How it ended: a value or an exception; fails the test if it did not."""
        try:
            return self.future.result(LIMIT)
        except concurrent.futures.CancelledError as error:
            return error
        except TimeoutError as error:
            assert isinstance(error, CallTimeout), f"no answer to {self.token} number {self.number}"
            assert self.future.done(), f"no answer to {self.token} number {self.number}"
            return error
        except Exception as error:
            return error


class Machine(RuleBasedStateMachine):
    """Callers at one and two hops of a pool at the root."""

    service_class: type[Gated] = Gated

    def __init__(self) -> None:
        super().__init__()
        self.tree = MemoryTree()
        self.posted: collections.Counter[tuple[int, int]] = collections.Counter()
        self.service = self.service_class()
        self.pool = Pool(self.tree.root, services=[self.service], size=SIZE)
        near = self.tree.add()
        self.nodes = [near, self.tree.add(near), self.tree.add()]
        self.gone: set[Node] = set()
        self.calls: list[Call] = []
        self.count_replies()

    def count_replies(self) -> None:
        root, post = self.tree.root, self.tree.root.post

        def counted(dst: int, handle: int, encoded: Any, *rest: Any, **named: Any) -> None:
            if handle >= wire.RANDOM:
                self.posted[dst, handle] += 1
            post(dst, handle, encoded, *rest, **named)

        root.post = counted  # type: ignore[method-assign]

    # -- what may happen

    @rule(who=st.integers(0, 2), token=st.sampled_from(TOKENS), method=st.sampled_from(["work", "work", "later"]),
          hurried=st.integers(0, 5))
    def call(self, who: int, token: str, method: str, hurried: int) -> None:
        node = self.nodes[who]
        if node in self.gone:
            return
        context = node.context(self.tree.root)
        if not hurried:
            context = context.options(timeout=0.02)
        number = len(self.calls)
        future = context.call_service_async(self.service_class.name(), method, token=token, number=number)
        self.calls.append(Call(node, token, number, future, not hurried))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_up(self, data: Any) -> None:
        call = data.draw(st.sampled_from(self.calls))
        call.given_up = call.future.cancel() or call.given_up

    @rule(token=st.sampled_from(TOKENS), how=st.sampled_from(["value", "error"]))
    def decide(self, token: str, how: str) -> None:
        if token not in self.service.decided:
            self.service.decide(token, how)

    @precondition(lambda self: self.calls and len(self.gone) < 2)
    @rule(who=st.sampled_from([1, 2]))
    def lose(self, who: int) -> None:
        node = self.nodes[who]
        if node not in self.gone:
            self.gone.add(node)
            assert node.path is not None
            node.path.cut_after(0)

    @rule(who=st.integers(0, 2))
    def let_pass(self, who: int) -> None:
        """Time for what is on its way: this goes there and back behind it."""
        if self.nodes[who] not in self.gone:
            self.nodes[who].ping(self.tree.root)

    # -- what must be so at the end

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            for token in TOKENS:
                self.service.decide(token, "value")
            self.pool.close()
            assert self.pool.join(LIMIT)
            self.tree.close()
        assert self.service.shut_down == 1
        assert [error for node in self.tree.nodes for error in node.errors] == []

    def check(self) -> None:
        closing = len(self.calls) % 3 == 2
        if closing:
            self.pool.close()
        for token in TOKENS:
            if token not in self.service.decided:
                self.service.decide(token, "value")
        for call in self.calls:
            self.check_ending(call, call.ending(), closing)
        assert set(self.posted.values()) <= {1}, "somebody was answered twice"
        if not closing:
            until(lambda: not any(self.service.running.values()), what="all that began has ended")
            until(lambda: all(each["running"] == each["waiting"] == 0 for each in self.pool.statistics()))
        self.check_invoker()

    def check_ending(self, call: Call, ending: Any, closing: bool) -> None:
        if call.given_up:
            assert isinstance(ending, Cancelled | concurrent.futures.CancelledError)
            return
        fails = self.service.decided[call.token] == "error"
        allowed = [isinstance(ending, KeyError) if fails else ending == f"value of {call.token}"]
        allowed.append(call.hurried and isinstance(ending, CallTimeout))
        allowed.append(call.node in self.gone and isinstance(ending, Lost))
        allowed.append(closing and isinstance(ending, ServiceInactive))
        assert any(allowed), f"{call.token} number {call.number}: {ending!r}"

    def check_invoker(self) -> None:
        """What only this invoker promises."""


class SerializedMachine(Machine):
    service_class = Serialized

    def check_invoker(self) -> None:
        assert self.service.most <= 1
        for node in self.nodes:
            numbers = [number for src, number in self.service.begun if src == node.id]
            assert numbers == sorted(numbers), "out of the order in which they came"


class DeduplicatedMachine(Machine):
    service_class = Deduplicated

    def check_invoker(self) -> None:
        lonely = any(call.given_up or call.hurried for call in self.calls) or bool(self.gone)
        # One whose last caller gave up goes on beside the next that asks for the same; each method is a key of its own.
        assert lonely or self.service.most_of_one <= 2


@pytest.mark.parametrize("machine", [Machine, SerializedMachine, DeduplicatedMachine])
def test_every_caller_gets_exactly_one_answer(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=100, stateful_step_count=30,
                          suppress_health_check=list(HealthCheck)),
    )


def test_the_invokers_are_those_meant() -> None:
    assert Gated.invoker_class is Invoker
    assert Serialized.invoker_class is SerializedInvoker
    assert issubclass(Deduplicated.invoker_class, DeduplicatingInvoker)
