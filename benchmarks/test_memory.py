"""What a child weighs once it has answered."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import remotesvc
from benchmarks import peers, tasks
from benchmarks.conftest import Report
from tests import interpreters

MAX_CHILD = 15 * 1024 * 1024


def _python311() -> str:
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    for each in interpreters.found():
        if each.version == (3, 11):
            return each.path
    pytest.skip("no Python 3.11 here, for which the figure is promised")


def test_memory_of_a_child(server: object, router: remotesvc.Router, mitogen_router: Any, report: Report) -> None:
    python = _python311()
    ours, theirs = router.local(python=python), mitogen_router.local(python_path=python)
    for _ in range(2):
        assert ours.call(tasks.add, 1, 2) == theirs.call(tasks.add, 1, 2) == 3
    with subprocess.Popen([python, "-I", "-S", "-c", "print(flush=True); input()"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.read(1)
        bare = peers.settled_rss(process.pid)
        process.kill()
    child, other = peers.settled_rss(ours.info["pid"]), peers.settled_rss(theirs.call(os.getpid))
    report("memory of a child after two calls, Python 3.11", "<= 15 MiB",
           f"{child / 2**20:.1f} MiB (bare interpreter {bare / 2**20:.1f}, mitogen {other / 2**20:.1f})")
    assert child <= MAX_CHILD
