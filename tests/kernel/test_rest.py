"""The rest of the kernel: not sent for a plain call, there as soon as something needs it, and soon in any case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import Context, Router
from remotesvc.launch import start
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called
from tests.kernel.contexts import LIMIT, Heard, appears, until
from tests.kernel.served import Plain

pytest_plugins = ("tests.kernel.call_fixtures",)
LITTLE = 2048
"""Bytes that a plain call and its books stay below; the rest of the kernel has 70 KiB at least."""


def sent(context: Context) -> int:
    """Bytes of frames that were sent to a child."""
    link = context.tree.router.links[context.id]
    return int(link.flight.sent + link.queued)


@pytest.fixture
def never_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "HOLD", 3600.0)


@pytest.fixture
def plain(router: Router, never_unasked: None, interpreter: Interpreter) -> Context:
    """A child that has answered a plain call, and was sent no more than it needed for that."""
    context = router.local(python=interpreter.path)
    assert context.call("os:getpid") == context.info["pid"]
    assert context.ping() < LIMIT
    assert sent(context) < LITTLE
    return context


def own_module(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert context.call(called.add, 1, 2) == 3


def print_something(context: Context, heard: Heard, tmp_path: Path) -> None:
    context.call("builtins:print", "printed")
    assert heard.text() == "printed\n"


def print_from_below(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert context.call("os:system", "echo printed") == 0
    assert heard.text() == "printed\n"


def fail(context: Context, heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        context.call("os:stat", str(tmp_path / "nowhere"))


def much_to_send(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert context.call("builtins:len", bytes(3_000_000)) == 3_000_000


def much_to_answer(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert len(context.call("os:urandom", 3_000_000)) == 3_000_000


def a_service(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert context.call_service(Plain, "add", a=1) == 3


def a_file(context: Context, heard: Heard, tmp_path: Path) -> None:
    context.push(b"content", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"content"


def one_of_their_own(context: Context, heard: Heard, tmp_path: Path) -> None:
    assert context.options(isolation="process").call("os:getppid") == context.info["pid"]


def in_order(context: Context, heard: Heard, tmp_path: Path) -> None:
    with context.chain() as chain:
        futures = [chain.submit("builtins:abs", -number) for number in range(3)]
    assert [future.result(LIMIT) for future in futures] == [0, 1, 2]


def two_at_once(context: Context, heard: Heard, tmp_path: Path) -> None:
    """The main thread is kept by one, so another has to run the second."""
    long = context.submit("os:system", f"touch {tmp_path}/begun; while test ! -e {tmp_path}/go; do sleep 0.05; done")
    appears(tmp_path / "begun")
    assert context.call("os:getpid") == context.info["pid"]
    (tmp_path / "go").touch()
    assert long.result(LIMIT) == 0


def behind_one_that_was_given_up(context: Context, heard: Heard, tmp_path: Path) -> None:
    future = context.submit("time:sleep", 3600)
    until(future.cancel)
    assert context.call("os:getpid") == context.info["pid"]


NEEDS: list[Callable[[Context, Heard, Path], None]] = [
    own_module, print_something, print_from_below, fail, much_to_send, much_to_answer, a_service, a_file,
    one_of_their_own, in_order, two_at_once, behind_one_that_was_given_up]  # fmt: skip


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.__name__)
def test_the_rest_of_the_kernel_comes_when_it_is_needed(
    plain: Context, heard: Heard, tmp_path: Path, need: Callable[[Context, Heard, Path], None]
) -> None:
    need(plain, heard, tmp_path)
    if need is not in_order:
        assert sent(plain) > 20 * LITTLE


@pytest.mark.parametrize("need", [own_module, two_at_once], ids=lambda need: need.__name__)
def test_the_rest_of_the_kernel_comes_when_the_first_call_needs_it(
    router: Router, never_unasked: None, heard: Heard, tmp_path: Path, need: Callable[[Context, Heard, Path], None]
) -> None:
    need(router.local(), heard, tmp_path)


def test_the_rest_of_the_kernel_comes_unasked_soon_after_a_call(router: Router) -> None:
    context = router.local()
    assert context.call("os:getpid") == context.info["pid"]
    until(lambda: sent(context) > 20 * LITTLE, what="the rest is sent")


def test_a_grandchild_of_a_child_that_lacks_the_rest_of_the_kernel(router: Router, never_unasked: None) -> None:
    child = router.local()
    assert child.call("os:getpid") == child.info["pid"]
    assert sent(child) < LITTLE
    grandchild = router.local(via=child)
    assert grandchild.call("os:getppid") == child.info["pid"]
    assert grandchild.call(called.add, 1, 2) == 3


def test_who_ends_before_the_rest_of_the_kernel_came_leaves_nothing(router: Router, never_unasked: None) -> None:
    context = router.local(python=interpreters.found()[-1].path)
    pid = context.call("os:getpid")
    context.close()
    until(lambda: not Path(f"/proc/{pid}").exists(), what="the process is gone")
