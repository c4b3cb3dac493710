"""A caller that waits: the time from ``call`` to its value."""

from __future__ import annotations

from typing import Any

import remotesvc
from benchmarks import peers, tasks
from benchmarks.conftest import Report
from benchmarks.rounds import Samples, alternate, median, ratio
from tests.integration.ssh_servers import OpenSSHServer

ROUNDS, EACH = 15, 200


def _line(samples: Samples, floor: str) -> str:
    times = ", ".join(f"{name} {median(samples, name) * 1e6:.0f}" for name in samples)
    return f"{ratio(samples, 'ours', floor):.2f} x (us: {times})"


def test_call_over_ssh(server: OpenSSHServer, router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    ours = router.ssh(**peers.ssh_settings(server))
    theirs = peers.mitogen_ssh(mitogen_router, server)
    assert ours.call(tasks.add, 1, 2) == theirs.call(tasks.add, 1, 2) == 3
    with peers.echo(server) as echo:
        samples = alternate({
            "ours": lambda: ours.call(tasks.add, 1, 2),
            "echo": echo,
            "mitogen": lambda: theirs.call(tasks.add, 1, 2),
        }, ROUNDS, EACH, warm=EACH)
    report("call over SSH, of a raw echo over paramiko", "<= 1.25 x", _line(samples, "echo"))
    report("call over SSH, of Mitogen's", "", f"{ratio(samples, 'ours', 'mitogen'):.2f} x")


def test_local_call(router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    ours, theirs = router.local(), mitogen_router.local()
    assert ours.call(tasks.add, 1, 2) == theirs.call(tasks.add, 1, 2) == 3
    samples = alternate({
        "ours": lambda: ours.call(tasks.add, 1, 2),
        "mitogen": lambda: theirs.call(tasks.add, 1, 2),
    }, ROUNDS, EACH, warm=EACH)
    report("local call, of Mitogen's", "<= 0.4 x", _line(samples, "mitogen"))
