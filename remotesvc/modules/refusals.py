"""The book of what children were not given: for the log, for statistics, and for whoever wants to know why."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque

LOGGED = 200
"""Refusals of one child that are logged: it may ask for any number of names."""

LATEST = 100
"""Refusals that are remembered, of all children together."""

log = logging.getLogger("remotesvc.modules")


class Refusals:
    """What was refused to the children of one router. Thread-safe."""

    def __init__(self) -> None:
        self.latest: deque[tuple[int, str, str]] = deque(maxlen=LATEST)
        """(child id, name, rule)."""
        self._by_rule: Counter[str] = Counter()
        self._by_child: Counter[int] = Counter()
        self._lock = threading.Lock()

    def note(self, child_id: int, name: str, rule: str) -> None:
        """A child was refused a name, because of a rule."""
        with self._lock:
            self._by_rule[rule] += 1
            self._by_child[child_id] += 1
            count = self._by_child[child_id]
            self.latest.append((child_id, name, rule))
        if count <= LOGGED:
            log.debug("context %d was not given %s: %s", child_id, name, rule)
        elif count == LOGGED + 1:
            log.debug("context %d was refused %d names; no more of them are logged", child_id, LOGGED)

    def of(self, child_id: int) -> list[tuple[str, str]]:
        """The latest refusals of one child: (name, rule), none twice."""
        with self._lock:
            return list(dict.fromkeys((name, rule) for number, name, rule in self.latest if number == child_id))

    def by_rule(self) -> dict[str, int]:
        """How often each rule was the reason."""
        with self._lock:
            return dict(self._by_rule)

    def forget(self, child_id: int) -> None:
        """The child is gone. What it was refused can still be asked for."""
        with self._lock:
            del self._by_child[child_id]
