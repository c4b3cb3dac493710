"""Flow control as book-keeping: how much may be sent, how much to grant back. No lock, thread or clock.

Two limits hold at once. Credit is end to end, one window per (sender, stream): the receiver grants what its user
consumed, so whatever queues on the way is bounded. Flight is per link: bytes written and not yet acknowledged by the
neighbour's reader; below our queue everything is first in first out, so this is what a ping has to wait for.
"""
from ..errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What one sender may have under way on one stream. Calls and replies: 8 MiB, so that a pipeline of small calls never
# waits at 100 ms; everything that only streams: 1 MiB, refilled continuously.
WINDOW = 1024 * 1024
WIDE_WINDOW = 8 * 1024 * 1024

# The least bytes in flight on a link: at 300 MiB/s a ping waits a millisecond behind it.
MIN_FLIGHT = 256 * 1024
# The neighbour acknowledges after this many bytes, at the end of a frame or after so many seconds; below DIRECT the
# sender may rely on it.
ACK_EVERY, ACK_DELAY = 16 * 1024, 0.01
# A frame is written by its caller only while so little is in flight that a pipe of 64 KiB surely takes it.
DIRECT = 48 * 1024


class SendCredit(object):
    """What a sender may still send on a stream."""

    def __init__(self, window: "int") -> "None":
        self.window = window
        self.outstanding = 0

    def take(self, size: "int") -> "bool":
        """Book ``size`` bytes if they fit; a frame larger than the window goes when nothing else is out."""
        if self.outstanding and self.outstanding + size > self.window:
            return False
        self.outstanding += size
        return True

    def granted(self, size: "int") -> "None":
        """Book a grant. Raises WireError if it is more than was sent: a lying peer gains nothing."""
        if size > self.outstanding:
            raise WireError("%d bytes granted, %d are outstanding" % (size, self.outstanding))
        self.outstanding -= size


class ReceiveCredit(object):
    """What a receiver owes the sender of a stream."""

    def __init__(self, window: "int") -> "None":
        self.window = window
        self._arrived = self._granted = self._owed = 0
        # An eighth: few grants (small replies need none), yet no sender runs dry, not even one that uses 2 * WINDOW.
        self._due = min(window, 4 * WINDOW) / 8.0

    def arrived(self, size: "int") -> "None":
        """Book received bytes: for the reader, which alone does so and needs no lock. Raises WireError when the sender
        ignored its credit."""
        out = self._arrived - self._granted
        if out and out + size > self.window:
            raise WireError("%d bytes over a window of %d" % (out + size, self.window))
        self._arrived += size

    def consumed(self, size: "int") -> "int":
        """Book bytes whose user is done with them; returns the grant to send now, 0 for none yet. One at a time."""
        grant = self._owed = self._owed + size
        if grant < self._due:
            return 0
        self._owed = 0
        self._granted += grant
        return grant


class Flight(object):
    """Bytes in flight on a link, and how many there may be: few, until there is a `gauge` that knows the line."""

    def __init__(self) -> "None":
        self.sent = 0
        self.acked = 0
        self.limit = MIN_FLIGHT
        self.gauge: "Any" = None

    @property
    def flying(self) -> "int":
        """Bytes sent and not acknowledged."""
        return self.sent - self.acked

    def send(self, size: "int", now: "float", busy: "bool") -> "None":
        """Book bytes written at ``now`` (seconds); ``busy`` says that more is waiting."""
        self.sent += size
        if self.gauge is not None:
            self.gauge.sent(self, size, now, busy)

    def ack(self, total: "int", now: "float") -> "None":
        """Book the neighbour's count of received bytes. Raises WireError for bytes never sent."""
        if not self.acked <= total <= self.sent:
            raise WireError("%d bytes acknowledged of %d sent" % (total, self.sent))
        self.acked = total
        if self.gauge is not None:
            self.gauge.acked(self, now)
