"""What several threads do at the same time, for tests."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 60.0
"""Seconds after which a thread is taken to hang."""


@contextmanager
def beside(works: Iterable[Callable[[], object]]) -> Iterator[None]:
    """Do each on a thread of its own, beside the block; at its end, wait for all. Raises the first error of theirs."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"it hangs: {thread.name}"
    if errors:
        raise errors[0]


def together(works: Iterable[Callable[[], object]]) -> None:
    """Do each on a thread of its own, and wait for all. Raises the first error of theirs."""
    with beside(works):
        pass


def in_thread(function: Callable[[], Any]) -> concurrent.futures.Future[Any]:
    """The future of what a function that may wait returns or raises, on a thread of its own."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
