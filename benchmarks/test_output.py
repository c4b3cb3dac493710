"""What a target prints, as the command shows it, beside what `ssh` shows: many bytes in short lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from tests.integration.ssh_servers import OpenSSHServer

FLOOD = "yes | head -c 20000000"
BYTES = 20_000_000


def reading(*words: str) -> Callable[[], None]:
    """Runs a command and counts what it writes to stdout."""

    def run() -> None:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            got = 0
            while block := os.read(process.stdout.fileno(), 1 << 16):
                got += len(block)
        assert (process.returncode, got) == (0, BYTES)

    return run


def test_ten_million_lines(server: OpenSSHServer, report: Report) -> None:
    there = ["-F", "none", "-o", f"UserKnownHostsFile={server.known_hosts_file}", "-o", "IdentityAgent=none"]
    host = f"{server.user}@{server.host}:{server.port}"
    ours = [sys.executable, "-m", "remotesvc", "exec", host, "--private-key", server.key_file,
            "--python", sys.executable, *there, "--", FLOOD]
    samples = alternate({
        "ours": reading(*ours),
        "ssh": reading("ssh", "-p", str(server.port), "-l", server.user, "-i", server.key_file, *there,
                       "-o", "BatchMode=yes", server.host, FLOOD),
    }, 5)
    report("`remotesvc exec host 'yes | head -c 20000000'`, ten million lines, of ssh's time", "",
           f"{ratio(samples, 'ours', 'ssh'):.2f} x (s: ours {median(samples, 'ours'):.2f}, "
           f"ssh {median(samples, 'ssh'):.2f})")
