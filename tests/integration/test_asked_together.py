"""Several who ask for the same host at once: one goes there, and what comes of it is for all."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from remotesvc import ConnectError, ConnectTimeout, Fleet, Router
from remotesvc.fleet.executor import FleetExecutor
from remotesvc.ssh.contexts import SSHContexts
from tests.kernel.contexts import LIMIT, until

ASKERS = 5
ALLOWED = 4.0
"""Seconds for connecting where nothing ever comes: enough to get that far on a busy machine."""


class Silent:
    """A host on which connections wait to be taken, and hear never a word."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._came = 0

    def came(self) -> int:
        """How many there were so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                self._came += 1
        return self._came


@pytest.fixture
def silent() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Silent(listener)


def errors_of(ask: Callable[[], object]) -> list[BaseException | None]:
    """What each of them is told."""
    with ThreadPoolExecutor(ASKERS) as pool:
        return [future.exception(LIMIT) for future in [pool.submit(ask) for _ in range(ASKERS)]]


def all_waiting(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, waiting: Callable[[], int]) -> None:
    """Have the one that goes there wait until the others wait for it."""
    there = getattr(owner, name)

    def late(*args: Any, **options: Any) -> Any:
        until(lambda: waiting() >= ASKERS - 1)
        return there(*args, **options)

    monkeypatch.setattr(owner, name, late)


def blocked(module: str, function: str) -> int:
    """How many threads are in a function."""
    found = 0
    for frame in sys._current_frames().values():
        at: Any = frame
        while at is not None:
            found += at.f_code.co_name == function and at.f_globals.get("__name__") == module
            at = at.f_back
    return found


def test_a_router_goes_to_a_dead_host_once(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    """They went one after the other, and the last waited as many times as there were."""
    all_waiting(monkeypatch, SSHContexts, "_open", lambda: blocked("remotesvc.ssh.contexts", "context") - 1)
    with Router(interactive=False) as router:
        errors = errors_of(lambda: router.ssh("127.0.0.1", port=silent.port, user="nobody", connect_timeout=ALLOWED))
    assert all(isinstance(error, ConnectTimeout) for error in errors), errors
    assert len({id(error) for error in errors}) == ASKERS, "each has an error of its own"
    assert silent.came() == 1


def test_a_fleet_goes_to_a_dead_host_once(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    with Fleet(f"nobody@127.0.0.1:{silent.port}", connect_timeout=ALLOWED) as fleet:
        links, member = fleet._links, fleet._members[0]
        all_waiting(monkeypatch, type(member), "open", lambda: blocked("remotesvc.fleet.links", "context") - 1)
        errors = errors_of(lambda: links.context(member))
        assert all(isinstance(error, ConnectError) for error in errors), errors
        assert silent.came() == 1
        with pytest.raises(ConnectError):  # whoever comes later tries anew
            monkeypatch.undo()
            links.context(member)
        assert silent.came() == 2


def test_a_task_for_which_there_is_no_thread_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was under way for ever, and with it the executor."""
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if thread.name == "remotesvc-task":
            raise RuntimeError("can't start new thread")
        start(thread)

    with Fleet("local:") as fleet:
        executor: FleetExecutor = fleet.executor()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", limited)
            failed = executor.submit("os:getpid")
            with pytest.raises(RuntimeError, match="can't start new thread"):
                failed.result(LIMIT)
        assert executor.submit("os:getppid").result(LIMIT)
        executor.shutdown()
