"""How much may be in flight on a link: what only a link that carries much must know. No lock, thread or clock."""
from .credit import MIN_FLIGHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .credit import Flight

# The most bytes in flight: 1 GiB/s at 60 ms.
MAX_FLIGHT = 64 * 1024 * 1024
# Seconds after which the shortest round trip is measured anew, with a short queue: a route may have become longer.
PROBE_EVERY = 10.0


class Gauge(object):
    """Sets the limit of a Flight: twice what the link carried in its shortest round trip.

    ``room`` is the condition, if any, of those who wait for less to be in flight.
    """

    def __init__(self) -> "None":
        self.room: "Any" = None
        self._mark: "Optional[int]" = None
        self._marked_at = 0.0
        self._marked_acked = 0
        self._best = 0.0
        self._best_at = 0.0
        self._rate = 0.0
        self._probing = True

    def sent(self, flight: "Flight", now: "float") -> "None":
        """Bytes were written at ``now`` (seconds), and more is waiting, so a sample means something."""
        if self._mark is None:
            self._mark, self._marked_at, self._marked_acked = flight.sent, now, flight.acked

    def acked(self, flight: "Flight", now: "float") -> "None":
        """The neighbour has told how much it received."""
        if self.room is not None:
            self.room.notify_all()
        if self._mark is None or flight.acked < self._mark:
            return
        trip = max(now - self._marked_at, 1e-5)
        # A trip includes the wait in our own queue, so only the shortest says how long the line is. To age it would
        # make the queue feed on itself; instead it is forgotten now and then, while hardly anything is queued.
        if self._probing or trip < self._best:
            self._best, self._best_at, self._probing = trip, now, False
        self._rate = max((flight.acked - self._marked_acked) / trip, self._rate * 0.9)
        flight.limit = int(min(MAX_FLIGHT, max(MIN_FLIGHT, 2 * self._rate * self._best)))
        if now - self._best_at > PROBE_EVERY:
            self._probing, flight.limit = True, MIN_FLIGHT
        self._mark = None
