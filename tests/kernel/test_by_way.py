"""Contexts that another context starts: one that is given up leaves no process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, Router
from remotesvc.calling.invocation import Invocation
from tests.kernel import called_processes, programs
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import gone, until

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
    take = Invocation.result

    def interrupted(call: Any) -> Any:
        take(call)
        raise KeyboardInterrupt

    monkeypatch.setattr(Invocation, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        router.local(via=context)
    monkeypatch.undo()
    nobody_is_left(context)


def test_a_start_of_ours_that_is_interrupted_leaves_no_process(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Becoming another user waits here, too."""
    def interrupted(context: Context) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Context, "wait_ready", interrupted)
    started = router.local()
    pid = started.tree.start_of(started.id).path.pid
    monkeypatch.setattr("remotesvc.launch.become.open_become", lambda tree, options: started)
    with pytest.raises(KeyboardInterrupt):
        router.sudo()
    gone(pid)
