"""The shape of a call, and the latch of one reply: whatever two threads do at once, it is settled once, and what nobody
takes is given back.
"""

from __future__ import annotations

import itertools
import sys
from types import FrameType
from typing import Any

import pytest

from remotesvc.bootstrap.calls import ask
from remotesvc.bootstrap.calls.execute import parts
from remotesvc.bootstrap.calls.pending import Pending, brief
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.links import wire
from remotesvc.jobs.alone import Said

# Steps of `settle`; at each of them another thread may have its turn.
STEPS = 12


def _arrived(call: Any) -> Any:
    encoded = codec.encode(call)
    return parts(Said(encoded.data, encoded.blobs, encoded.tagged))


def test_what_is_empty_at_the_end_of_a_call_does_not_travel_and_is_there_again() -> None:
    for kwargs, options, modules in itertools.product(({}, {"a": 1}), ({}, {"timeout": 1.0}), ([], [b"module"])):
        sent = brief("module:function", [1], kwargs, options, modules)
        assert len(sent) == 2 or sent[-1]
        assert _arrived(sent) == ["module:function", [1], kwargs, options, modules]


def test_two_calls_have_no_container_in_common() -> None:
    for one, other in zip(_arrived(["module:function", []])[1:], _arrived(["module:function", []])[1:], strict=True):
        assert one is not other


@pytest.mark.parametrize("value", [None, 1, "text", {}, {"a": 1, "b": 2}, [], [1], [1, 2, 3, 4, 5, 6]], ids=repr)
def test_what_is_no_call_stays_as_it_is(value: Any) -> None:
    assert _arrived(value) == value


class Answer:
    """A reply that has come, or the first of many."""

    def __init__(self, mailboxes: Any = None) -> None:
        self.flags = wire.STREAM if mailboxes is not None else 0
        self.released = self.forgotten = False
        self.router = self
        self.mailboxes = mailboxes

    def release(self) -> None:
        self.released = True

    def forget(self) -> None:
        self.forgotten = True

    close = forget


@pytest.mark.parametrize("step", range(STEPS))
def test_of_two_that_settle_a_reply_at_once_just_one_does(step: int) -> None:
    pending, told, steps = Pending(1, "call"), [], iter(range(STEPS))

    def another(frame: FrameType, event: str, _arg: Any) -> Any:
        if frame.f_code is Pending.settle.__code__:
            frame.f_trace_opcodes = True
            if event == "line" and next(steps) == step:
                sys.settrace(None)
                told.append((second, pending.settle(second)))
        return another

    first, second = Answer(), Answer()
    sys.settrace(another)
    try:
        told.append((first, pending.settle(first)))
    finally:
        sys.settrace(None)
    if len(told) == 1:  # it has fewer steps
        told.append((second, pending.settle(second)))
    assert [answer for answer, settled in told if settled] == [pending.outcome]
    assert pending.wait(0)


class Given(dict[int, Any]):
    """The mailboxes of a router; the caller gives up just before another one takes the place of its call."""

    def __init__(self, pending: Pending) -> None:
        super().__init__({pending.handle: pending})
        self._pending = pending

    def __setitem__(self, handle: int, mailbox: Any) -> None:
        self.pop(handle, None)
        ask.discard(self._pending)
        super().__setitem__(handle, mailbox)


def test_items_that_begin_as_their_caller_gives_up_are_forgotten() -> None:
    items = Answer()

    class Many(Pending):
        def items(self) -> Any:
            return items

    pending = Many(1, "call")
    pending.handle = 5
    pending.on_message(Answer(Given(pending)))
    assert items.forgotten
