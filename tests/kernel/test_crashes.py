"""What a process said as it died is part of the error that its calls end with."""

from __future__ import annotations

import pickle
import shlex
import sys
from pathlib import Path

import pytest

from remotesvc import Context, Lost, NotSent, Router
from tests.interpreters import Interpreter
from tests.kernel import called, called_processes, called_waiting
from tests.kernel.contexts import LIMIT, appears
from tests.scripts import shell_script

pytest_plugins = ("tests.kernel.call_fixtures",)

ABORTED = "Fatal Python error: Aborted"


def test_a_crash_says_where_in_every_interpreter(interpreter: Interpreter, router: Router, tmp_path: Path) -> None:
    context = router.local(interpreter.path, name="web1")
    other = context.submit(called_waiting.wait_cancelled, str(tmp_path / "other"))
    appears(tmp_path / "other")
    with pytest.raises(Lost, match="web1: the process was killed by SIGABRT") as caught:
        context.call(called_processes.abort)
    for error in (caught.value, other.exception(LIMIT), pickle.loads(pickle.dumps(caught.value))):
        assert isinstance(error, Lost)
        assert error.diagnostics.startswith(ABORTED)
        assert "in abort\n" in error.diagnostics and called.__name__.replace(".", "/") in error.diagnostics
        assert ABORTED in str(error) and ABORTED not in error.message
    with pytest.raises(NotSent, match="gone since .* SIGABRT"):
        context.call(called.add, 1, 1)


def test_the_very_first_call_may_crash(router: Router) -> None:
    """Before the rest of the kernel, and its capture of what is printed, are there."""
    with pytest.raises(Lost) as caught:
        router.local().call("os:abort")
    assert caught.value.diagnostics.startswith(ABORTED)


def test_a_crash_in_a_process_of_its_own_says_where_too(context: Context) -> None:
    """The error comes from the context that started it, as data."""
    with pytest.raises(Lost, match="SIGABRT") as caught:
        context.options(isolation="process").call(called_processes.abort)
    assert caught.value.diagnostics.startswith(ABORTED) and "in abort\n" in caught.value.diagnostics
    assert context.call(called.add, 1, 1) == 2


def test_what_a_process_said_before_it_was_up_is_not_quoted(router: Router, tmp_path: Path) -> None:
    python = shell_script(tmp_path / "python", f'echo a banner >&2\nexec {shlex.quote(sys.executable)} "$@"')
    for function, said in (("os:abort", ABORTED), ("os:_exit", "")):
        context = router.local(str(python))
        context.wait_ready()
        with pytest.raises(Lost) as caught:
            context.call(function, *[7] * (not said))
        assert caught.value.diagnostics.startswith(said) and "banner" not in caught.value.diagnostics
        assert said or str(caught.value) == "local: the process ended with status 7"


def test_what_a_process_said_commands_no_terminal_and_its_end_is_shown() -> None:
    error = Lost("gone", "web1")
    error.diagnostics = "x" * 5000 + "\x1b[31m\x9b\nthe end\n"
    assert str(error).startswith("web1: gone\nxxx") and str(error).endswith("x\\x1b[31m\\x9b\nthe end")
    assert len(str(error)) < 2100
