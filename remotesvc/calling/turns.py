"""Who may open generators on a context that can have only so many: the others wait, in the order in which they came."""

import collections
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict

# Generators of transfers that one context may have open; it has 64 at most, and the rest is for other calls.
MOST = 48
# Seconds between two looks whether a turn is still wanted.
_LOOK = 0.2


class Turns(object):
    """The books by context id. Thread-safe."""

    def __init__(self, most: "int" = MOST) -> "None":
        self._most = most
        self._taken: "Dict[int, int]" = {}
        self._waiting: "Dict[int, Deque[Any]]" = {}
        self._wake = threading.Condition()

    def take(self, context: "int", count: "int", check: "Callable[[], Any]") -> "None":
        """Wait until so many may be opened; ``check()`` raises if that is no longer wanted. ``give_back`` them."""
        us = object()
        with self._wake:
            self._waiting.setdefault(context, collections.deque()).append(us)
        try:
            while not self._taken_by(us, context, count):
                check()
        finally:
            with self._wake:
                waiting = self._waiting[context]
                waiting.remove(us)
                if not waiting:
                    del self._waiting[context]
                self._wake.notify_all()

    def _taken_by(self, us: "Any", context: "int", count: "int") -> "bool":
        with self._wake:
            if not self._free_for(us, context, count):
                self._wake.wait(_LOOK)
                if not self._free_for(us, context, count):
                    return False
            self._taken[context] = self._taken.get(context, 0) + count
            return True

    def _free_for(self, us: "Any", context: "int", count: "int") -> "bool":
        return self._waiting[context][0] is us and self._taken.get(context, 0) + count <= self._most

    def give_back(self, context: "int", count: "int") -> "None":
        """They are closed."""
        with self._wake:
            left = self._taken[context] - count
            if left:
                self._taken[context] = left
            else:
                del self._taken[context]
            self._wake.notify_all()
