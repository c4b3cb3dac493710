"""Targets that die, restart or are short of something. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import CallError, Router
from tests.containers import Host, Hosts
from tests.faults import there
from tests.faults.common import (
    MARKER,
    NOTICED_CUT,
    NOTICED_SILENCE,
    PATIENCE,
    busy_master,
    is_over,
    kernel,
    lost_after,
    no_kernels,
    waiting_call,
)
from tests.kernel import called, called_processes
from tests.kernel.contexts import until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

Container = Callable[..., Host]
MIB = 1024 * 1024


def test_case_18_a_killed_kernel(container: Container, router: Router) -> None:
    host = container()
    context = host.connect(router)
    future = waiting_call(context, MARKER)
    context.call(called_processes.spawn_sleep)
    killed = Stopwatch()
    os.kill(kernel(host), signal.SIGKILL)
    error = lost_after(future, killed, NOTICED_CUT)
    assert "signal 9" in str(error)
    is_over(context)


def test_case_19_a_killed_sshd_session(container: Container, router: Router) -> None:
    host = container()
    context = host.connect(router)
    future = waiting_call(context, MARKER)
    context.call(called_processes.spawn_sleep)
    until(lambda: len(host.processes("sshd: root@notty")) == 1, what="who looked whether the host is up has left")
    (session,) = host.processes("sshd: root@notty")
    killed = Stopwatch()
    os.kill(session, signal.SIGKILL)
    lost_after(future, killed, NOTICED_CUT)
    is_over(context)
    no_kernels(host, 2)


def test_case_20_a_restarted_host(container: Container, router: Router) -> None:
    host = container()
    context = host.connect(router, directly=True)
    future = waiting_call(context, MARKER)
    begun = Stopwatch()
    host.control("restart", "--time", "0")
    lost_after(future, begun, NOTICED_SILENCE)
    host.wait_ready()
    again = host.connect(router, directly=True)
    assert again.call(called.add, 1, 1) == 2
    # The old handle does not come to mean the new kernel.
    is_over(context)
    assert again.id != context.id


def test_case_21_a_killed_master_while_the_kernel_is_busy(container: Container) -> None:
    host = container()
    with busy_master(host) as master:
        master.kill()
        no_kernels(host, 2)


def test_case_24_a_worker_out_of_memory(container: Container, router: Router) -> None:
    host = container("--memory", "64m", "--memory-swap", "64m")
    context = host.connect(router)
    pid = context.call("os:getpid")
    with pytest.raises((remotesvc.Error, MemoryError)) as caught:
        context.options(isolation="process", timeout=60).call(there.eat_memory)
    assert isinstance(caught.value, remotesvc.Error)
    assert not isinstance(caught.value, remotesvc.CallTimeout)
    # Only the process of the call is gone.
    assert context.call("os:getpid") == pid


@pytest.mark.slow
def test_case_26_a_host_with_a_twentieth_of_a_processor(container: Container, router: Router) -> None:
    host = container()
    host.control("update", "--cpus", "0.05")
    begun = Stopwatch()
    context = host.connect(router, directly=True)
    assert context.call(called.add, 1, 1) == 2
    assert begun.seconds < 30


def test_case_28_a_minimal_python(container: Container, router: Router) -> None:
    """The smoke suite runs on all of Debian's; here: what the kernel itself loads is within the minimum."""
    context = container().connect(router)
    assert context.call(called.add, 1, 1) == 2
    with pytest.raises(CallError, match="No module named 'decimal'|_decimal"):
        context.call("_decimal:Decimal", 1)
    loaded = context.call(there.modules_from_elsewhere)
    assert [name for name in loaded if not name.startswith(("remotesvc", "tests"))] == []


def test_case_31_a_read_only_host_without_a_place_for_temporary_files(container: Container, router: Router) -> None:
    host = container("--read-only", "--tmpfs", "/dev/shm:ro")
    context = host.connect(router)
    assert context.call(called.add, 1, 1) == 2
    assert context.options(isolation="process").call(called.add, 1, 1) == 2
    assert list(context.call(called.count, 100)) == list(range(100))
    with pytest.raises(OSError, match="Read-only file system") as caught:
        context.call(there.append_line, "/tmp/x", "x")
    assert isinstance(caught.value, CallError)
    assert host.written() == set()


@pytest.mark.parametrize("limit", [("--pids-limit", "12"), ("--pids-limit", "20"), ("--ulimit", "nofile=20:20")],
                         ids=["12 pids", "20 pids", "20 fds"])
def test_case_33_few_processes_or_descriptors(limit: tuple[str, ...], container: Container) -> None:
    """Everything ends in a value or a typed error, within its time."""
    host = container(*limit)
    with Router() as router:
        try:
            context = host.connect(router)
            context.wait_ready()
        except remotesvc.ConnectError as error:
            assert "thread" in str(error) or "fork" in str(error) or "Too many open files" in str(error)
            return
        futures = [context.options(timeout=30).submit(there.pause, 0.1) for _ in range(40)]
        for future in futures:
            failed = future.exception(PATIENCE)
            assert failed is None or isinstance(failed, remotesvc.Error), failed
        outcomes = [future.exception() for future in futures]
        assert None in outcomes, outcomes[0]
        try:
            assert context.options(timeout=30, isolation="process").call(called.add, 1, 1) == 2
        except remotesvc.Error as refused:
            assert not isinstance(refused, remotesvc.CallTimeout), refused
        assert context.call(called.add, 1, 1) == 2


def test_a_crash_leaves_nothing_of_its_memory_on_the_disk(container: Container, router: Router) -> None:
    """Containers allow cores of any size: arguments of calls, secrets too, would lie in the file."""
    host = container("--ulimit", "core=-1")
    context = host.connect(router)
    assert context.call(called.add, 1, 1) == 2
    assert host.run("sh", "-c", "ulimit -c").strip() == "unlimited"
    before = host.written()  # by sshd
    with pytest.raises(remotesvc.Lost, match="signal 6|SIGABRT"):
        context.options(isolation="process").call(called_processes.abort)
    with pytest.raises(remotesvc.Lost, match="signal 6|SIGABRT"):
        context.call(called_processes.abort)
    assert host.written() == before


def test_hosts_are_told_apart(hosts: Hosts, container: Container) -> None:
    """A container of the test's own is none of those that all tests use."""
    own = container()
    assert own.id not in {host.id for host in hosts.values()}
    assert Path(own.options()["known_hosts"]).exists()


def test_case_33_every_number_of_processes_that_is_too_small(container: Container) -> None:
    """Whichever thread or process cannot be started: a value or a typed error, at once, and nothing stays behind."""
    host = container()
    outcomes = []
    for limit in range(5, 13):
        host.control("update", "--pids-limit", str(limit))
        with Router() as router:
            try:
                outcomes.append(host.connect(router, connect_timeout=20).call(called.add, limit, 1))
            except remotesvc.Error as error:
                assert not isinstance(error, remotesvc.ConnectTimeout), (limit, error)
                outcomes.append(0)
        no_kernels(host, 2)
    assert outcomes[-1] == 13
