"""A router that is closed on another thread while it starts a child."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.launch.process import ProcessPath
from tests.kernel.contexts import LIMIT, gone, until

pytest_plugins = ("tests.kernel.call_fixtures",)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_before_there_is_a_reader(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """It closed descriptors twice, by then perhaps another's, and told nobody."""
    begin, pids = ProcessPath.start, []

    def closed_first(path: ProcessPath, *args: Any) -> None:
        pids.append(path.pid)
        router.close()
        begin(path, *args)

    before = _open_files()
    monkeypatch.setattr(ProcessPath, "start", closed_first)
    with pytest.raises(remotesvc.RouterClosed):
        router.local()
    gone(pids[0])
    until(lambda: _open_files() <= before)


def test_as_its_reader_is_started(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """It raised RuntimeError: a thread cannot be joined before it is started."""
    start, closing = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "remotesvc-reader":
            closing.append(pool.submit(router.close))
            time.sleep(0.5)
        start(thread)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        context = router.local()
        closing[0].result(LIMIT)
    with pytest.raises(remotesvc.Error):
        context.call("os:getpid")
