"""An inbox of many neighbours: one of each in turn, whatever lies behind them, and nothing lost at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from remotesvc.calling.fair_inbox import FairInbox

LIMIT = 20.0
FLOODER, OTHER, GONE = 1, 2, 3
BEHIND_FLOODER = 10


class Message:
    def __init__(self, src: int, text: str, router: Any) -> None:
        self.src = src
        self.text = text
        self.router = router
        self.released = False

    def release(self) -> None:
        self.released = True


class Desk:
    """An inbox that waits at its first message until it may go on."""

    def __init__(self) -> None:
        ways = {FLOODER: FLOODER, OTHER: OTHER, BEHIND_FLOODER: FLOODER}
        self.errors: list[BaseException] = []
        self.router = SimpleNamespace(routes=SimpleNamespace(towards=ways.get), report=self.errors.append,
                                      hub=SimpleNamespace(behind={}))
        self.taken: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.inbox = FairInbox(self.router, "remotesvc-desk", self._take)

    def _take(self, message: Message) -> None:
        self.begun.set()
        assert self.go_on.wait(LIMIT)
        self.taken.append(message.text)
        if "!" in message.text:
            raise ValueError(message.text)

    def put(self, src: int, *texts: str) -> list[Message]:
        messages = [Message(src, text, self.router) for text in texts]
        for message in messages:
            self.inbox.on_message(message)
        return messages


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.put(FLOODER, "first")
    assert desk.begun.wait(LIMIT)
    yield desk
    desk.go_on.set()
    desk.inbox.close()


def test_neighbours_of_an_inbox_have_their_turns(desk: Desk) -> None:
    desk.put(FLOODER, "f1", "f2")
    desk.put(BEHIND_FLOODER, "f3")
    messages = desk.put(OTHER, "o1", "o2!")
    desk.put(GONE, "g1")
    desk.inbox.run_behind(OTHER, desk.taken.append, "behind o2")
    assert desk.inbox.waiting == 7
    assert not desk.inbox.idle_of(OTHER) and desk.inbox.idle_of(5)
    assert not desk.inbox.flush_of(OTHER, 0)
    assert desk.inbox.flush_of(5, 0)
    desk.go_on.set()
    assert desk.inbox.flush(LIMIT)
    assert desk.taken == ["first", "o1", "g1", "f1", "o2!", "f2", "behind o2", "f3"]
    assert [str(error) for error in desk.errors] == ["o2!"]
    assert all(message.released for message in messages)
    assert desk.inbox.flush_of(OTHER, 0) and desk.inbox.flush(0)


def test_what_an_inbox_holds_when_it_closes_is_dealt_with(desk: Desk) -> None:
    desk.put(FLOODER, *map(str, range(100)))
    desk.put(OTHER, "other")
    closing = threading.Thread(target=desk.inbox.close)
    closing.start()
    desk.go_on.set()
    closing.join(LIMIT)
    assert sorted(desk.taken) == sorted([*map(str, range(100)), "first", "other"])
    desk.put(OTHER, "late")
    assert "late" not in desk.taken


def test_messages_that_came_while_no_thread_could_be_started_are_dealt_with_when_one_can(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of a link brings them, and failed of that: the link was lost."""
    desk, later = Desk(), list[Any]()
    desk.router.timers = SimpleNamespace(after=lambda delay, run: later.append(run))
    desk.go_on.set()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        desk.put(FLOODER, "one", "two")
        desk.put(OTHER, "three")
        assert not desk.inbox.flush(LIMIT)  # at once: it may be long
        later.pop()()
        assert len(later) == 1
    later.pop()()
    assert desk.inbox.flush(LIMIT)
    assert desk.taken == ["one", "three", "two"]
    desk.inbox.close()
    assert not later


def test_what_an_inbox_holds_for_which_no_thread_could_be_started_is_dealt_with_when_it_closes(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """Futures waited for ever, which are settled behind it."""
    desk = Desk()
    desk.router.timers = SimpleNamespace(after=lambda delay, run: None)
    desk.go_on.set()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        messages = desk.put(FLOODER, "one", "two") + desk.put(OTHER, "three")
        desk.inbox.run_behind(FLOODER, desk.taken.append, "behind two")
        desk.inbox.close()
    assert desk.taken == ["one", "two", "behind two", "three"]
    assert all(message.released for message in messages)
    desk.inbox.close()
