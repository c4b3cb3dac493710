"""Bytes on the wire before the first result, counted where they enter the SSH channel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import paramiko
import pytest

import remotesvc
from benchmarks import peers
from benchmarks.conftest import Report
from remotesvc.bootstrap.links import wire
from remotesvc.ssh.paths.channel import ParamikoPath
from tests.integration.ssh_servers import OpenSSHServer

MAX_BYTES = 32 * 1024
MODULE = '''\
"""A module of the user's, as small ones are."""


def double(value):
    """Twice the value."""
    return value * 2
'''


class Count:
    """Bytes sent to the target so far: `rest` is the part of the kernel that no first call needs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = self.rest = 0
        write, exec_command = ParamikoPath.write, paramiko.Channel.exec_command

        def counted_write(path: ParamikoPath, buffers: Sequence[bytes]) -> None:
            for buffer in buffers:
                self.sent += len(buffer)
                if bytes(buffer[:3]) == wire.MAGIC.to_bytes(2, "big") + bytes([wire.KERNEL]):
                    self.rest += wire.SIZE + wire.HEADER.unpack_from(buffer)[-1]
            write(path, buffers)

        def counted_exec(channel: paramiko.Channel, command: str) -> None:
            self.sent += len(command)
            exec_command(channel, command)

        monkeypatch.setattr(ParamikoPath, "write", counted_write)
        monkeypatch.setattr(paramiko.Channel, "exec_command", counted_exec)

    def wait_for_the_rest(self) -> None:
        """It is on its way as soon as HELLO has come, which may be after the first answer."""
        end = time.monotonic() + 30
        while not self.rest or self.sent < self.rest:
            assert time.monotonic() < end
            time.sleep(0.01)

    def __str__(self) -> str:
        return f"{(self.sent - self.rest) / 1024:.1f} KiB, and {self.rest / 1024:.1f} KiB that follow the answer HELLO"


def test_bytes_before_the_first_result(server: OpenSSHServer, router: remotesvc.Router, report: Report,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    count = Count(monkeypatch)
    context = router.ssh(**peers.ssh_settings(server))
    assert isinstance(context.call("os:getpid"), int)
    count.wait_for_the_rest()
    report("bytes before the first result of os:getpid", "<= 32 KiB", str(count))
    assert 0 < count.sent - count.rest <= MAX_BYTES


def test_bytes_before_the_first_result_of_a_module(server: OpenSSHServer, report: Report, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small_bench_module.py").write_text(MODULE)
    count = Count(monkeypatch)
    with remotesvc.Router(path=[tmp_path]) as router:
        context = router.ssh(**peers.ssh_settings(server))
        assert context.call("small_bench_module:double", 21) == 42
        count.wait_for_the_rest()
    report("the same of a small module of one's own", "", str(count))
