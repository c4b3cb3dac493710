"""The books of one transfer: how much may be under way, how fast, and whether to compress. No I/O, lock or thread.

Times are seconds of a clock that the user of these classes passes in.
"""

from ..bootstrap.links.credit import WIDE_WINDOW, WINDOW, Flight
from ..bootstrap.links.gauge import Gauge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# The least that may be under way: what a line as short as loopback carries while its receiver grants half of it; of a
# slow line what it carries in so many seconds, and never less than twice what a receiver grants at once, or both would
# wait for each other.
_LEAST, _LEAST_SPAN, _LEAST_SLOW = 2 * WINDOW, 0.25, WINDOW
# Seconds over which a rate is measured: shorter ones measure the scheduler.
_RATE_SPAN = 0.25
# Packed data must be this much smaller: less is not worth the receiver's work.
_WORTH = 0.85
# On a line that is slower than zlib by this factor, compressing surely pays.
_SURELY = 1.2
# Blocks between two tries on data that did not shrink; doubled after each, so that the tries vanish in the whole.
_RETRY = 64
# Bytes a second that zlib never reaches: on a faster line not even a try is worth it.
_ZLIB_NEVER = 200e6


class Window(object):
    """What a sender may have under way: twice what the line carries in its shortest round trip, and never more than
    the receiver was promised. Takes the place of a stream's ``SendCredit``.

    The ledger is the sender's own: a receiver that grants more than was sent breaks the protocol and gains nothing.
    """

    def __init__(self, clock: "Callable[[], float]") -> "None":
        self.rate = 0.0
        self._clock = clock
        self._flight = Flight()
        self._flight.gauge = Gauge()
        self._begun = self._since = clock()
        self._acked = 0

    @property
    def pace(self) -> "float":
        """Bytes a second that the line carries, as far as is known: 0 while nothing was granted back."""
        return self.rate or self._flight.acked / max(self._clock() - self._begun, 1e-3)

    @property
    def limit(self) -> "int":
        """Bytes that may be under way now."""
        least = min(_LEAST, max(_LEAST_SLOW, int(self.pace * _LEAST_SPAN)))
        return min(WIDE_WINDOW, max(least, self._flight.limit))

    @property
    def outstanding(self) -> "int":
        """Bytes sent and not granted back."""
        return self._flight.flying

    def take(self, size: "int") -> "bool":
        """Book ``size`` bytes if they fit; a message larger than the window goes when nothing else is out."""
        flight = self._flight
        if flight.flying and flight.flying + size > self.limit:
            return False
        flight.send(size, self._clock(), True)
        return True

    def granted(self, size: "int") -> "None":
        """Book a grant. Raises WireError if it is more than was sent."""
        flight, now = self._flight, self._clock()
        flight.ack(flight.acked + size, now)
        if now - self._since >= _RATE_SPAN:
            self.rate = (flight.acked - self._acked) / (now - self._since)
            self._since, self._acked = now, flight.acked


class Throttle(object):
    """At most ``limit`` bytes a second, over any time; None: no limit."""

    def __init__(self, limit: "float", now: "float") -> "None":
        self._limit = limit
        self._free_at = now

    def delay(self, size: "int", now: "float") -> "float":
        """Book ``size`` bytes; returns the seconds to wait before sending them."""
        begin = max(now, self._free_at)
        self._free_at = begin + size / self._limit
        return begin - now


class Squeeze(object):
    """Decides, block by block, whether to compress: ``mode`` is "auto", "off" or "zlib".

    "auto" tries now and then, and compresses while data shrinks and the line is slower than zlib; ``eager`` says that
    several receivers get the same bytes, so that it is worth it on any line.
    """

    def __init__(self, mode: "str", eager: "bool" = False) -> "None":
        self.mode = mode
        self._eager = eager
        self._active = False
        self._until_try = 0
        self._retry = _RETRY

    def begin(self) -> "None":
        """Other data follows, for which nothing that was learnt so far need hold."""
        self._until_try, self._retry = 0, _RETRY

    def wanted(self, rate: "float") -> "bool":
        """Compress the next block? ``rate`` is what the line carries in bytes a second, 0 if that is not known yet."""
        if self.mode != "auto":
            return self.mode == "zlib"
        if self._active:
            return True
        if not self._eager and not 0 < rate < _ZLIB_NEVER:
            return False
        self._until_try -= 1
        return self._until_try < 0

    def tried(self, before: "int", after: "int", seconds: "float", rate: "float") -> "bool":
        """A block was compressed in so many seconds; returns whether to send it so."""
        shrunk = after < before * (_WORTH if self.mode == "auto" else 1)
        speed = before / max(seconds, 1e-9)
        worth = shrunk and (self._eager or self._active or speed > rate * _SURELY)
        if self.mode == "auto":
            if worth:
                self._active, self._retry = True, _RETRY
            else:
                self._active, self._until_try = False, self._retry
                self._retry *= 2
        return worth if self.mode == "auto" else shrunk
