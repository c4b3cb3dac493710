"""Contexts that another context starts: one that is given up leaves no process, and a busy one starts them at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.calling.invocation import Invocation
from remotesvc.launch import by_way
from tests.kernel import called, called_processes, called_waiting, programs
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT, appears, gone, until

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.bootstrap_fixtures")


def nobody_is_left(context: Context) -> None:
    until(lambda: not context.call(called_processes.children), what="no process is left")


def test_starts_that_a_signal_interrupts_leave_no_process(tmp_path: Path) -> None:
    script = programs.start(tmp_path, """
    import random

    class Stopped(BaseException):
        pass

    def stop(*_):
        raise Stopped

    signal.signal(signal.SIGALRM, stop)
    context = router.local()
    begun = time.monotonic()
    router.local(via=context).close()
    usual = time.monotonic() - begun
    moments = random.Random(1)
    for _ in range(40):
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.001, usual))
        try:
            started = router.local(via=context)
            signal.setitimer(signal.ITIMER_REAL, 0)
            started.close()
        except Stopped:
            pass
    until = time.monotonic() + 30
    while context.call(called_processes.children) and time.monotonic() < until:
        time.sleep(0.1)
    say(len(context.call(called_processes.children)), "are left")
    router.close()
    """)
    with script:
        assert script.line() == "0 are left"


def test_a_start_that_is_given_up_ends_at_once(tmp_path: Path, fake: Fake) -> None:
    """Whoever asked for it does not wait any more, so neither does what it has started."""
    script = programs.start(tmp_path, f"""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    context = router.local()
    threading.Thread(target=lambda: (called_waiting.wait_exists({str(tmp_path / "slow")!r}),
                                     os.kill(os.getpid(), signal.SIGALRM))).start()
    try:
        router.local({fake(f'echo $$ >{tmp_path}/slow; exec sleep 60')!r}, via=context)
    except KeyboardInterrupt:
        say("interrupted")
    sys.stdin.readline()
    router.close()
    """)
    with script:
        assert script.line() == "interrupted"
        until(lambda: (tmp_path / "slow").read_text())
        gone(int((tmp_path / "slow").read_text()))
        script.tell("close")


def test_a_start_whose_answer_nobody_takes_is_undone(
    router: Router, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(call: Any) -> Any:
        Invocation.result(call)
        raise KeyboardInterrupt

    monkeypatch.setattr(by_way._Beside, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        router.local(via=context)
    nobody_is_left(context)


def test_a_start_of_ours_that_is_interrupted_leaves_no_process(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Becoming another user waits here, too."""
    def interrupted(context: Context) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Context, "wait_ready", interrupted)
    started = router.local()
    pid = started.tree.ledger.start_of(started.id).path.pid
    monkeypatch.setattr("remotesvc.launch.become.open_become", lambda tree, options: started)
    with pytest.raises(KeyboardInterrupt):
        router.sudo()
    gone(pid)


def test_a_context_is_started_while_as_many_calls_run_as_may(router: Router, tmp_path: Path) -> None:
    context = router.local(concurrency=1)
    busy = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    waits = context.submit(called.add, 1, 1)
    assert router.local(via=context).call(called.add, 1, 2) == 3
    assert not waits.done() and not busy.done()
    busy.cancel()
    assert waits.result(LIMIT) == 2


def test_a_context_that_says_nothing_starts_none_in_time(
    router: Router, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_way, "PATIENCE", 0.5)
    pid = context.call(called.process)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(remotesvc.ConnectTimeout, match=r"local has said nothing of it within the 0\.5 s") as caught:
        router.local(via=context, name="below", connect_timeout=0.5)
    assert (caught.value.host, caught.value.stage) == ("below", "exec") and caught.value.hint
    assert caught.value.phases["exec"] >= 0.9
    os.kill(pid, signal.SIGCONT)
    nobody_is_left(context)
