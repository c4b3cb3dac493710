"""Forks of the master, and programs that end with calls under way."""

from __future__ import annotations

import ast
import os
import signal
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.kernel import called
from tests.kernel.contexts import LIMIT, PROMISED, alive, end, gone, until, usable
from tests.kernel.forking import in_fork
from tests.kernel.programs import start

pytest_plugins = ("tests.kernel.call_fixtures",)

# -- forks


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_router_used_after_fork(router: Router, context: Context) -> None:
    usable(context)

    def use() -> str:
        said = []
        for function in (
            lambda: context.call(called.add, 1, 1),
            lambda: context.submit(called.add, 1, 1),
            lambda: context.cast(called.add, 1, 1),
            lambda: context.ping(),
            lambda: router.local(),
        ):
            try:
                function()
            except remotesvc.ForkedError as error:
                said.append(str(error))
            except BaseException as error:
                said.append(repr(error))
        return "\n".join(said)

    said = ast.literal_eval(in_fork(use, 20)).split("\n")
    assert len(said) == 5
    assert all(f"process {os.getpid()}" in line for line in said), said
    usable(context)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_closing_in_a_fork_harms_nobody(router: Router, context: Context) -> None:
    pid = context.call(called.process)

    def close() -> str:
        context.close()
        router.close()
        return "closed"

    assert in_fork(close, 20) == repr("closed")
    usable(context)
    assert context.call(called.process) == pid


# -- programs that end


def test_an_unclosed_router_at_exit(tmp_path: Path) -> None:
    with start(
        tmp_path,
        """
        context = router.local()
        below = router.local(via=context)
        say(context.call(called.process), below.call(called.process))
        future = context.submit(called_waiting.wait_for_file, "begun", "never")
        items = context.call(called.count, 10**9)
        next(items)
        """,
    ) as script:
        pids = [int(word) for word in script.line().split()]
        assert script.process.wait(LIMIT) == 0, script.errors()
        for pid in pids:
            gone(pid, PROMISED + 3)
        assert script.errors() == ""


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise ValueError('mine')", "os._exit(3)"])
def test_a_program_that_ends_with_calls_under_way(tmp_path: Path, ending: str) -> None:
    with start(
        tmp_path,
        f"""
        context = router.local()
        say(context.call(called.process))
        for _ in range(20):
            context.submit(called_waiting.wait_for_file, "begun", "never")
        {ending}
        """,
    ) as script:
        pid = int(script.line())
        assert script.process.wait(LIMIT) in (1, 3)
        gone(pid, PROMISED + 3)
        assert "internal error" not in script.errors()
        assert "Fatal" not in script.errors()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_master_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """Kernels and what they started are gone in time; a daemon made on purpose and the user's own pipeline live."""
    with start(
        tmp_path,
        """
        pipeline = subprocess.Popen(["sleep", "300"])
        context = router.local()
        below = router.local(via=context)
        apart = context.options(isolation="process").submit(called_processes.spawn_and_wait, "apart")
        called_waiting.wait_exists("apart")
        started = [context.call(called_processes.spawn_sleep), below.call(called_processes.spawn_sleep)]
        started += map(int, open("apart").read().split())
        stubborn = context.call("builtins:eval", "__import__('subprocess').Popen("
            "['sh', '-c', 'trap \\"\\" TERM HUP INT; while :; do sleep 1; done']).pid")
        kernels = [context.call(called.process), below.call(called.process)]
        daemon = context.call(called_processes.spawn_sleep, True)
        context.submit(called_waiting.wait_for_file, "begun", "never")
        called_waiting.wait_exists("begun")
        say(os.getpid(), pipeline.pid, daemon, stubborn, *kernels, *started)
        sys.stdin.readline()
        """,
    ) as script:
        master, pipeline, daemon, *others = (int(word) for word in script.line().split())
        try:
            assert all(alive(pid) for pid in others)
            os.kill(master, number)
            took = until(lambda: not any(map(alive, others)), 10, "all of them have ended")
            # The end of the program itself is not in the promise where it is asked to end in good order.
            assert number != signal.SIGKILL or took < PROMISED + 0.5
            script.process.wait(LIMIT)
            assert alive(daemon)
            assert alive(pipeline)
        finally:
            end(daemon)
            end(pipeline)
