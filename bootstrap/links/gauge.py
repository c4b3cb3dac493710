"""How much may be in flight on a link: what only a link that carries much must know. No lock, thread or clock."""
from .credit import ACK_EVERY, MIN_FLIGHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .credit import Flight

# The most bytes in flight: 1 GiB/s at 60 ms.
MAX_FLIGHT = 64 * 1024 * 1024
# A line that carries fewer bytes a second is slow: what others say would wait for the least in flight for more than
# half a second. There it is what the line carries in so many seconds, and no less than two acknowledgements are for.
SLOW, SLOW_SPAN, LEAST_FLIGHT = 2 * MIN_FLIGHT, 0.1, 2 * ACK_EVERY
# Until anything is known of a line: a megabit carries it in a second.
FIRST_FLIGHT = MIN_FLIGHT // 2
# A fast line may be quiet for so many seconds and then go on: an sshd that is only a jump host holds small packets back
# until TCP has acknowledged the one before, which it does after 40 ms if nothing is sent meanwhile. Shorter pauses are
# those of whoever has to wait for a processor.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.03, 0.05
# Seconds after which the shortest round trip is measured anew, with a short queue: a route may have become longer.
PROBE_EVERY = 10.0


class Gauge(object):
    """Sets the limit of a Flight: twice what the link carried in its shortest round trip, or in a pause.

    ``room`` is the condition, if any, of those who wait for less to be in flight.
    """

    def __init__(self) -> "None":
        self.room: "Any" = None
        self._mark: "Optional[int]" = None
        self._marked_at = 0.0
        self._marked_acked = 0
        self._heard_at = 0.0
        self._quiet = 0.0  # seconds without an acknowledgement since the mark, the most of them
        self._pause = 0.0
        self._best = 0.0
        self._best_at = 0.0
        self._rate = 0.0
        self._probing = True
        self._idle_until: "Optional[float]" = None  # until then nothing was on its way, nor acknowledged since
        self._alone = 0.0  # seconds an acknowledgement took that had no other bytes to wait for

    def sent(self, flight: "Flight", size: "int", now: "float", busy: "bool") -> "None":
        """Bytes were written at ``now`` (seconds); ``busy`` says that more is waiting, so that a sample means
        something."""
        if not self._rate:
            flight.limit = FIRST_FLIGHT
        if flight.flying - size < ACK_EVERY <= size:  # as little as was on its way is not acknowledged
            self._idle_until = now
        if busy and self._mark is None:
            self._mark, self._marked_at, self._marked_acked = flight.sent, now, flight.acked
            self._heard_at, self._quiet = now, 0.0

    def acked(self, flight: "Flight", now: "float") -> "None":
        """The neighbour has told how much it received."""
        if self.room is not None:
            self.room.notify_all()
        if self._idle_until is not None:
            self._alone, self._idle_until = now - self._idle_until, None
        if self._mark is None:
            return
        self._quiet, self._heard_at = max(self._quiet, now - self._heard_at), now
        if flight.acked < self._mark:
            return
        trip = max(now - self._marked_at, 1e-5)
        # A trip includes the wait in our own queue, so only the shortest says how long the line is. To age it would
        # make the queue feed on itself; instead it is forgotten now and then, while hardly anything is queued.
        if self._probing or trip < self._best:
            self._best, self._best_at, self._probing = trip, now, False
        # With less in flight than the line carries in a pause, the sender waits for the end of one again and again.
        # A single one, of somebody who was busy, is soon forgotten.
        pause = self._quiet if self._quiet > SHORTEST_PAUSE else 0.0
        self._pause = min(max(pause, self._pause * 0.7), LONGEST_PAUSE)
        self._rate = max((flight.acked - self._marked_acked) / trip, self._rate * 0.9)
        trip, least = max(self._best, self._pause), MIN_FLIGHT
        if self._rate < SLOW:
            trip, least = min(self._best, self._alone or self._best), max(LEAST_FLIGHT, int(self._rate * SLOW_SPAN))
        flight.limit = int(min(MAX_FLIGHT, max(least, 2 * self._rate * trip)))
        if now - self._best_at > PROBE_EVERY:
            self._probing, flight.limit = True, least
        self._mark = None
