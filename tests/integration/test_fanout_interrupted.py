"""Case 23: Ctrl-C in a run on many hosts."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.integration.command_line import LIMIT, start
from tests.kernel.contexts import alive, until
from tests.stopwatch import Stopwatch

HOSTS = 50
GONE = 5.0
"""Seconds until nothing of such a run is left."""

TASKS = """
import os, subprocess, time

def stay(directory):
    below = subprocess.Popen(["sleep", "300"])
    with open(os.path.join(directory, "%d.%d" % (os.getpid(), below.pid)), "w"):
        pass
    time.sleep(300)
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("presses", [1, 2])
def test_case_23_ctrl_c_in_a_run_on_50_hosts(tmp_path: Path, presses: int) -> None:
    """Every kernel, and what its call has started, is gone in time. The first tells of each host."""
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "hosts").write_text(f"n[1:{HOSTS}] ansible_connection=local\n")
    begun = tmp_path / "begun"
    begun.mkdir()
    words = ("run", "-i", "hosts", "--forks", str(HOSTS), "--jsonl", "all", "tasks:stay", str(begun))
    with start(tmp_path, *words) as process:
        until(lambda: len(list(begun.iterdir())) == HOSTS or process.poll() is not None, 3 * LIMIT)
        pids = [int(pid) for path in begun.iterdir() for pid in path.name.split(".")]
        assert len(pids) == 2 * HOSTS
        assert all(map(alive, pids))
        watch = Stopwatch()
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
        until(lambda: not any(map(alive, pids)), what="all of them have ended")
        assert watch.seconds <= GONE
    assert process.returncode == 130
    assert "Traceback" not in err
    outcomes = {line["host"]: line["status"] for line in map(json.loads, out.splitlines())}
    assert set(outcomes.values()) <= {"cancelled"}
    assert presses == 2 or len(outcomes) == HOSTS
