"""A fork of the master has copies of its descriptors, which must keep nothing alive; and nothing comes to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Channel, Context, Fleet, Latch, Receiver, Router, Select
from remotesvc.service import Pool
from remotesvc.ssh.paths.socket import TunedSocket
from tests.kernel import called, called_processes, called_waiting
from tests.kernel.contexts import LIMIT, appears, end, gone
from tests.kernel.forking import in_fork
from tests.zones import ROOT

pytest_plugins = ("tests.kernel.call_fixtures",)

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


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_fork_nothing_waits_for_what_comes_to_the_process_it_is_a_copy_of(
    router: Router, context: Context, tmp_path: Path
) -> None:
    items = context.call(called_waiting.one_and_wait, str(tmp_path / "begun"), str(tmp_path / "end"))
    assert next(items) == 1
    done, future = context.submit(called.add, 1, 1), context.submit(called.nap, 60)
    assert done.result(LIMIT) == 2
    receiver, channel, latch = Receiver(router), Channel(router, peer=context), Latch()
    sender = receiver.sender()
    select, of_futures = Select([receiver, Select([Latch()])]), Select([future])
    with Pool(router) as pool:
        for act in (
            lambda: next(items), future.result, future.exception, future.cancel, receiver.get, channel.get,
            lambda: channel.send(1), select.get, of_futures.get, lambda: Receiver(router).get(),
            lambda: pool.defer(print),
        ):  # fmt: skip
            assert in_fork(act) == "ForkedError", act
        latch.put("here")
        for act, outcome in ((done.result, "2"), (done.cancel, "False"), (latch.get, "'here'"), (sender.close, "None"),
                             (receiver.close, "None"), (context.close, "None"), (router.close, "None")):
            assert in_fork(act) == outcome
    assert future.cancel()
    items.close()
    (tmp_path / "end").touch()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_fork_nothing_waits_for_tasks_of_an_executor() -> None:
    with Fleet("local:") as fleet, fleet.executor() as executor:
        future = executor.submit(called.nap, 60)
        assert in_fork(future.result) == in_fork(future.cancel) == "ForkedError"
        future.kill()


def leave(executor: Any) -> None:
    """End a fork as `sys.exit()` does."""
    with executor:
        raise SystemExit


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_leaves_the_block_of_an_executor_as_it_wants() -> None:
    with Fleet("local:") as fleet, fleet.executor(slots=1) as executor:
        futures = [executor.submit(called.nap, 60) for _ in range(2)]
        assert in_fork(lambda: leave(executor)) == "SystemExit"
        assert not any(future.done() for future in futures)
        for future in futures:
            future.kill()


def test_in_a_fork_that_called_code_makes_nothing_waits_either(context: Context) -> None:
    assert context.call(called_processes.waits_in_fork, 20) == ["ForkedError"] * 4
