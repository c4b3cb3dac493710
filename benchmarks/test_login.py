"""Logging in with a key file, key exchange included, against stock paramiko."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paramiko
import pytest

from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from remotesvc import ssh
from tests.integration.ssh_servers import make_key, openssh_server

ROUNDS = 9


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_login_with_a_key_file(kind: str, report: Report, tmp_path: Path) -> None:
    closing: list[Any] = []  # the end of a connection is nobody's time
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        (tmp_path / "authorized_keys").write_text(make_key(key, kind) + "\n")

        def ours() -> None:
            closing.append(ssh.open(server.options(key_filename=key), lambda peer: "true"))

        def stock() -> None:
            client = paramiko.SSHClient()
            client.load_host_keys(server.known_hosts_file)
            client.connect(server.host, server.port, server.user, key_filename=str(key), look_for_keys=False,
                           allow_agent=False)
            client.exec_command("true")
            closing.append(client)

        samples: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, taken in alternate({"ours": ours, "paramiko": stock}, 1, warm=0).items():
                samples.setdefault(name, []).extend(taken)
            while closing:
                closing.pop().close()
    times = ", ".join(f"{name} {median(samples, name) * 1e3:.0f}" for name in samples)
    report(f"a program started over SSH with an {kind} key file, of stock paramiko", "",
           f"{ratio(samples, 'ours', 'paramiko'):.2f} x (ms: {times})")
