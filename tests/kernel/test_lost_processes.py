"""Processes that die, freeze or hold the GIL during calls."""

from __future__ import annotations

import os
import signal
import time
import types
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context
from remotesvc.bootstrap import shutdown
from tests.kernel import called, called_processes, called_waiting
from tests.kernel.contexts import LIMIT, appears, gone, hasten, until, usable
from tests.kernel.programs import start

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize(
    ("how", "says"),
    [("exit", "status 7"), ("SIGKILL", "SIGKILL"), ("SIGSEGV", "SIGSEGV"), ("SIGABRT", "SIGABRT")],
)
def test_a_process_that_dies_during_calls(context: Context, tmp_path: Path, how: str, says: str) -> None:
    other = context.submit(called_waiting.wait_cancelled, str(tmp_path / "other"))
    appears(tmp_path / "other")
    dies = context.submit(called_processes.die, how)
    assert until(dies.done) < 5
    with pytest.raises(remotesvc.Lost, match=says) as caught:
        dies.result(0)
    assert caught.value.call == "tests.kernel.called_processes:die"
    assert caught.value.host == "local"
    error = other.exception(LIMIT)
    assert isinstance(error, remotesvc.Lost)
    assert error.call == "tests.kernel.called_waiting:wait_cancelled"
    with pytest.raises(remotesvc.NotSent, match=says):
        context.call(called.add, 1, 1)
    with pytest.raises(remotesvc.NotSent, match=says):
        context.submit(called.add, 1, 1).result(0)
    with pytest.raises(remotesvc.NotSent):
        context.ping()


def test_a_segfault_in_c(context: Context) -> None:
    with pytest.raises(remotesvc.Lost, match="SIGSEGV"):
        context.call(called_processes.segfault)


def test_a_process_killed_between_calls(context: Context) -> None:
    pid = context.call(called.process)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises((remotesvc.Lost, remotesvc.NotSent), match="SIGKILL"):
        while True:
            context.call(called.add, 1, 1)


def test_a_process_that_ends_itself_with_sigterm_runs_its_exit_functions(context: Context, tmp_path: Path) -> None:
    usable(context)
    ready = "__import__('remotesvc').current().router.farewell is not None"
    until(lambda: context.call("builtins:eval", ready))  # a kernel whose second half has not come just ends
    context.call("builtins:exec", f"import atexit; atexit.register(open, {str(tmp_path / 'left')!r}, 'w')")
    os.kill(context.info["pid"], signal.SIGTERM)
    appears(tmp_path / "left")
    gone(context.info["pid"])


def test_exit_functions_have_their_time_also_where_the_process_is_starved(monkeypatch: pytest.MonkeyPatch) -> None:
    class Starved:
        """What tells that they have run; nobody runs while it is waited for the first time."""

        waits = 0

        def wait(self, seconds: float) -> bool:
            self.waits += 1
            time.sleep(shutdown.GRACE if self.waits == 1 else 0)
            return self.waits == 2

    monkeypatch.setattr(os, "getpgrp", lambda: 0)  # this process is to end nobody
    left = Starved()
    dispatcher = types.SimpleNamespace(stop=lambda: None)
    shutdown.leave(types.SimpleNamespace(forked=True, dispatcher=dispatcher, left=left), "the end")
    assert left.waits == 2


def test_a_stopped_process_is_lost_after_silence(context: Context) -> None:
    pid = context.call(called.process)
    hasten(context, 0.5, 2.0, 2.0)
    link = context.tree.router.links[context.id]
    os.kill(pid, signal.SIGSTOP)
    future = context.submit(called.add, 1, 1)
    assert until(future.done) < 10
    assert time.monotonic() - link.heard >= 2.0
    with pytest.raises(remotesvc.Lost, match="nothing was heard"):
        future.result(0)
    gone(pid)


def test_a_process_that_was_stopped_for_a_while_is_not_lost(context: Context) -> None:
    pid = context.call(called.process)
    os.kill(pid, signal.SIGSTOP)
    future = context.submit(called.add, 1, 1)
    with pytest.raises(TimeoutError):
        future.result(2)
    os.kill(pid, signal.SIGCONT)
    assert future.result(LIMIT) == 2


def test_code_that_holds_the_gil_gets_more_time(context: Context, tmp_path: Path) -> None:
    """Shortened: silence of 2 s is a loss where nothing runs, and none where a call does."""
    usable(context)
    hasten(context, 0.5, 2.0, 30.0)
    assert context.call(called_processes.hold_gil, str(tmp_path / "begun"), 5) == 5
    usable(context)


@pytest.mark.slow
def test_a_call_that_holds_the_gil_for_25_seconds_is_not_lost(context: Context, tmp_path: Path) -> None:
    future = context.submit(called_processes.hold_gil, str(tmp_path / "begun"), 25)
    assert future.result(60) == 25
    usable(context)


def test_the_master_stopped_for_a_while_blames_nobody(tmp_path: Path) -> None:
    """A program that was stopped for longer than its limits finds its contexts alive."""
    script = start(
        tmp_path,
        """
        context = router.local()
        context.call("os:getpid")
        link = context.tree.router.links[context.id]
        link.ping_after, link.lost_after, link.busy_lost_after = 0.5, 2.0, 2.0
        say(os.getpid())
        sys.stdin.readline()
        looked = threading.Event()
        router.kernel.timers.after(0, looked.set)
        looked.wait()  # whoever blames has done so; from now on a busy machine may take its time
        link.lost_after = link.busy_lost_after = 60.0
        say(context.call("operator:add", 1, 1))
        """,
    )
    with script:
        pid = int(script.line())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(4)  # what is tested is that time passes
        os.kill(pid, signal.SIGCONT)
        script.tell("go")
        assert script.line() == "2"
        assert script.process.wait(LIMIT) == 0, script.errors()


def test_a_program_that_closes_all_descriptors_loses_its_contexts_and_hears_no_more_of_that(tmp_path: Path) -> None:
    """Threads ended with tracebacks of their own, and so did the close of the router."""
    script = start(tmp_path, """
    context = router.local()
    context.call("os:getpid")
    os.closerange(3, 256)
    try:
        context.options(timeout=20).call("os:getpid")
    except remotesvc.Lost:
        say("lost")
    router.close()
    say("closed")
    """)
    with script:
        assert (script.line(), script.line()) == ("lost", "closed")
        assert script.process.wait(LIMIT) == 0
        assert script.errors() == ""


def test_a_context_goes_on_where_the_master_can_start_no_more_threads(tmp_path: Path) -> None:
    """A printed line, or a question for a module, lost it: what was to take them could not be started."""
    script = start(tmp_path, """
    context = router.local()
    context.call("os:getpid")

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    begin, threading.Thread.start = threading.Thread.start, refuse
    patient = context.options(timeout=20)
    patient.call("builtins:print", "printed")
    asking = patient.submit(called_processes.kernels_started)
    say(patient.call("operator:add", 1, 1))
    try:
        router.local()
    except remotesvc.BootstrapError as error:
        say("ulimit -u" in error.hint)
    threading.Thread.start = begin
    say(asking.result(20) is not None)
    router.close()
    """)
    with script:
        assert [script.line() for _ in range(3)] == ["2", "True", "True"]
        assert "printed" in script.errors()
