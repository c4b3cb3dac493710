"""The end of a program waits for the tasks of its fleets' executors, as it does for those of the standard library's.

Those register with the interpreter what is called before it waits for threads; later, when `atexit` calls, hardly any
Python starts threads.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .executor import FleetExecutor

_executors: weakref.WeakSet[FleetExecutor] = weakref.WeakSet()
"""Those that may have tasks. One that has is kept by the threads that carry them out."""


def remember(executor: FleetExecutor) -> None:
    """Have the end of the program wait for its tasks."""
    _executors.add(executor)


def forget(executor: FleetExecutor) -> None:
    """Nobody will read what comes of its tasks."""
    _executors.discard(executor)


def _wait() -> None:
    busy = [executor for executor in list(_executors) if executor.busy and not executor.forked]
    if busy:
        try:
            threading.Thread(target=int, daemon=True).start()
        except RuntimeError:  # Python 3.12
            warnings.warn("this Python starts no threads at the end of a program: tasks on hosts that are not yet "
                          "connected fail. Leave a fleet's executor by `with`, or by its shutdown()", RuntimeWarning,
                          stacklevel=1)
    for executor in busy:
        executor.shutdown()


threading._register_atexit(_wait)  # type: ignore[attr-defined]
