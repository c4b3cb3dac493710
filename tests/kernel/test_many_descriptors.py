"""A process with more than 1,024 open descriptors, as a master of many hosts has: select() would not take those."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from remotesvc import CallError, Lost, NotSent, Router
from remotesvc.bootstrap.unreachable import ConnectError

pytest_plugins = ("tests.kernel.call_fixtures",)

ABOVE = 1100


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * ABOVE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * ABOVE, hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(ABOVE)]
    yield
    for fd in opened:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_calls_work_and_the_end_of_a_process_is_told(router: Router) -> None:
    context = router.local()
    assert context.call(len, b"x" * 3_000_000) == 3_000_000
    with pytest.raises((Lost, CallError), match="ended with status 3"):
        context.call("os:_exit", 3)
    with pytest.raises((Lost, NotSent)):
        context.call(abs, -1)


def test_a_start_that_fails_says_why(router: Router) -> None:
    with pytest.raises(ConnectError) as caught:
        router.local(python="/bin/false").call(abs, -1)
    assert caught.value.exit_status == 1


def test_a_pipe_that_is_full_and_does_not_block(router: Router) -> None:
    context = router.local()
    context.call(abs, -1)
    os.set_blocking(_write_fd(context), False)
    assert context.call(len, b"x" * 3_000_000) == 3_000_000


def _write_fd(context: object) -> int:
    link = context.tree.router.link_to(context.id)  # type: ignore[attr-defined]
    fd: int = link.path._write_fd
    return fd
