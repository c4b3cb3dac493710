"""Connections that one thread opens and others wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .bootstrap.unreachable import ConnectError

K = TypeVar("K", bound=Hashable)
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


class OnceEach(Generic[K, T]):
    """What is opened once for each key and kept while it lives. Thread-safe; who wants one waits for no other key.

    lives: whether what was opened for a key is still good for others. The lock is held: it must not block.
    """

    def __init__(self, lives: Callable[[T], bool] = lambda value: True) -> None:
        self._lives = lives
        self._lock = threading.Lock()
        self._tries: dict[K, Once[T]] = {}

    def __len__(self) -> int:
        return len(self._tries)

    def get(self, key: K, work: Callable[[], T]) -> tuple[T, bool]:
        """What there is for a key, and whether this is who opened it, by `work`. Raises what that does; who waited for
        another raises its ConnectError, and tries it too if that ended in another way."""
        while True:
            with self._lock:
                tried = self._tries.get(key)
                first = tried is None or self._gone_locked(tried)
                if tried is None or first:
                    tried = self._tries[key] = Once()
            if first:
                return tried.open(work), True
            value = tried.came()  # the other has as much time as we, and as its user takes to answer
            if value is not None:
                return value, False

    def peek(self, key: K) -> T | None:
        """What there is for a key now."""
        with self._lock:
            tried = self._tries.get(key)
        return None if tried is None else tried.value

    def forget(self, key: K, value: T) -> bool:
        """The next who wants it opens another. False if there is another already."""
        with self._lock:
            tried = self._tries.get(key)
            mine = tried is not None and tried.value is value
            if mine:
                del self._tries[key]
        return mine

    def sweep(self) -> None:
        """Forget all that does not live."""
        with self._lock:
            for key, tried in list(self._tries.items()):
                if self._gone_locked(tried):
                    del self._tries[key]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._tries.clear()

    def _gone_locked(self, tried: Once[T]) -> bool:
        return tried.over and not (tried.value is not None and self._lives(tried.value))
