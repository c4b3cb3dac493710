"""More transfers at once than a context can have generators open: they take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallTimeout, Cancelled, Context
from remotesvc.calling.turns import MOST, Turns
from tests.kernel import called
from tests.kernel.contexts import LIMIT, until
from tests.kernel.filetrees import content, described, make

pytest_plugins = ("tests.kernel.call_fixtures",)

MANY = 70
"""More than the 64 generators of a context."""


class Crowd:
    """Threads that each transfer something, and stay in the middle of it until they may go on."""

    def __init__(self, transfer: Callable[..., Any]) -> None:
        self.begun: set[int] = set()
        self.errors: list[BaseException] = []
        self.may = threading.Event()
        self._transfer = transfer
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(MANY)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        def progress(done: int, total: int | None) -> None:
            self.begun.add(number)
            assert self.may.wait(LIMIT)

        try:
            self._transfer(number, progress=progress)
        except BaseException as error:  # told by the test
            self.errors.append(error)

    def end(self) -> None:
        self.may.set()
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()


@pytest.mark.parametrize("way", ["push", "pull", "sync"])
def test_many_transfers_at_once_take_turns(context: Context, tmp_path: Path, way: str) -> None:
    make({b"large": content(100000)}, bytes(tmp_path / "s"))
    for number in range(MANY):
        make({b"large": content(100000)[:-1] + b"x"}, bytes(tmp_path / str(number)))

    def transfer(number: int, **options: Any) -> None:
        source, target = tmp_path / "s", tmp_path / str(number)
        if way == "sync":
            context.sync(source, target, **options)
        elif way == "push":
            context.push(source / "large", target / "large", **options)
        else:
            context.pull(source / "large", target / "large", **options)

    crowd = Crowd(transfer)
    most = MOST // 2 if way == "sync" else MOST  # a sync asks what is there, too
    until(lambda: len(crowd.begun) == most)
    with pytest.raises(CallTimeout):
        context.push(b"x", tmp_path / "waits", timeout=0.3)
    assert len(crowd.begun) == most
    assert list(context.call(called.count, 3)) == [0, 1, 2]  # other calls are not kept
    crowd.end()
    assert crowd.errors == []
    assert all(described(tmp_path / str(number)) == described(tmp_path / "s") for number in range(MANY))


def test_turns_come_in_order_and_are_given_up() -> None:
    turns, order = Turns(2), list[str]()
    turns.take(1, 1, bool)
    turns.take(2, 2, bool)  # another context

    def second() -> None:
        turns.take(1, 2, bool)
        order.append("two")

    first = threading.Thread(target=second)
    first.start()
    until(lambda: turns._waiting.get(1))

    def give_up() -> None:
        raise Cancelled("no longer")

    with pytest.raises(Cancelled):
        turns.take(1, 1, give_up)  # there would be room, but somebody was here before
    turns.give_back(1, 1)
    first.join(LIMIT)
    assert order == ["two"]
    turns.give_back(1, 2)
    turns.give_back(2, 2)
    assert (turns._taken, turns._waiting) == ({}, {})
