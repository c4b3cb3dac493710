"""Fixtures: a context whose detached jobs are the test's own. A test module takes them with

pytest_plugins = ("tests.kernel.job_fixtures", "tests.kernel.call_fixtures")
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remotesvc import Context, Job
from remotesvc.bootstrap.data import codec
from tests.kernel import called_jobs
from tests.kernel.contexts import alive, appears, gone


@pytest.fixture
def jobs_dir(tmp_path: Path) -> Iterator[Path]:
    """Where the records go. Jobs that a test leaves running end with it."""
    directory = tmp_path / "jobs"
    yield directory
    for record in directory.glob("*/*-*/job"):
        try:
            pid = codec.decode(record.read_bytes())["pid"]
        except Exception:  # a test has damaged it
            continue
        if alive(pid) and os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
            gone(pid)


@pytest.fixture
def at(jobs_dir: Path) -> Callable[[Context], Context]:
    """The same context with that place for its jobs."""
    return lambda context: context.options(jobs_dir=str(jobs_dir))


@pytest.fixture
def detaching(context: Context, at: Callable[[Context], Context]) -> Context:
    return at(context)


def folder(jobs_dir: Path, name: str) -> Path:
    """The records of a job, on this machine."""
    return jobs_dir / os.uname().nodename / name


def lasting(context: Context, tmp_path: Path) -> tuple[Job, Path]:
    """A job that has begun, and the file that it waits for."""
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    job = context.detach(called_jobs.lasting, str(begun), str(go_on))
    appears(begun)
    return job, go_on
