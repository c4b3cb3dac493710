"""What connecting to many hosts costs the master: targets that cost nothing leave only that, and sshd, to be seen."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import remotesvc
from benchmarks import peers, simulated
from benchmarks.conftest import Report
from benchmarks.rounds import median, ratio
from tests.integration.ssh_servers import SSHD, OpenSSHServer

AT_ONCE = 8
Cost = dict[str, list[float]]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """An sshd with simulated targets behind it."""
    reason = simulated.missing() or ("" if SSHD is not None else "no sshd")
    if reason:
        pytest.skip(reason)
    settings = f"Ciphers {peers.CIPHER}\nMaxStartups 400"
    with simulated.simulated_targets(tmp_path_factory.mktemp("simulated") / "s", settings) as server:
        yield server


@pytest.mark.parametrize(("hosts", "rounds"), [(64, 5), (200, 3)])
def test_hosts_that_cost_nothing(targets: OpenSSHServer, report: Report, tmp_path: Path, hosts: int,
                                 rounds: int) -> None:
    closing: list[Callable[[], object]] = []  # ends are nobody's time
    seconds: Cost = {"ours": [], "with ssh_config": [], "paramiko": []}
    cpu: Cost = {name: [] for name in seconds}
    memory: list[float] = []  # ours

    with remotesvc.Router() as router:
        def ours(ssh_config: str = "none") -> None:
            context = router.ssh(**{**peers.ssh_settings(targets), "ssh_config": ssh_config})
            closing.append(context.close)
            assert context.call("os:getpid") == simulated.ANSWER

        def bare() -> None:
            stack = peers.transport(targets)
            connection = stack.__enter__()
            closing.append(lambda: stack.__exit__(None, None, None))
            channel = connection.open_session()
            channel.exec_command("whatever")
            channel.sendall(simulated.BARE)
            assert channel.recv(1) == b"x"
            assert channel.recv_exit_status() == 0

        def measure(name: str, one: Callable[[], None], count: int) -> None:
            before, used, begun = peers.rss(os.getpid()), _cpu(), time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for future in [pool.submit(one) for _ in range(count)]:
                    future.result()
            seconds[name].append(time.perf_counter() - begun)
            cpu[name].append((_cpu() - used) / count)
            if name == "ours":
                memory.append((peers.settled_rss(os.getpid()) - before) / count)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for future in [pool.submit(close) for close in closing]:
                    future.result()
            closing.clear()

        config = tmp_path / "config"
        config.write_text("Host *\n    LogLevel ERROR\n")
        sides = {"ours": ours, "with ssh_config": lambda: ours(str(config)), "paramiko": bare}
        for name, one in sides.items():
            measure(name, one, AT_ONCE)  # imports, and what is made once
        for samples in (*seconds.values(), *cpu.values(), memory):
            samples.clear()
        for _ in range(rounds):
            for name, one in sides.items():
                measure(name, one, hosts)
    rates = ", ".join(f"{name} {hosts / median(seconds, name):.1f}" for name in seconds)
    report(f"{hosts} hosts that cost nothing on loopback, {AT_ONCE} at once: of bare paramiko's rate", ">= 0.95 x",
           f"{1 / ratio(seconds, 'ours', 'paramiko'):.2f} x, with an ssh_config"
           f" {1 / ratio(seconds, 'with ssh_config', 'paramiko'):.2f} x (hosts/s: {rates})")
    report(f"master's CPU a host, of {hosts}, connect and first call, with the processes it starts", "<= 8 ms",
           f"{1e3 * median(cpu, 'ours'):.1f} ms, with an ssh_config, which `ssh -G` reads for each,"
           f" {1e3 * median(cpu, 'with ssh_config'):.1f} (bare paramiko {1e3 * median(cpu, 'paramiko'):.1f})")
    # The most of all rounds: later ones use again what earlier ones have let go.
    report(f"master's memory a host, {hosts} connected", "<= 200 KiB", f"{max(memory) / 1024:.0f} KiB")


def _cpu() -> float:
    """Seconds of CPU that this process has used, and those it started that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
