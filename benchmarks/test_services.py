"""Calling a service that lives on the target: one caller who waits, eight, and ten thousand calls in a queue."""

from __future__ import annotations

from typing import Any

import remotesvc
from benchmarks import peers
from benchmarks.adding import Adder, InOrder
from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from benchmarks.test_throughput import PER_THREAD, THREADS, in_threads
from tests.integration.ssh_servers import OpenSSHServer

ROUNDS, EACH = 15, 200
QUEUED = 10_000
MAX_GROWTH = 64 << 20
"""Bytes by which a target may grow that is sent QUEUED calls at once."""


def _latency(ours: remotesvc.Context, theirs: Any) -> str:
    name = "benchmarks.adding_mitogen.Adder"
    assert ours.call_service(Adder, "add", a=1, b=2) == theirs.call_service(name, "add", a=1, b=2) == 3
    samples = alternate({
        "ours": lambda: ours.call_service(Adder, "add", a=1, b=2),
        "mitogen": lambda: theirs.call_service(name, "add", a=1, b=2),
    }, ROUNDS, EACH, warm=EACH)
    times = ", ".join(f"{side} {median(samples, side) * 1e6:.0f}" for side in samples)
    return f"{ratio(samples, 'ours', 'mitogen'):.2f} x (us: {times})"


def _eight(ours: remotesvc.Context, theirs: Any) -> str:
    name = "benchmarks.adding_mitogen.Adder"
    samples = alternate({
        "ours": lambda: in_threads(lambda: int(ours.call_service(Adder, "add", a=1, b=2))),
        "mitogen": lambda: in_threads(lambda: int(theirs.call_service(name, "add", a=1, b=2))),
    }, 5)
    calls = THREADS * PER_THREAD
    rates = ", ".join(f"{side} {calls / median(samples, side):,.0f}" for side in samples)
    return f"{ratio(samples, 'mitogen', 'ours'):.2f} x (calls/s: {rates})"


def test_service_call_over_ssh(server: OpenSSHServer, router: remotesvc.Router, mitogen_router: Any,
                               report: Report) -> None:
    ours, theirs = router.ssh(**peers.ssh_settings(server)), peers.mitogen_ssh(mitogen_router, server)
    report("service call over SSH, of Mitogen's", "<= 0.5 x", _latency(ours, theirs))


def test_local_service_call(router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    report("local service call, of Mitogen's", "<= 0.5 x", _latency(router.local(), mitogen_router.local()))


def test_service_calls_of_eight_threads_over_ssh(server: OpenSSHServer, router: remotesvc.Router, mitogen_router: Any,
                                                 report: Report) -> None:
    ours, theirs = router.ssh(**peers.ssh_settings(server)), peers.mitogen_ssh(mitogen_router, server)
    report("service calls of eight threads over SSH, of Mitogen's", ">= 3 x", _eight(ours, theirs))


def test_local_service_calls_of_eight_threads(router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    report("local service calls of eight threads, of Mitogen's", ">= 3 x",
           _eight(router.local(), mitogen_router.local()))


def test_a_queue_of_a_serialized_service(router: remotesvc.Router, report: Report) -> None:
    context = router.local()
    context.call_service(InOrder, "note", number=-1)
    pid = context.info["pid"]
    before = peers.settled_rss(pid)
    futures = [context.call_service_async(InOrder, "note", number=number) for number in range(QUEUED)]
    most = max(peers.rss(pid) for future in futures[::100] if future.result() is not None)
    assert [future.result() for future in futures] == list(range(2, QUEUED + 2))
    assert context.call_service(InOrder, "disorder") == 0
    report("target's memory with 10,000 calls queued to a serialized service", "<= 64 MiB more",
           f"{(most - before) / 2**20:.1f} MiB more, in order")
    assert most - before <= MAX_GROWTH
