"""Fleets: what the engine costs over a bare loop, a second call to 200 hosts, and a thousand contexts."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from benchmarks import peers, simulated, tasks
from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from benchmarks.test_hosts import NOTHING
from benchmarks.test_throughput import CALLS, MITOGEN_CALLS, pipeline
from remotesvc.launch.connection import Connection
from remotesvc.launch.start import HOLD
from remotesvc.testing.tree import MemoryTree
from tests.integration.ssh_servers import OpenSSHServer

HOSTS, AT_ONCE = 64, 8
MANY = 200
CHUNK = 100


def fleet_of(server: OpenSSHServer, count: int, forks: int) -> remotesvc.Fleet:
    settings = peers.ssh_settings(server)
    host, port = settings.pop("host"), settings.pop("port")
    settings.pop("fresh")
    lines = "".join(f"n{number} ansible_host={host} ansible_port={port}\n" for number in range(count))
    inventory = Path(server.known_hosts_file).with_name("fleet-hosts")
    inventory.write_text(lines)
    return remotesvc.Fleet("all", inventory=inventory, forks=forks, **settings)


def timed(taken: list[float], work: Callable[[], object]) -> None:
    """Do it, and note the seconds that took."""
    begun = time.perf_counter()
    work()
    taken.append(time.perf_counter() - begun)


def test_the_engine_beside_a_bare_loop(busy: OpenSSHServer, report: Report) -> None:
    samples: dict[str, list[float]] = {"fleet": [], "loop": []}

    def by_fleet() -> None:
        with fleet_of(busy, HOSTS, AT_ONCE) as fleet:
            timed(samples["fleet"], lambda: fleet.run(os.getpid).raise_for_errors())

    def by_loop() -> None:
        with remotesvc.Router() as router, ThreadPoolExecutor(AT_ONCE) as pool:
            def one(number: int) -> int:
                context = router.ssh(**{**peers.ssh_settings(busy), "name": f"n{number}", "fresh": True})
                found: int = context.call(os.getpid)
                return found

            timed(samples["loop"], lambda: list(pool.map(one, range(HOSTS))))

    for first, second in 3 * [(by_fleet, by_loop), (by_loop, by_fleet)]:
        first()
        second()
    rates = ", ".join(f"{name} {HOSTS / median(samples, name):.1f}" for name in samples)
    report(f"{HOSTS} hosts on loopback by Fleet.run, {AT_ONCE} at once: time of a bare connect-and-call loop",
           "<= 1.05 x", f"{ratio(samples, 'fleet', 'loop'):.2f} x (hosts/s: {rates})")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("home", ["an empty home", "the home of this machine"])
def test_200_hosts_beside_peers(home: str, request: pytest.FixtureRequest, report: Report) -> None:
    """parallel-ssh calls no function: it only starts a Python."""
    server = request.getfixturevalue("bare" if home == "an empty home" else "busy")
    seconds: dict[str, list[float]] = {"ours": [], "mitogen": [], "parallel-ssh": []}

    def ours() -> None:
        with fleet_of(server, MANY, AT_ONCE) as fleet:
            timed(seconds["ours"], lambda: fleet.run(os.getpid).raise_for_errors())

    def mitogen() -> None:
        with peers.mitogen_router() as router, ThreadPoolExecutor(AT_ONCE) as pool:
            def one(number: int) -> None:
                assert peers.mitogen_ssh(router, server).call(os.getpid)

            timed(seconds["mitogen"], lambda: list(pool.map(one, range(MANY))))

    def parallel_ssh() -> None:
        timed(seconds["parallel-ssh"], lambda: peers.parallel_ssh(server, NOTHING, MANY, AT_ONCE))

    for _ in range(3 if home == "an empty home" else 1):
        for side in (ours, mitogen, parallel_ssh):
            side()
    rates = {name: MANY / median(seconds, name) for name in seconds}
    each = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    for peer in ("mitogen", "parallel-ssh"):
        report(f"{MANY} hosts on loopback with {home}, {AT_ONCE} at once: of the rate of {peer}", ">= 2 x",
               f"{rates['ours'] / rates[peer]:.2f} x (hosts/s: {each})")


def test_many_short_calls_in_chunks(server: OpenSSHServer, mitogen_router: Any, report: Report) -> None:
    theirs = peers.mitogen_ssh(mitogen_router, server)
    with fleet_of(server, 1, 1) as fleet, fleet.executor() as executor:
        def chunks() -> None:
            values = executor.map(tasks.add, range(CALLS), [1] * CALLS, chunksize=CHUNK)
            assert list(values) == list(range(1, CALLS + 1))

        def pipelined() -> None:
            pipeline(lambda number: theirs.call_async(tasks.add, number, 1),
                     lambda receiver: receiver.get().unpickle(), MITOGEN_CALLS)

        samples = alternate({"chunks": chunks, "mitogen": pipelined}, 4)
    ours, mitogen = CALLS / median(samples, "chunks"), MITOGEN_CALLS / median(samples, "mitogen")
    report(f"{CALLS:,} calls over SSH by executor().map(chunksize={CHUNK}), of Mitogen's pipelined rate", "",
           f"{ours / mitogen:.1f} x (calls/s: {ours:,.0f} beside {mitogen:,.0f})")


def test_a_second_call_to_many(busy: OpenSSHServer, report: Report) -> None:
    with fleet_of(busy, MANY, 16) as fleet:
        fleet.run(os.getpid).raise_for_errors()
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            assert len(fleet.run(os.getpid).ok) == MANY
            taken.append(time.perf_counter() - begun)
        before, begun = cpu(), time.perf_counter()
        time.sleep(10)
        idle = (cpu() - before) / (time.perf_counter() - begun) / MANY
    report(f"a second call to {MANY} hosts", "<= 100 ms", f"{1e3 * sorted(taken)[2]:.0f} ms")
    report(f"master's CPU of an idle link, {MANY} links", "<= 0.02 ms/s", f"{1e3 * idle:.3f} ms/s")


def test_scatter_gather_scales(report: Report) -> None:
    found: dict[int, float] = {}
    for count in (100, 1000):
        with MemoryTree() as tree:
            contexts = [tree.root.context(tree.add()) for _ in range(count)]
            for context in contexts:
                context.call(abs, -1)
            begun = time.perf_counter()
            futures = [context.submit(abs, -1) for context in contexts]
            assert all(future.result(60) == 1 for future in futures)
            found[count] = (time.perf_counter() - begun) / count
    report("the same with both ends of all links in one process", "",
           f"{found[1000] / found[100]:.2f} x ({1e6 * found[1000]:.0f} us a context)")


def test_scatter_gather_scales_over_simulated_targets(report: Report, tmp_path: Path) -> None:
    """Another process plays them, so that what is measured is one end of each link, as it is between machines."""
    found: dict[int, list[float]] = {}
    spent: dict[int, list[float]] = {}
    with simulated.played(tmp_path / "targets"), remotesvc.Router() as router:
        contexts = []
        for count in (100, 1000):
            while len(contexts) < count:
                path = simulated.Played(tmp_path / "targets")
                contexts.append(router._tree.adopt(Connection(path, "simulated", 60)))
                assert contexts[-1].call("os:getpid") == simulated.ANSWER
            time.sleep(2 * HOLD)  # until each has the rest of its kernel
            for _ in range(7):
                before, begun = cpu(), time.perf_counter()
                futures = [context.submit("os:getpid") for context in contexts]
                assert all(future.result(60) == simulated.ANSWER for future in futures)
                found.setdefault(count, []).append((time.perf_counter() - begun) / count)
                spent.setdefault(count, []).append((cpu() - before) / count)
    times, used = ({count: 1e6 * statistics.median(each) for count, each in all_.items()} for all_ in (found, spent))
    report("scatter-gather over 1000 contexts, of the time a context takes among 100", "linear: about 1 x",
           f"{times[1000] / times[100]:.2f} x ({times[1000]:.0f} us a context; the master's CPU: {used[100]:.0f} us "
           f"among 100, {used[1000]:.0f} among 1000)")


def cpu() -> float:
    """Seconds of CPU this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
