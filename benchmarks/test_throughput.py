"""Many calls at once: one thread that does not wait, and eight that do."""

from __future__ import annotations

import collections
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import remotesvc
from benchmarks import peers, tasks
from benchmarks.conftest import Report
from benchmarks.rounds import Samples, alternate, median, ratio
from tests.integration.ssh_servers import OpenSSHServer

CALLS = 20_000
WINDOW = 1_000
"""Calls under way at most: the submitter takes the oldest result before it goes on."""
MITOGEN_CALLS = 5_000
THREADS, PER_THREAD = 8, 200
MAX_GROWTH = 32 * 1024 * 1024


def pipeline(submit: Callable[[int], Any], result: Callable[[Any], int], calls: int) -> None:
    """Submit `calls` calls through the window and check each result."""
    under_way: collections.deque[Any] = collections.deque()
    taken = 0
    for number in range(calls):
        under_way.append(submit(number))
        if len(under_way) >= WINDOW:
            assert result(under_way.popleft()) == taken + 1
            taken += 1
    while under_way:
        assert result(under_way.popleft()) == taken + 1
        taken += 1
    assert taken == calls


def in_threads(call: Callable[[], int]) -> None:
    """Eight threads, each of which calls and waits, again and again."""
    answers: list[int] = []

    def work() -> None:
        answers.extend(call() for _ in range(PER_THREAD))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [3] * THREADS * PER_THREAD


def _line(samples: Samples, ours: int, theirs: int) -> str:
    rates = f"ours {ours / median(samples, 'ours'):,.0f}, mitogen {theirs / median(samples, 'mitogen'):,.0f}"
    return f"{ratio(samples, 'mitogen', 'ours') * ours / theirs:.2f} x (calls/s: {rates})"


def test_pipelined_calls(server: OpenSSHServer, router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    ours = router.ssh(**peers.ssh_settings(server))
    theirs = peers.mitogen_ssh(mitogen_router, server)
    assert ours.call(tasks.add, 1, 2) == theirs.call(tasks.add, 1, 2) == 3

    def run_ours() -> None:
        pipeline(lambda number: ours.submit(tasks.add, number, 1), lambda future: future.result(), CALLS)

    def run_theirs() -> None:
        pipeline(lambda number: theirs.call_async(tasks.add, number, 1),
                 lambda receiver: receiver.get().unpickle(), MITOGEN_CALLS)

    gc.collect()
    before = peers.rss(os.getpid())
    run_ours()
    growth = peers.rss(os.getpid()) - before
    samples = alternate({"ours": run_ours, "mitogen": run_theirs}, 4)
    report("20,000 pipelined calls over SSH, of Mitogen's", ">= 4 x", _line(samples, CALLS, MITOGEN_CALLS))
    report("master's memory after 20,000 pipelined calls", "<= 32 MiB more", f"{growth / 2**20:.1f} MiB more")
    assert growth <= MAX_GROWTH


def test_calls_of_eight_threads(server: OpenSSHServer, router: remotesvc.Router, mitogen_router: Any,
                                report: Report) -> None:
    ours = router.ssh(**peers.ssh_settings(server))
    theirs = peers.mitogen_ssh(mitogen_router, server)
    samples = alternate({
        "ours": lambda: in_threads(lambda: int(ours.call(tasks.add, 1, 2))),
        "mitogen": lambda: in_threads(lambda: int(theirs.call(tasks.add, 1, 2))),
    }, 5)
    calls = THREADS * PER_THREAD
    report("calls of eight threads over SSH, of Mitogen's", ">= 2 x", _line(samples, calls, calls))
