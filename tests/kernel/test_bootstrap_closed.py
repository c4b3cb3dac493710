"""Profiles and wrappers that leave their commands without stdin, stdout or stderr."""

from __future__ import annotations

from pathlib import Path

import pytest

import remotesvc
from remotesvc import Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_output
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT, Heard, gone
from tests.kernel.shells import SHELLS, through

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.bootstrap_fixtures")


@pytest.mark.parametrize("interpreter", [interpreters.found()[0], interpreters.found()[-1]], ids=str)
def test_without_stderr_all_is_as_with_it(router: Router, heard: Heard, interpreter: Interpreter) -> None:
    context = through(router, ["sh", "-c", 'exec 2>&-; eval "$0"'], interpreter.path)
    assert context.options(timeout=LIMIT).call(called.add, 1, 2) == 3
    context.call(called_output.say, "heard")
    heard.wait_until(lambda: "heard" in heard.text())
    assert context.options(isolation="process").call(called.add, 1, 2) == 3
    pid = context.info["pid"]
    context.close()
    gone(pid)


def test_without_stderr_its_end_is_seen_when_the_master_is_gone(router: Router, fake: Fake) -> None:
    context = router.local(fake('exec "$PYTHON" "$@" 2>&-'))
    assert context.options(timeout=LIMIT).call(called.add, 1, 2) == 3
    pid = context.info["pid"]
    assert len({Path(f"/proc/{pid}/fd/{number}").readlink() for number in (1, 2)}) == 2
    context.tree.ledger.start_of(context.id).path.close()
    gone(pid)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "0<&- 1>&-"])
def test_without_stdin_or_stdout_the_cause_is_named(router: Router, shell: str, closed: str) -> None:
    context = through(router, [shell, "-c", f'exec {closed}; eval "$0"'])
    with pytest.raises(remotesvc.BootstrapError, match="stdin or stdout is closed there") as caught:
        context.call(called.add, 1, 2)
    assert "profile" in caught.value.hint
