"""Joins two TUN devices and passes each packet on after a while: `delay_line.py FD FD SECONDS [RECORD]`.

With RECORD, a file, some packets of each direction are lost, doubled, or late so that others overtake them: those whose
numbers say so, so that it is the same in every run. Each such event is a word in the file.
A process of its own, so that what it waits for does not wait for the program under test.
"""

from __future__ import annotations

import heapq
import os
import select
import sys
import time
from itertools import count
from typing import NamedTuple

LARGEST = 65536
QUEUED = 20000
"""Packets on their way that a direction holds; what comes above is lost, as in any queue."""

MISHAPS = {"lost": (97, 11), "doubled": (89, 7), "late": (23, 5)}
"""Of so many packets, the one with this number: of the first dozen, a start has many more, one each."""

LATE = 0.02
"""Seconds; on a line at work, other packets follow sooner."""


class Packet(NamedTuple):
    """One on its way, sorted by when it arrives, then by when it came."""

    due: float
    number: int
    data: bytes


def mishap(number: int) -> str:
    """What happens to a packet; empty for most."""
    return next((name for name, (every, which) in MISHAPS.items() if number % every == which), "")


class Way:
    """One direction, which ends in a device."""

    def __init__(self, end: int, delay: float, record: int | None) -> None:
        self.end = end
        self._delay = delay
        self._record = record
        self._numbers = count(1)
        self._packets: list[Packet] = []

    @property
    def due(self) -> float | None:
        """When the next packet arrives, if there is one."""
        return self._packets[0].due if self._packets else None

    def take(self, source: int) -> None:
        """Take all that a device has to send."""
        while True:
            try:
                data = os.read(source, LARGEST)
            except OSError:  # nothing more, or the device is not up yet
                return
            number = next(self._numbers)
            event = mishap(number) if self._record is not None else ""
            if event and self._record is not None:
                os.write(self._record, f"{event}\n".encode())
            due = time.monotonic() + self._delay + (LATE if event == "late" else 0.0)
            for _ in range({"lost": 0, "doubled": 2}.get(event, 1)):
                if len(self._packets) < QUEUED:
                    heapq.heappush(self._packets, Packet(due, number, data))

    def deliver(self) -> None:
        """Hand over what has arrived."""
        now = time.monotonic()
        while self._packets and self._packets[0].due <= now:
            try:
                os.write(self.end, heapq.heappop(self._packets).data)
            except OSError:  # the device is down, or full: a packet is lost
                continue


def join(ends: tuple[int, int], delay: float, record: int | None) -> None:
    """Pass packets between the two, for ever."""
    ways = {source: Way(end, delay, record) for source, end in (ends, ends[::-1])}
    poll = select.epoll()
    for source in ways:
        poll.register(source, select.EPOLLIN)
    while True:
        due = min((way.due for way in ways.values() if way.due is not None), default=None)
        # epoll counts in milliseconds and rounds up: what is due in less is waited for by looking.
        timeout = -1.0 if due is None else max(0.0, due - time.monotonic() - 0.0005)
        for source, _ in poll.poll(timeout):
            ways[source].take(source)
        for way in ways.values():
            way.deliver()


if __name__ == "__main__":
    where = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if len(sys.argv) > 4 else None
    join((int(sys.argv[1]), int(sys.argv[2])), float(sys.argv[3]), where)
