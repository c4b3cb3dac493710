"""How far transfers are: bars on a terminal, elsewhere a line now and then. Called from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from remotesvc.escape import one_line

from .console import Console

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
SHOWN = 10
"""Hosts that get a bar of their own; all others are in the total."""


def size_text(size: float) -> str:
    """Bytes for people: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """Seconds as 0:07 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Totals:
    """The books of all hosts: what is done, what there is to do. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._hosts: dict[str, tuple[int, int | None]] = {}
        self._ended: dict[str, int] = {}

    def told(self, host: str, done: int, total: int | None) -> None:
        self._hosts[host] = done, total

    def ended(self, host: str) -> None:
        """This piece of a host's work is over; the next one counts on."""
        done, _ = self._hosts.pop(host, (0, None))
        self._ended[host] = self._ended.get(host, 0) + done

    @property
    def done(self) -> int:
        return sum(self._ended.values()) + sum(done for done, _ in self._hosts.values())

    def text(self) -> str:
        """One line: bytes, share, rate, time left."""
        seconds = max(self._clock() - self._begun, 1e-6)
        done = self.done
        rate = done / seconds
        parts = [size_text(done), f"{size_text(rate)}/s"]
        totals = [total for _, total in self._hosts.values()]
        if totals and None not in totals:
            left = sum((total or 0) - now for now, total in self._hosts.values())
            share = 100 * done // max(done + left, 1)
            parts.insert(1, f"{share} %")
            if rate:
                parts.append(f"{time_text(left / rate)} left")
        return ", ".join(parts)


class Meter:
    """Progress of the transfers of one run, while it is entered. `live` draws bars on stderr, otherwise `console` gets
    lines.
    """

    def __init__(
        self, console: Console, live: bool, several: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._totals = Totals(clock)
        self._lock = threading.Lock()
        self._said = clock()
        self._bars: Any = _Bars(several) if live else None

    def progress(self, host: str) -> Callable[[int, int | None], None]:
        """What `ctx.push` and `pull` are given as `progress` for a host."""

        def told(done: int, total: int | None) -> None:
            with self._lock:
                self._totals.told(host, done, total)
                if self._bars is not None:
                    self._bars.told(host, done, total)
                    return
                if self._clock() - self._said < EVERY:
                    return
                self._said = self._clock()
                line = self._totals.text()
            self._console.note(f"under way: {line}")

        return told

    def ended(self, host: str) -> None:
        """A transfer of a host is over."""
        with self._lock:
            self._totals.ended(host)
            if self._bars is not None:
                self._bars.ended(host)

    def __enter__(self) -> Meter:
        if self._bars is not None:
            self._bars.start()
            self._console.aside = self._bars.stop, self._bars.start
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._bars is not None:
            self._console.aside = None
            self._bars.stop()


class _Bars:
    """One bar a host under way and, with several hosts, one for all."""

    def __init__(self, several: bool) -> None:
        from rich.console import Console as Terminal
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(), console=Terminal(stderr=True), transient=True,
        )  # fmt: skip
        self._tasks: dict[str, Any] = {}
        self._ended = 0
        self._now: dict[str, int] = {}
        self._all = self._progress.add_task("all hosts", total=None) if several else None

    def start(self) -> None:
        from rich.live import Live

        # A display that was stopped remembers how many lines it had, and erases as many when it begins again, which are
        # somebody else's by then.
        progress = self._progress
        progress.live = Live(console=progress.console, transient=True, get_renderable=progress.get_renderable)
        progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def told(self, host: str, done: int, total: int | None) -> None:
        task = self._tasks.get(host)
        if task is None and len(self._tasks) < SHOWN:
            task = self._tasks[host] = self._progress.add_task(one_line(host), total=total)
        if task is not None:
            self._progress.update(task, completed=done, total=total)
        self._now[host] = done
        if self._all is not None:
            self._progress.update(self._all, completed=self._ended + sum(self._now.values()))

    def ended(self, host: str) -> None:
        task = self._tasks.pop(host, None)
        if task is not None:
            self._progress.remove_task(task)
        self._ended += self._now.pop(host, 0)
