"""Errors that cannot be asked what they are, and values that have every attribute. Python 3.6."""

from remotesvc.service import DeduplicatingInvoker, SerializedInvoker, Service, expose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any


class Odd(Exception):
    """It raises when it is asked for its class, as `isinstance` does."""

    @property
    def __class__(self) -> "Any":
        raise KeyError("odd")

    @__class__.setter
    def __class__(self, cls: "Any") -> None:
        raise KeyError("odd")


class Closed(Exception):
    """It raises whatever it is asked for."""

    def __getattribute__(self, name: str) -> "Any":
        raise KeyError(name)


class Unshown(Exception):
    """What asyncio shows of it raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no text for you")


_KINDS = {"Odd": Odd, "Closed": Closed, "Unshown": Unshown}


def fail(kind: str) -> None:
    raise _KINDS[kind]("boom")


def items(kind: str) -> "Iterator[int]":
    yield 1
    fail(kind)


async def async_items(kind: str) -> "AsyncIterator[int]":
    yield 1
    fail(kind)


async def slowly(kind: str) -> None:
    fail(kind)


async def fine() -> int:
    return 5


class Open(object):  # noqa: UP004
    """It has every attribute that it is asked for."""

    def __getattr__(self, name: str) -> "Any":
        return lambda *args: 1


class Shut(object):  # noqa: UP004
    """Asking it for an attribute raises what is no AttributeError."""

    def __getattr__(self, name: str) -> "Any":
        raise KeyError(name)


def value(kind: str) -> "Any":
    if kind == "mock":
        from unittest.mock import MagicMock

        return MagicMock()
    return Open() if kind == "open" else Shut()


class Side(Service):
    """Its methods raise, side by side."""

    @expose()
    def fail(self, kind: str) -> None:
        fail(kind)

    @expose()
    def items(self, kind: str) -> "Iterator[int]":
        return items(kind)

    @expose()
    async def slowly(self, kind: str) -> None:
        fail(kind)

    @expose()
    def value(self, kind: str) -> "Any":
        return value(kind)

    @expose()
    def ping(self) -> str:
        return "pong"


class Turns(Side):
    """One after the other."""

    invoker_class = SerializedInvoker

    @expose()
    def fail(self, kind: str) -> None:
        fail(kind)


class Once(Side):
    """Equal calls once."""

    invoker_class = DeduplicatingInvoker

    @expose()
    def fail(self, kind: str) -> None:
        fail(kind)


class Unmade(Service):
    """Making it fails."""

    def __init__(self, router: "Any") -> None:
        raise Odd("boom")

    @expose()
    def ping(self) -> str:
        return "pong"


class OddKey(DeduplicatingInvoker):
    """Comparing calls fails."""

    def key_from_request(self, method: str, kwargs: "dict[str, Any]") -> "Any":
        raise Odd("boom")


class Uncompared(Service):
    """Its calls cannot be let in."""

    invoker_class = OddKey

    @expose()
    def ping(self) -> str:
        return "pong"
