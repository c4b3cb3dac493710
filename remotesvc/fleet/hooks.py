"""What a fleet tells whoever asked to be told. A listener that fails is no reason for a run to fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from remotesvc.bootstrap.errors import UsageError


class Hooks:
    """Functions by their names, None where nobody listens. Thread-safe.

    Raises UsageError for what is no function. The first error of each is logged with its traceback; what it raises
    after that is dropped.
    """

    def __init__(self, **functions: Callable[..., object] | None) -> None:
        for name, function in functions.items():
            if function is not None and not callable(function):
                raise UsageError(f"{name}={function!r} cannot be called")
        self._functions = functions
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def wants(self, name: str) -> bool:
        """Whether anybody listens to it."""
        return self._functions[name] is not None

    def tell(self, name: str, *args: Any) -> None:
        """Call the function of that name, if there is one."""
        function = self._functions[name]
        if function is None:
            return
        try:
            function(*args)
        except BaseException as error:  # it is the listener's, and the run goes on
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, which has only come while it ran
            with self._lock:
                first = name not in self._failed
                self._failed.add(name)
            if first:
                logging.getLogger("remotesvc").exception("%s of a fleet raised; it is not said again", name)
