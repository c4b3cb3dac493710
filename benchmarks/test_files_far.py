"""A large file over round trips of 100 ms, beside a raw channel over the same line."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import remotesvc
from benchmarks import peers
from benchmarks.conftest import Report
from benchmarks.rawfiles import raw_down, raw_up
from benchmarks.rounds import alternate, median, ratio
from tests.faults import network

MIB = 1 << 20
SIZE = 64 * MIB


def test_large_files_at_100_ms(report: Report, tmp_path: Path) -> None:
    reason = network.missing(tun=True)
    if reason:
        pytest.skip(f"no far host: {reason}")
    source = tmp_path / "large"
    source.write_bytes(random.Random(1).randbytes(SIZE))
    with network.remote_host(tmp_path / "far", 0.05) as far, remotesvc.Router() as router:
        context = far.connect(router)
        context.push(b"x", tmp_path / "first")
        server: Any = SimpleNamespace(host=far.address, port=22, user="root", key_file=far.key_file)
        with peers.transport(server) as connection:
            samples = alternate({
                "raw up": lambda: raw_up(connection, SIZE),
                "push": lambda: context.push(source, tmp_path / "up", durable=False),
                "raw down": lambda: raw_down(connection, SIZE),
                "pull": lambda: context.pull(source, tmp_path / "down", durable=False),
            }, 3)
    rates = {name: SIZE / MIB / median(samples, name) for name in samples}
    for name, raw in (("push", "raw up"), ("pull", "raw down")):
        report(f"{name} of 64 MiB at 100 ms round trips, of a raw channel's rate", ">= 0.8 x",
               f"{ratio(samples, raw, name):.2f} x ({rates[name]:.1f} and {rates[raw]:.1f} MiB/s)")
