"""How far a run over several hosts is: a line at the end of the terminal that says who is still waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from remotesvc.escape import one_line
from remotesvc.fleet.member import shown_host

from .console import Console
from .meter import time_text

EVERY = 1.0
"""Seconds between two looks at the clock: the times shown count whole seconds, and a window may have changed."""


class Waiting:
    """The books: which hosts have no outcome yet, and since when they are worked on. `clock` gives seconds.

    Not thread-safe: `Progress` holds its lock.
    """

    def __init__(self, hosts: Iterable[str], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: dict[str, float | None] = dict.fromkeys(hosts)
        self._all = len(self._begun)
        self._failed = 0

    def began(self, host: str) -> None:
        """A host is being worked on. Saying it again, for another try, changes nothing."""
        if host in self._begun and self._begun[host] is None:
            self._begun[host] = self._clock()

    def ended(self, host: str, fine: bool) -> None:
        """A host has its outcome."""
        self._begun.pop(host, None)
        self._failed += not fine

    @property
    def hosts(self) -> list[str]:
        """Those without an outcome, in their order."""
        return list(self._begun)

    def text(self, width: int) -> str:
        """One line of at most `width` columns where that is possible; empty when all hosts are through.

        The hosts that take longest are named, as many as fit.
        """
        if not self._begun:
            return ""
        failed = f", {self._failed} failed" if self._failed else ""
        line = f"{self._all - len(self._begun)}/{self._all} done{failed}, waiting for "
        now = self._clock()
        said, names = str(len(self._begun)), ""
        under_way = sorted((since, host) for host, since in self._begun.items() if since is not None)
        for shown, (since, host) in enumerate(under_way, 1):
            names += f"{', ' if names else ''}{one_line(shown_host(host))} ({time_text(now - since)})"
            left = len(self._begun) - shown
            for more in (f" and {left} more", f" +{left}") if left else ("",):
                if len(line) + len(names) + len(more) <= width:
                    said = names + more
                    break
            else:
                break
        return line + said


class Progress:
    """Keeps the line up to date while it is entered. Called from any thread."""

    def __init__(self, console: Console, hosts: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._waiting = Waiting(hosts, clock)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._ticking: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._console.shows_progress:
            self._ticking = threading.Thread(target=self._tick, name="remotesvc-progress", daemon=True)
            self._ticking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._over.set()
        if self._ticking is not None:
            self._ticking.join()
        self._console.progress("")

    def began(self, host: str) -> None:
        """Work on a host begins."""
        with self._lock:
            self._waiting.began(host)

    def ended(self, host: str, fine: bool) -> None:
        """A host has its outcome, and it has been told."""
        with self._lock:
            self._waiting.ended(host, fine)
        self._show()

    @property
    def hosts(self) -> list[str]:
        """Those that are waited for."""
        with self._lock:
            return self._waiting.hosts

    def _tick(self) -> None:
        self._show()
        while not self._over.wait(EVERY):
            self._show()

    def _show(self) -> None:
        if self._console.shows_progress:
            width = self._console.progress_width
            with self._lock:
                text = self._waiting.text(width)
            self._console.progress(text)
