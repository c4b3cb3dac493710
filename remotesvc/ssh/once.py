"""A connection that one thread opens and others wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from remotesvc.bootstrap.unreachable import ConnectError

T = TypeVar("T")


class Once(Generic[T]):
    """One try, by whoever is the first to want it. `over` says that it has ended: then either `value` is there, or
    `error`.
    """

    def __init__(self) -> None:
        self.value: T | None = None
        self.error: BaseException | None = None
        self._ended = threading.Event()

    @property
    def over(self) -> bool:
        return self._ended.is_set()

    def open(self, work: Callable[[], T]) -> T:
        """Try it: what `work` returns. Raises what that does."""
        try:
            self.value = work()
            return self.value
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._ended.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; whether that was in time."""
        return self._ended.wait(timeout)

    def came(self) -> T | None:
        """What came of another's try. Raises its ConnectError once more; None if it ended in another way, by Ctrl-C
        say: then it is for others to try."""
        self.wait()
        if isinstance(self.error, ConnectError):
            raise self.error.again()
        return self.value
