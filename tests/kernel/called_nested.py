"""Functions that tests call on targets to wait there for a call of their own, to another context. Python 3.6."""

import contextlib

import remotesvc
from tests.kernel import called, called_waiting
from tests.kernel.called_waiting import touch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def _ending(path: str) -> "Iterator[None]":
    try:
        yield
    except remotesvc.Cancelled:
        touch(path)
        raise


def plainly(other: remotesvc.Context, begun: str, told: str, ended: str) -> None:
    with _ending(ended):
        other.call(called_waiting.wait_cancelled, begun, told)


def by_a_future(other: remotesvc.Context, begun: str, told: str, ended: str) -> None:
    future = other.submit(called_waiting.wait_cancelled, begun, told)
    with _ending(ended):
        try:
            future.result()
        finally:
            future.cancel()


def for_an_item(other: remotesvc.Context, begun: str, told: str, ended: str) -> None:
    items = other.call(called_waiting.one_and_wait, begun, told)
    with _ending(ended):
        list(items)


def for_items_without_end(other: remotesvc.Context, begun: str, told: str, ended: str) -> None:
    with _ending(ended):
        for item in other.call(called.until_closed, told):
            if item == 0:
                touch(begun)
