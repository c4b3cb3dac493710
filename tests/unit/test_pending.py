"""The latch of one reply: whatever two threads do at once, it is settled once, and what nobody takes is given back."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from remotesvc.bootstrap.calls import ask
from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.links import wire

# Steps of `settle`; at each of them another thread may have its turn.
STEPS = 12


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
