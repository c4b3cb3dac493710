"""What hosts print, kept by call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from remotesvc.fleet import printed
from remotesvc.fleet.attempt import Attempt
from remotesvc.fleet.printed import Printed
from remotesvc.output import OutputEvent

CONTEXT: Any = SimpleNamespace(id=3, name="web1")


def said(kept: Printed, call: int, data: str, context: int = 3) -> None:
    """An event of a line on stdout of a context of web1."""
    kept(OutputEvent(context, "web1", "stdout", data, call))


def test_a_call_is_given_its_own_output_and_what_is_nobodys_in_order() -> None:
    kept, other = Printed(), Attempt()
    kept.await_call(CONTEXT, 8, other)
    for call, data in ((7, "one "), (0, "of a process "), (8, "other "), (7, "two "), (9, "late "), (7, "three ")):
        said(kept, call, data)
    said(kept, 5, "isolated", context=4)
    assert kept.take(CONTEXT, 7).text("stdout") == "one of a process two three isolated"
    assert kept.take(CONTEXT, 7).text("stdout") == ""
    assert kept.take(CONTEXT, 8).text("stdout") == "other "
    assert kept.take(CONTEXT, 9).text("stdout") == "", "twice found, and awaited by nobody"


def test_what_nobody_takes_leaves_room_for_what_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "KEPT", 1000)
    kept, mine = Printed(), Attempt()
    for call in range(10, 40):
        said(kept, call, "x" * 100)
    kept.await_call(CONTEXT, 7, mine)
    said(kept, 7, "mine" * 100)
    taken = kept.take(CONTEXT, 7)
    assert taken.text("stdout") == "mine" * 100 and not taken.truncated
    for call in range(10, 40):
        said(kept, call, "x" * 100)
    said(kept, 7, "y" * 2000)
    taken = kept.take(CONTEXT, 7)
    assert taken.text("stdout") == "y" * 1000 and taken.truncated
    said(kept, 7, "more")
    taken = kept.take(CONTEXT, 7)
    assert taken.text("stdout") == "more" and not taken.truncated


def test_what_is_nobodys_is_no_less_than_what_a_call_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "KEPT", 1000)
    kept, mine = Printed(), Attempt()
    kept.await_call(CONTEXT, 7, mine)
    for context in range(10, 30):
        said(kept, 1, "x" * 100, context)
    said(kept, 0, "y" * 100)
    taken = kept.take(CONTEXT, 7)
    assert taken.text("stdout").startswith("x" * 400) and taken.truncated


def test_many_small_parts_of_many_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "KEPT", 10_000)
    kept, others = Printed(), [Attempt() for _ in range(300)]
    for call, attempt in enumerate(others, 1):
        kept.await_call(CONTEXT, call, attempt)
        said(kept, call, ".")
    taken = [kept.take(CONTEXT, call) for call in range(1, 301)]
    assert 50 < sum(len(each.text("stdout")) for each in taken) < 100
