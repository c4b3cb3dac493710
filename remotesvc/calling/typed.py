"""What type checkers are told about calls; nothing imports this at run time."""

from typing import Iterator, Protocol, TypeVar

T = TypeVar("T", covariant=True)


class ItemIterator(Iterator[T], Protocol[T]):
    """What a call of a generator function gives: see ``items.Items``."""

    def wait(self, timeout: float = 0.0) -> bool: ...

    def close(self) -> None: ...

    def __enter__(self) -> "ItemIterator[T]": ...

    def __exit__(self, *exc_info: object) -> None: ...
