"""Callables of every kind, for the tests of how they are named on the wire."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


def plain(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


async def coroutine() -> None:
    """A coroutine function."""


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Base:
    """With every kind of method, and an instance that can be called."""

    def method(self) -> Any:
        return self

    def __call__(self) -> Any:
        return self

    @classmethod
    def of_class(cls) -> Any:
        return cls

    @staticmethod
    def static() -> None:
        pass

    class Inner:
        @classmethod
        def deep(cls) -> Any:
            return cls


class Derived(Base):
    pass


class Equal:
    """Says that it equals everything, and can be called."""

    __qualname__: Any

    def __init__(self) -> None:
        self.__module__ = __name__
        self.__qualname__ = "plain"

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> str:
        return "not plain"


class BadRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def decorated_by(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@decorated_by
def decorated() -> None:
    pass


cached = functools.lru_cache(plain)
anonymous: Any = lambda: 1  # noqa: E731
alias = plain
instance = Base()
hidden = plain


def make_closure() -> Callable[[], int]:
    def closure() -> int:
        return 1

    return closure


def replaced() -> str:
    return "the first"


first_replaced = replaced


def replaced() -> str:  # type: ignore[no-redef]
    return "the second"
