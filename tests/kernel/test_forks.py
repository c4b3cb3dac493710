"""A fork of the master has copies of its descriptors: they must keep nothing alive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from remotesvc.ssh.paths.socket import TunedSocket
from tests.kernel.contexts import appears, end, gone
from tests.zones import ROOT

MASTER = """
import os, signal, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from remotesvc import Router
context = Router().local()
kernel = context.call("os:getpid")
fork = os.fork()
if not fork:
    time.sleep(300)
    os._exit(0)
with open(sys.argv[1] + "~", "w") as file:
    file.write("%d %d" % (kernel, fork))
os.rename(sys.argv[1] + "~", sys.argv[1])
signal.pause()
"""


def test_a_kernel_ends_with_its_master_although_a_fork_of_that_lives_on(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", MASTER, str(pids)], cwd=ROOT) as master:
        try:
            appears(pids)
        finally:
            master.kill()
    kernel, fork = map(int, pids.read_text().split())
    try:
        assert gone(kernel) < 20, "its lease, not the end of its input, has ended it"
    finally:
        end(fork)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_connection_ends_with_its_master_although_a_fork_of_that_lives_on() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, TunedSocket() as ours:
        ours.connect(server.getsockname())
        ours.tune()
        theirs = server.accept()[0]
        go_read, go_write = os.pipe()
        fork = os.fork()
        if not fork:
            os.read(go_read, 1)
            os._exit(0)
        try:
            theirs.settimeout(20)
            os.close(ours.detach())
            assert theirs.recv(1) == b""
        finally:
            os.write(go_write, b"x")
            os.waitpid(fork, 0)
            theirs.close()
        os.close(go_read)
        os.close(go_write)
