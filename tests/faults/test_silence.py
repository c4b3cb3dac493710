"""Links on which nothing comes any more, though nobody closed them. Nothing but time shows that, up to a minute each:
all are made silent at once and waited for together; each test looks at its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from remotesvc import Context, Router
from remotesvc.launch.tree import LEASE
from tests.containers import Host, Keys, run, running_container
from tests.faults import network, there
from tests.faults.common import (
    MARGIN,
    MARKER,
    NOTICED_SILENCE,
    busy_master,
    is_over,
    kernel,
    lost_after,
    lost_by_ping,
    no_kernels,
    waiting_call,
)
from tests.kernel import called
from tests.kernel.contexts import gone, until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.docker, pytest.mark.netns, pytest.mark.slow, pytest.mark.timeout(300)]

BUSY_SILENCE = 60.0
"""Seconds that a process gets whose TCP still answers while a call runs in it: C code may hold the GIL."""


def black_hole_while_idle(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    remote = stack.enter_context(network.remote_host(directory))
    router = stack.enter_context(Router())
    context = remote.connect(router)
    assert context.call(called.add, 1, 1) == 2
    remote.cut()
    since = Stopwatch()

    def verify() -> None:
        lost_by_ping(context, since, NOTICED_SILENCE)
        is_over(context)
        remote.heal()
        # Nothing of what was lost comes back to life, and a new link works.
        is_over(context)
        assert remote.connect(router).call(called.add, 1, 2) == 3

    return verify


def _host(stack: contextlib.ExitStack, keys: Keys) -> tuple[Host, Router, Context]:
    host = stack.enter_context(running_container(keys))
    router = stack.enter_context(Router())
    context = host.connect(router, directly=True)
    assert context.call(called.add, 1, 1) == 2
    return host, router, context


def _thawed(host: Host, router: Router, context: Context) -> None:
    """What is left of the old kernel ends, and a new one is welcome."""
    host.control("unpause")
    is_over(context)
    no_kernels(host, 2)
    assert host.connect(router, directly=True).call(called.add, 1, 2) == 3


def only_answers_vanish(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    """All that is said to it arrives: a call runs there, and nobody hears of it."""
    host, router, context = _host(stack, keys)
    run("nsenter", "--net", "--target", str(host.pid),
        "iptables", "-A", "OUTPUT", "-p", "tcp", "--sport", "22", "-j", "DROP")
    future = context.submit(there.append_line, MARKER, "ran")
    since = Stopwatch()
    until(lambda: host.run("cat", MARKER) == "ran\n", what="the call has run")

    def verify() -> None:
        lost_after(future, since, NOTICED_SILENCE)
        is_over(context)
        assert host.run("cat", MARKER) == "ran\n"

    return verify


def frozen_while_idle(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    host, router, context = _host(stack, keys)
    host.control("pause")
    since = Stopwatch()

    def verify() -> None:
        lost_by_ping(context, since, NOTICED_SILENCE)
        _thawed(host, router, context)

    return verify


def frozen_at_work(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    host, router, context = _host(stack, keys)
    future = waiting_call(context, MARKER)
    host.control("pause")
    since, begun = Stopwatch(), time.monotonic()

    def verify() -> None:
        lost_after(future, since, BUSY_SILENCE)
        assert time.monotonic() - begun > NOTICED_SILENCE
        _thawed(host, router, context)

    return verify


def stopped_kernel(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    host, _, context = _host(stack, keys)
    pid = kernel(host)
    os.kill(pid, signal.SIGSTOP)
    # Stopping takes its time: a ping may still be answered before.
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    since = Stopwatch()

    def verify() -> None:
        try:
            lost_by_ping(context, since, NOTICED_SILENCE)
            is_over(context)
        finally:
            os.kill(pid, signal.SIGCONT)
        no_kernels(host, 2)

    return verify


def vanished_master(stack: contextlib.ExitStack, keys: Keys, directory: Path) -> Callable[[], None]:
    """No FIN, no reset: what is left over there ends by its lease."""
    host = stack.enter_context(running_container(keys))
    with busy_master(host) as master:
        pid = kernel(host)
        for chain, port in (("INPUT", "--dport"), ("OUTPUT", "--sport")):
            rule = ("iptables", "-A", chain, "-p", "tcp", port, "22", "-j", "DROP")
            run("nsenter", "--net", "--target", str(host.pid), *rule)
        since, begun = Stopwatch(), time.monotonic()
        master.kill()

    def verify() -> None:
        gone(pid, 2 * LEASE)
        assert time.monotonic() - begun > NOTICED_SILENCE, "it was not the lease that ended it"
        assert since.seconds <= LEASE + 2 * MARGIN
        no_kernels(host, 2)

    return verify


CASES = {
    "case 1, a black hole while idle": black_hole_while_idle,
    "case 3, only answers vanish": only_answers_vanish,
    "case 16, a host frozen while idle": frozen_while_idle,
    "case 16, a host frozen while a call runs": frozen_at_work,
    "case 17, a stopped kernel under a living sshd": stopped_kernel,
    "case 22, a master that vanishes": vanished_master,
}


@pytest.fixture(scope="module")
def silences(
    docker_images: None, docker_keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """Every case, made silent and watched by a thread of its own."""
    outcomes: dict[str, Future[None]] = {name: Future() for name in CASES}
    threads = []

    def watch(outcome: Future[None], verify: Callable[[], None]) -> None:
        try:
            verify()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    with contextlib.ExitStack() as stack:
        for name, prepare in CASES.items():
            try:
                verify = prepare(stack, docker_keys, tmp_path_factory.mktemp("silence"))
            except Exception as error:
                outcomes[name].set_exception(error)
                continue
            threads.append(threading.Thread(target=watch, args=(outcomes[name], verify), name=name))
            threads[-1].start()
        # Here, not in the tests: what the watchers start must not be blamed on the test that runs meanwhile.
        for thread in threads:
            thread.join(120)
    yield outcomes


@pytest.mark.parametrize("case", CASES)
def test_silence(case: str, silences: dict[str, Future[None]]) -> None:
    silences[case].result(timeout=0)
