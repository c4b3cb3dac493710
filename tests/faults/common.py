"""What the fault tests share: calls that wait, and how long it took until they were told."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from remotesvc import Context, Lost, NotSent
from tests.containers import ROOT, Host
from tests.kernel import called, called_waiting
from tests.kernel.contexts import until
from tests.stopwatch import Stopwatch

NOTICED_CUT = 1.0
"""Seconds until a link that is closed, reset or whose other end died is lost."""

NOTICED_SILENCE = 20.0
"""Seconds until a link on which nothing comes is lost."""

MARGIN = 1.5
"""Seconds that a busy machine may add to either."""

PATIENCE = 70.0

MARKER = "/dev/shm/begun"
"""A file on a container that says that a call has begun."""


def waiting_call(context: Context, marker: str) -> Future[Any]:
    """A call that has begun there and ends by itself only after minutes; `marker` is a file that it makes there."""
    future: Future[Any] = context.submit(called_waiting.wait_for_file, marker, marker + "-never", 300)
    until(lambda: context.call("os.path:exists", marker))
    return future


def lost_after(future: Future[Any], since: Stopwatch, at_most: float) -> Lost:
    """The Lost that ends a call; fails if it ends otherwise, or later than so many seconds after `since`."""
    error = future.exception(timeout=PATIENCE)
    took = since.seconds
    assert isinstance(error, Lost), error
    assert took <= at_most + MARGIN, f"noticed after {took:.1f} s"
    return error


def is_over(context: Context) -> None:
    """A context whose link is lost says so to every later call, at once."""
    watch = Stopwatch()
    with pytest.raises((Lost, NotSent)):
        context.call(called.add, 1, 1)
    assert watch.seconds < 1.0


def lost_by_ping(context: Context, since: Stopwatch, at_most: float) -> None:
    """Waits for a link to be lost on which no call is open."""
    with pytest.raises((Lost, NotSent)):
        context.ping(timeout=PATIENCE)
    took = since.seconds
    assert took <= at_most + MARGIN, f"noticed after {took:.1f} s"


def kernel(host: Host) -> int:
    """The pid here of the one kernel on a host."""
    pids = [pid for pid, command in host.processes("remotesvc:").items() if "python" in command]
    assert len(pids) == 1, host.processes()
    return pids[0]


def no_kernels(host: Host, at_most: float) -> None:
    """Fails unless every kernel on the host, and all that it started, is gone by then."""
    watch = Stopwatch()
    until(lambda: not host.processes("remotesvc:") and not host.processes("sleep 300"),
          what="the kernels on the host are gone")
    assert watch.seconds <= at_most + MARGIN


@contextlib.contextmanager
def busy_master(host: Host) -> Iterator[subprocess.Popen[str]]:
    """A master in a process of its own, whose kernel on the host is at work."""
    command = [sys.executable, "-m", "tests.faults.master", json.dumps(host.options(directly=True)), MARKER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as master:
        try:
            assert master.stdout is not None
            assert master.stdout.readline() == "ready\n"
            until(lambda: host.processes("sleep 300"))
            yield master
        finally:
            master.kill()
