"""Faults at random while calls and files go to several hosts; then the history is checked against what is there.

Half a minute in the suite. For a soak: REMOTESVC_SOAK_SECONDS=1800, and REMOTESVC_SOAK_SEED for other faults.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.launch.tree import LEASE
from tests.containers import Host, Keys, run, running_container
from tests.faults import there
from tests.faults.common import MARGIN, PATIENCE, no_kernels
from tests.threads import beside

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")

SECONDS = float(os.environ.get("REMOTESVC_SOAK_SECONDS", "30"))
SEED = os.environ.get("REMOTESVC_SOAK_SEED", "1")
HOSTS = 3
COUNTER, FILE = "/root/counter", "/root/file"
SIZE = 1 << 20
SHORT = 2.0
"""Seconds that a fault lasts which passes: no link is lost by that alone."""


class Worker:
    """One host, its connection, and what became of each call and each file."""

    def __init__(self, host: Host, router: Router, directory: Path) -> None:
        self.host = host
        self.outcomes: dict[int, str] = {}
        self.contents = {hashlib.sha256(b"").hexdigest()}
        self._router = router
        self._source = directory / host.id
        self._context: Context | None = None
        self._numbers = itertools.count(1)

    def work(self, over: Callable[[], bool]) -> None:
        while not over():
            with contextlib.suppress(remotesvc.ConnectError):
                if self._context is None:
                    self._context = self.host.connect(self._router, directly=True, connect_timeout=10)
                self._call(self._context)
                self._push(self._context)

    def _call(self, context: Context) -> None:
        number = next(self._numbers)
        self.outcomes[number] = "pending"
        try:
            context.options(timeout=PATIENCE).call(there.append_line, COUNTER, str(number))
        except (remotesvc.NotSent, remotesvc.ConnectError) as error:
            self.outcomes[number] = "not sent"
            self._context = None
            if isinstance(error, remotesvc.ConnectError):
                raise
        except (remotesvc.Lost, remotesvc.CallTimeout):
            self.outcomes[number] = "unknown"
            self._context = None
        else:
            self.outcomes[number] = "ok"

    def _push(self, context: Context) -> None:
        if self._context is None:
            return
        content = os.urandom(SIZE)
        self.contents.add(hashlib.sha256(content).hexdigest())
        self._source.write_bytes(content)
        try:
            context.push(self._source, FILE)
        except (remotesvc.Lost, remotesvc.NotSent, remotesvc.CallTimeout):
            self._context = None

    def check(self) -> None:
        """At most once, exactly once where it was said so, never where that was said; and no part of a file."""
        lines = Counter(map(int, self.host.run("cat", COUNTER).split()))
        assert set(lines.values()) <= {1}
        for number, outcome in self.outcomes.items():
            assert outcome in ("ok", "not sent", "unknown"), (number, outcome)
            assert outcome == "unknown" or lines[number] == (outcome == "ok"), (number, outcome)
        digest, _, _ = self.host.run("sha256sum", FILE).partition(" ")
        assert digest in self.contents


def firewall(host: Host, *rule: str) -> None:
    run("nsenter", "--net", "--target", str(host.pid), "iptables", *rule)


def silent(host: Host) -> Iterator[None]:
    firewall(host, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
    yield
    firewall(host, "-F")


def reset(host: Host) -> Iterator[None]:
    firewall(host, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT", "--reject-with", "tcp-reset")
    yield
    firewall(host, "-F")


def paused(host: Host) -> Iterator[None]:
    host.control("pause")
    yield
    host.control("unpause")


def restarted(host: Host) -> Iterator[None]:
    host.control("restart", "--time", "0")
    yield


def signalled(host: Host, named: str, number: int, after: int | None = None) -> Iterator[None]:
    pids = [pid for pid, command in host.processes(named).items() if "listener" not in command]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    yield
    for pid in pids if after is not None else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, after or 0)


FAULTS: list[Callable[[Host], Iterator[None]]] = [
    silent, reset, paused, restarted,
    lambda host: signalled(host, "remotesvc:", signal.SIGKILL),
    lambda host: signalled(host, "remotesvc:", signal.SIGSTOP, signal.SIGCONT),
    lambda host: signalled(host, "sshd: root@notty", signal.SIGKILL),
]


HURT = ("unknown", "not sent")


def nemesis(hosts: list[Host], over: threading.Event, hurt: Callable[[], bool]) -> None:
    """One fault after the other, each of which passes: for SECONDS, and up to three times as long if none has `hurt` a
    call, as on a machine that is busy with other things."""
    chance = random.Random(SEED)
    begun = time.monotonic()
    try:
        faults: list[Callable[[Host], Iterator[None]]] = []
        while time.monotonic() - begun < (SECONDS if hurt() else 4 * SECONDS):
            faults = faults or chance.sample(FAULTS, len(FAULTS))
            for _ in faults.pop()(chance.choice(hosts)):
                over.wait(chance.uniform(0.2, SHORT))
            over.wait(chance.uniform(0.2, SHORT))
    finally:
        over.set()


@pytest.mark.docker
@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.timeout(4 * SECONDS + 270)
def test_what_is_said_of_calls_and_files_is_true_whatever_happens(
    docker_images: None, docker_keys: Keys, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(running_container(docker_keys, name=f"h{number}")) for number in range(HOSTS)]
        for host in hosts:
            host.run("touch", COUNTER, FILE)
        over = threading.Event()
        with Router() as router:
            workers = [Worker(host, router, tmp_path) for host in hosts]
            with beside([lambda worker=worker: worker.work(over.is_set) for worker in workers]):  # type: ignore[misc]
                nemesis(hosts, over, lambda: any(
                    outcome in HURT for worker in workers for outcome in list(worker.outcomes.values())))
        for worker in workers:
            worker.check()
        told = Counter(outcome for worker in workers for outcome in worker.outcomes.values())
        print(dict(told))
        assert told["ok"] > SECONDS
        assert sum(told[outcome] for outcome in HURT) > 0, "nothing happened"
        for host in hosts:
            no_kernels(host, LEASE + MARGIN)
