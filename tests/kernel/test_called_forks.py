"""Forks that called code makes: they are no contexts, take nothing that is meant for one, and hide no context's end."""

from __future__ import annotations

import re
import signal

import pytest

from remotesvc import Context, Lost, Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_processes
from tests.kernel.contexts import LIMIT, Heard, alive, end, until, usable

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("thread", ["any", "main"])
def test_a_fork_that_comes_back_from_the_call_ends_there(
    interpreter: Interpreter, router: Router, heard: Heard, thread: str
) -> None:
    """The one that called goes on, and gets every later call; the fork's status is that of a program."""
    context = router.local(interpreter.path).options(timeout=LIMIT, thread=thread)
    context.call("os:getpid")
    assert context.call(called_processes.fork_that, "return") == 0
    assert context.call(called_processes.fork_that, "raise") == 1
    heard.wait_until(lambda: "ValueError: in the fork" in heard.text("stderr"))
    assert re.search(r"Traceback.*in fork_that\n", heard.text("stderr"), re.S)
    assert context.call(called_processes.fork_that, "exit") == 5
    assert context.call(called_processes.fork_that, "exit with a word") == 1
    heard.wait_until(lambda: "a last word\n" in heard.text("stderr"))
    assert [context.call(called.add, number) for number in range(200)] == list(range(200))


def test_a_fork_ends_by_a_signal_as_any_process_does(
    interpreter: Interpreter, router: Router, heard: Heard
) -> None:
    """As a pool of multiprocessing ends its own. What our process does when it is told to end is not the fork's."""
    context = router.local(interpreter.path).options(timeout=LIMIT, thread="main")
    assert context.call(called_processes.fork_that_is_terminated, False) == -signal.SIGTERM
    assert context.call(called_processes.fork_that_is_terminated, True) == 7
    usable(context)
    assert "terminated" not in heard.text("stderr")


def test_the_very_first_call_may_fork(router: Router) -> None:
    """Before the rest of the kernel is there."""
    assert router.local().options(timeout=LIMIT).call(called_processes.fork_that, "return") == 0


def test_a_fork_before_the_rest_of_the_kernel_is_there_ends_by_a_signal(
    interpreter: Interpreter, router: Router
) -> None:
    """On Python 3.6 it kept our link, and our handler."""
    code = """if 1:
        import os, time
        reading, writing = os.pipe()
        fork = os.fork()
        if not fork:
            os.write(writing, b'.')
            time.sleep(60)
        os.read(reading, 1)
        os.kill(fork, 15)
        assert os.waitpid(fork, 0)[1] == 15"""
    router.local(interpreter.path).options(timeout=LIMIT).call("builtins:exec", code)


def test_a_fork_in_a_generator_ends_with_it(context: Context) -> None:
    items = context.options(timeout=LIMIT).call(called_processes.fork_between_items)
    assert list(items) == ["before", 0]
    usable(context)


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize(("how", "says"), [("exit", "status 7"), ("SIGKILL", "SIGKILL")])
def test_the_end_of_a_context_is_heard_of_although_a_fork_of_it_lives_on(
    router: Router, hops: int, how: str, says: str
) -> None:
    context = router.local(via=router.local()) if hops == 2 else router.local()
    usable(context)
    fork = context.call(called_processes.leave_a_fork)
    dies = context.submit(called_processes.die, how)
    try:
        # Silence is noticed after 20 s, and the fork lives for longer.
        assert until(dies.done) < 10
        with pytest.raises(Lost, match=says):
            dies.result(0)
        assert alive(fork)
    finally:
        end(fork)
