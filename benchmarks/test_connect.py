"""From nothing to the first result, against what others need for less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import paramiko

import remotesvc
from benchmarks import peers
from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from benchmarks.test_bytes import MODULE
from tests.integration.ssh_servers import OpenSSHServer

ROUNDS = 9


def _line(samples: dict[str, list[float]], floor: str) -> str:
    times = ", ".join(f"{name} {median(samples, name) * 1e3:.0f}" for name in samples)
    return f"{ratio(samples, 'ours', floor):.2f} x (ms: {times})"


def test_connect_and_first_call(server: OpenSSHServer, report: Report, tmp_path: Path) -> None:
    (tmp_path / "first_bench_module.py").write_text(MODULE)
    closing: list[Any] = []  # the end of a connection is nobody's time

    with remotesvc.Router(path=[tmp_path]) as router:
        def ours() -> None:
            # What earlier rounds have told of the host's Python is not known of a host where we have never been.
            router._ssh.pythons.forget()
            again()

        def again() -> None:
            context = router.ssh(**peers.ssh_settings(server))
            assert context.call("first_bench_module:double", 21) == 42
            closing.append(context)

        def stock() -> None:
            client = paramiko.SSHClient()
            client.load_host_keys(server.known_hosts_file)
            client.connect(server.host, server.port, server.user, key_filename=server.key_file, look_for_keys=False,
                           allow_agent=False)
            _stdin, stdout, _stderr = client.exec_command(f"{sys.executable} -c pass")
            assert stdout.channel.recv_exit_status() == 0
            closing.append(client)

        def ssh_true() -> None:
            subprocess.run(["ssh", "-F", "none", "-p", str(server.port), "-l", server.user, "-i", server.key_file,
                            "-o", f"UserKnownHostsFile={server.known_hosts_file}", "-o", "IdentityAgent=none",
                            "-o", "BatchMode=yes", server.host, "true"], check=True, stdin=subprocess.DEVNULL)

        def clean() -> None:
            while closing:
                closing.pop().close()

        samples: dict[str, list[float]] = {}
        sides = {"ours": ours, "again": again, "paramiko": stock, "ssh true": ssh_true}
        for _ in range(ROUNDS):
            for name, taken in alternate(sides, 1, warm=0).items():
                samples.setdefault(name, []).extend(taken)
            clean()
    report("a function with a module of its own returns, of `ssh host true`", "<= 0.65 x", _line(samples, "ssh true"))
    report("connect and first call, of stock paramiko's connect and `python3 -c pass`", "<= 0.80 x",
           f"{ratio(samples, 'ours', 'paramiko'):.2f} x")
    report("both, on a host that the program has been to before", "",
           f"{ratio(samples, 'again', 'ssh true'):.2f} x and {ratio(samples, 'again', 'paramiko'):.2f} x")
