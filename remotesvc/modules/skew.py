"""Distributions of which a target has another version than the master: each is logged once, at debug level."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from .explain import versions_untrusted
from .server import ModuleServer

LIMIT = 30.0
"""Seconds for a target to say which versions it has."""

log = logging.getLogger("remotesvc.modules")


class Skew:
    """Asks targets for their versions of what their calls import, if anybody reads the answer.

    context: gives the context of a child's id. name_of: what a child is called, for people. run: calls a function with
    its arguments, on another thread.
    """

    def __init__(
        self,
        server: ModuleServer,
        context: Callable[[int], Any],
        name_of: Callable[[int], str],
        run: Callable[..., object],
    ) -> None:
        self._server = server
        self._context = context
        self._name_of = name_of
        self._asked: dict[int, set[str]] = {}
        self._lock = threading.Lock()
        self._run = run

    def look(self, child: int) -> None:
        """Ask a child about what it has not been asked about yet. Returns at once."""
        if not log.isEnabledFor(logging.DEBUG):
            return
        with self._lock:
            asked = self._asked.setdefault(child, set())
            names = [name for name in self._server.distributions(child) if name not in asked]
            asked.update(names)
        if names:
            self._run(self._ask, child, names)

    def forget(self, child: int) -> None:
        """The child is gone."""
        with self._lock:
            self._asked.pop(child, None)

    def _ask(self, child: int, names: list[str]) -> None:
        call = self._context(child).options(timeout=LIMIT).submit("remotesvc.bootstrap.imports.loaded:versions", names)
        call.add_done_callback(partial(self._compare, child))

    def _compare(self, child: int, call: Any) -> None:
        if call.exception() is not None:
            return  # it is gone, or cannot say
        for name, (theirs, ours) in self._server.sent.skewed(versions_untrusted(call.result())).items():
            log.debug("%s has %s %s, and %s is here", self._name_of(child), name, theirs, ours)
