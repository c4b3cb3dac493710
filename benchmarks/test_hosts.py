"""Many hosts, far hosts, and the command line: what connecting costs where it is done often."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

import remotesvc
from benchmarks import peers
from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from benchmarks.test_bytes import MODULE
from remotesvc.ssh.paths.channel import ParamikoPath
from tests.faults import network
from tests.integration.ssh_servers import OpenSSHServer

ROOT = str(Path(__file__).parents[1])
HOSTS, AT_ONCE = 64, 8
NOTHING = f"exec {sys.executable} -I -S -c pass"


def test_64_hosts(busy: OpenSSHServer, report: Report) -> None:
    closing: list[Callable[[], object]] = []  # ends are nobody's time

    def all_of(one: Callable[[], object]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for future in [pool.submit(one) for _ in range(HOSTS)]:
                future.result()

    with remotesvc.Router() as router, peers.mitogen_router() as other:
        def ours() -> None:
            context = router.ssh(**peers.ssh_settings(busy))
            assert isinstance(context.call("os:getpid"), int)
            closing.append(context.close)

        def bare() -> None:
            stack = peers.transport(busy)
            connection = stack.__enter__()
            channel = connection.open_session()
            channel.exec_command(NOTHING)
            assert channel.recv_exit_status() == 0
            closing.append(lambda: stack.__exit__(None, None, None))

        def mitogen() -> None:
            context = peers.mitogen_ssh(other, busy)
            assert context.call(os.getpid)
            closing.append(lambda: context.shutdown(wait=True))

        def clean() -> None:
            while closing:
                closing.pop()()

        samples: dict[str, list[float]] = {}
        for _ in range(3):
            for name, one in {"ours": ours, "paramiko": bare, "mitogen": mitogen}.items():
                taken = alternate({name: lambda one=one: all_of(one)}, 1, warm=0)  # type: ignore[misc]
                samples.setdefault(name, []).extend(taken[name])
                clean()
    rates = ", ".join(f"{name} {HOSTS / median(samples, name):.1f}" for name in samples)
    report(f"{HOSTS} hosts on loopback, {AT_ONCE} at once: rate of bare paramiko that waits for `python -c pass`",
           ">= 0.75 x", f"{1 / ratio(samples, 'ours', 'paramiko'):.2f} x (hosts/s: {rates})")


def test_flights(server: OpenSSHServer, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    flights: list[str] = []

    def counted(owner: Any, name: str, word: str) -> None:
        original = getattr(owner, name)

        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            if not (word == "write" and not arguments[1]):
                flights.append(word)
            return original(*arguments, **keywords)

        monkeypatch.setattr(owner, name, wrapper)

    counted(paramiko.Transport, "open_session", "open")
    counted(paramiko.Channel, "exec_command", "exec")
    counted(ParamikoPath, "write", "write")
    with remotesvc.Router() as router:
        future = router.ssh(**peers.ssh_settings(server)).submit("os:getpid")
        before = list(flights)
        assert future.result(30)
    # Writes that follow one another without a look at what came back are one flight.
    apart = [word for word, next_one in zip(before, [*before[1:], ""], strict=True) if word != next_one]
    report("flights from authenticated to the first result", "3", f"{len(apart)} ({', '.join(apart)})")


def test_connect_at_100_ms(report: Report, tmp_path: Path) -> None:
    reason = network.missing(tun=True)
    if reason:
        pytest.skip(f"no far host: {reason}")
    with network.remote_host(tmp_path, 0.05) as far, remotesvc.Router() as router:
        closing: list[Any] = []

        def ours() -> None:
            context = far.connect(router, fresh=True)
            assert isinstance(context.call("os:getpid"), int)
            closing.append(context)

        def stock() -> None:
            client = paramiko.SSHClient()
            client.load_host_keys(str(far.known_hosts))
            client.connect(far.address, 22, "root", key_filename=far.key_file, look_for_keys=False, allow_agent=False)
            _stdin, stdout, _stderr = client.exec_command(f"{sys.executable} -c pass")
            assert stdout.channel.recv_exit_status() == 0
            closing.append(client)

        def ssh_true() -> None:
            subprocess.run(["ssh", "-F", "none", "-l", "root", "-i", far.key_file, "-o", "BatchMode=yes",
                            "-o", f"UserKnownHostsFile={far.known_hosts}", "-o", "IdentityAgent=none", far.address,
                            "true"], check=True, stdin=subprocess.DEVNULL)

        samples: dict[str, list[float]] = {}
        for _ in range(5):
            sides = {"ours": ours, "paramiko": stock, "ssh true": ssh_true}
            for name, taken in alternate(sides, 1, warm=0).items():
                samples.setdefault(name, []).extend(taken)
            while closing:
                closing.pop().close()
    times = ", ".join(f"{name} {median(samples, name) * 1e3:.0f}" for name in samples)
    report("connect and first call at 100 ms round trips, of `ssh host true`", "<= 0.90 x",
           f"{ratio(samples, 'ours', 'ssh true'):.2f} x (ms: {times})")
    report("connect and first call at 100 ms round trips, of stock paramiko's and `python3 -c pass`", "<= 0.95 x",
           f"{ratio(samples, 'ours', 'paramiko'):.2f} x")


def test_command_line(report: Report) -> None:
    def command(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-m", "remotesvc", *words], check=True, capture_output=True)

    samples = alternate({"help": command("--help"), "local": command("run", "local:", "platform:node"),
                         "python": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)}, 9)
    bare = f"{median(samples, 'python') * 1e3:.0f} ms of them `python -c pass`"
    report("`remotesvc --help`", "<= 150 ms", f"{median(samples, 'help') * 1e3:.0f} ms, {bare}")
    report("`remotesvc run local: platform:node`", "<= 350 ms", f"{median(samples, 'local') * 1e3:.0f} ms")


def test_command_line_over_ssh(server: OpenSSHServer, report: Report, tmp_path: Path) -> None:
    (tmp_path / "first_bench_module.py").write_text(MODULE)
    there = ["-F", "none", "-o", f"UserKnownHostsFile={server.known_hosts_file}", "-o", "IdentityAgent=none"]
    kept = tmp_path / "cache"

    def ours() -> None:
        command = [sys.executable, "-m", "remotesvc", "run", f"{server.user}@{server.host}:{server.port}",
                   "first_bench_module:double", "21", "--private-key", server.key_file, "--python", sys.executable,
                   *there]
        done = subprocess.run(command, check=True, capture_output=True, cwd=tmp_path,
                              env={**os.environ, "PYTHONPATH": ROOT, "XDG_CACHE_HOME": str(kept)})
        assert done.stdout == b"2121\n"

    def new() -> None:
        shutil.rmtree(kept, ignore_errors=True)
        ours()

    def ssh_true() -> None:
        subprocess.run(["ssh", "-p", str(server.port), "-l", server.user, "-i", server.key_file, *there,
                        "-o", "BatchMode=yes", server.host, "true"], check=True, stdin=subprocess.DEVNULL)

    samples = alternate({"new": new, "ours": ours, "ssh": ssh_true}, 9)
    report("from a shell: `remotesvc run host module:function`, of `ssh host true`", "<= 1.6 x",
           f"{ratio(samples, 'new', 'ssh'):.2f} x, {ratio(samples, 'ours', 'ssh'):.2f} x where it has been before "
           f"({', '.join(f'{name} {median(samples, name) * 1e3:.0f} ms' for name in samples)})")
