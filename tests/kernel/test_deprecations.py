"""What runs on targets does nothing that a Python warns of: what is deprecated today is gone in one to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.integration.shop import desk
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing, called_output, messages_there, served
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT, Heard

pytest_plugins = ("tests.kernel.bootstrap_fixtures", "tests.kernel.call_fixtures", "tests.kernel.job_fixtures")


@pytest.fixture
def python(fake: Fake, interpreter: Interpreter) -> str:
    """A Python that makes errors of warnings, from its first line of ours on."""
    return fake('exec "$PYTHON" -W error "$@"', python=interpreter.path)


@pytest.fixture
def strict(router: Router, python: str, jobs_dir: Path) -> Context:
    return router.local(python).options(timeout=LIMIT, jobs_dir=str(jobs_dir))


def test_a_deprecation_on_the_strict_target_is_an_error(strict: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="careful"):
        strict.call("warnings:warn", "careful", DeprecationWarning)


def test_calls_use_nothing_deprecated(strict: Context, router: Router, python: str, heard: Heard) -> None:
    assert strict.call(called.add, 1, 2) == 3
    assert list(strict.call(called.count, 3)) == [0, 1, 2]
    assert strict.call(called.double, 4) == 8
    assert list(strict.call(called.async_count, 3)) == [0, 1, 2]
    number = 4
    assert strict.call(lambda: number + 1) == 5
    assert strict.options(isolation="process").call(called.add, 1, 2) == 3
    assert strict.options(cwd="/").call("os:getcwd") == "/"
    assert strict.call(called.call_child, "tests.kernel.called:add", 1, 2)[1] == 3
    assert router.local(python, via=strict).call(called.add, 1, 2) == 3
    with pytest.raises(ValueError, match="outer"):
        strict.call(called_failing.fail_chained)
    strict.call(called_output.say_in_all_ways)
    strict.call(called_output.log, 30, "a record")
    heard.wait_until(lambda: any(event.msg == "a record" for event in heard.logs))


def test_what_is_built_on_calls_uses_nothing_deprecated(strict: Context, router: Router, tmp_path: Path) -> None:
    plain: Any = strict.service(served.Plain)
    assert plain.add(1) == 3
    receiver: Any = remotesvc.Receiver(router)
    assert strict.call(messages_there.send_numbers, receiver.sender(), 3) == 3
    assert [message.value for message in receiver] == [0, 1, 2]
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"x" * 100_000)
    strict.push(tmp_path / "tree", tmp_path / "there")
    strict.sync(tmp_path / "tree", tmp_path / "there")
    assert strict.pull(tmp_path / "there" / "file", tmp_path / "back").bytes == 100_000
    assert strict.call("remotesvc.shell:run", "exit 3") == 3
    assert strict.detach(called.add, 1, 2).result(LIMIT) == 3


def test_data_files_use_nothing_deprecated(strict: Context, interpreter: Interpreter) -> None:
    text, table, *_ = strict.call(desk.greet)
    assert text and table
    if interpreter.version >= (3, 9):
        assert strict.call(desk.greet_by_resources).encode() == text
