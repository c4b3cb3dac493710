"""Calls as a state machine: whatever comes, comes twice, comes late or never, each ends once and leaves nothing."""

from __future__ import annotations

import concurrent.futures
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remotesvc.bootstrap.errors import Busy, CallTimeout, Cancelled, Lost, NotSent
from remotesvc.bootstrap.links import wire
from remotesvc.testing.tree import MemoryTree
from tests.kernel.rawpeer import LIMIT, RawPeer

SHORT = 0.02
"""Seconds that a call in a hurry has."""


@dataclass
class Call:
    """One call: its future, where its answer is expected, how it has to end once that is decided."""

    future: Any
    handle: int
    peer: RawPeer
    ended: list[Any] = field(default_factory=list)
    due: Any = None

    def decide(self, how: Any) -> None:
        """The first to come decides."""
        self.due = how if self.due is None else self.due

    def ending(self) -> Any:
        """Its value, or the class of its error."""
        try:
            return self.future.result(LIMIT)
        except concurrent.futures.CancelledError:
            return Cancelled
        except Exception as error:
            return type(error)


ANY = st.integers(0, 20)


class Calls(RuleBasedStateMachine):
    """A caller, a target that answers as it likes, and a neighbour that answers in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = MemoryTree()
        self.peer, self.forger = RawPeer(self.tree.root), RawPeer(self.tree.root)
        self.calls: list[Call] = []
        self.number = 0

    def call(self, timeout: float | None) -> Call:
        context = self.tree.root.tree().context(self.peer.id, "target")
        known = {call.handle for call in self.calls}
        future = context.options(timeout=timeout).submit("operator:add", 1, len(self.calls))
        frame = self.peer.wait(lambda frame: frame.kind == wire.MESSAGE and frame.reply_to not in known | {0})
        call = Call(future, frame.reply_to, self.peer)
        future.add_done_callback(call.ended.append)
        self.calls.append(call)
        return call

    def some(self, index: int) -> Call:
        return self.calls[index % len(self.calls)]

    @rule()
    def calls_it(self) -> None:
        self.call(None)

    @rule()
    def calls_in_a_hurry(self) -> None:
        call = self.call(SHORT)
        assert call.ending() is CallTimeout
        call.decide(CallTimeout)

    @precondition(lambda self: self.calls)
    @rule(index=ANY, times=st.integers(1, 3))
    def is_answered(self, index: int, times: int) -> None:
        call = self.some(index)
        for _ in range(times):
            self.number += 1
            self.peer.message(call.handle, self.number)
            if call.peer is self.peer:
                call.decide(self.number)
        self.peer.sync()

    @precondition(lambda self: self.calls)
    @rule(index=ANY, busy=st.booleans())
    def is_refused(self, index: int, busy: bool) -> None:
        call = self.some(index)
        self.peer.say(wire.DEAD, flags=int(busy), handle=call.handle, payload=b"no")
        self.peer.sync()
        if call.peer is self.peer:
            call.decide(Busy if busy else NotSent)

    @precondition(lambda self: self.calls)
    @rule(index=ANY, beside=st.integers(-1, 1))
    def is_answered_by_somebody_else(self, index: int, beside: int) -> None:
        """And by the target itself under another number."""
        handle = self.some(index).handle
        self.forger.message(handle, "forged")
        self.forger.say(wire.DEAD, handle=handle, payload=b"forged")
        self.forger.sync()
        if beside:
            self.peer.message(handle + beside, "guessed")
            self.peer.sync()

    @precondition(lambda self: self.calls)
    @rule(index=ANY)
    def is_given_up(self, index: int) -> None:
        call = self.some(index)
        if call.future.cancel():
            call.decide(Cancelled)

    @rule()
    def is_lost(self) -> None:
        self.peer.close()
        for call in self.calls:
            call.decide(Lost)
        self.peer = RawPeer(self.tree.root)

    @invariant()
    def each_has_ended_as_was_decided_first_and_no_other(self) -> None:
        for call in self.calls:
            if call.due is None:
                assert not call.future.done()
            else:
                assert call.ending() == call.due
                assert len(call.ended) <= 1

    def teardown(self) -> None:
        for peer in (self.peer, self.forger):
            peer.close()
        for call in self.calls:
            call.decide(Lost)
            assert call.ending() == call.due
        self.tree.root.tree().after_output()
        assert self.tree.root.unanswered() == []
        assert self.tree.root.errors == []
        self.tree.close()
        assert [len(call.ended) for call in self.calls] == [1] * len(self.calls)


Calls.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, suppress_health_check=list(HealthCheck))
TestCalls = Calls.TestCase
