"""A limit to the rate of frames that no credit bounds: control frames, and messages that nobody takes. And what counts
as a sign of life of a neighbour that sends byte by byte.

Each of those frames costs its sender next to nothing, and us a few microseconds of the interpreter that the readers of
all links share: one child that says them as fast as it can leaves the others a tenth of their calls. So a link has an
allowance of them. What honest children say stays within it, for it has a cause: an acknowledgement comes for 16 KiB
that we sent, a grant for an eighth of a window, a route for a process, an answer or a refusal for something we asked.
Nobody is cut off for saying more, it is only read more slowly: user code may ping in a loop, and thousands of refusals
may come at once. What it says meanwhile waits in its own pipe or window.

Few of those frames take longer: that a context is gone is for all to hear who might wait for it. Such a one counts as
many, by the time that it took.
"""
import time

from .credit import ACK_EVERY
from .patience import PAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Frames a second, for which it needs no cause: a few hundredths of a processor.
RATE = 5000.0
# Frames that may come at once: as many as there may be calls to one context that are all refused.
BURST = 10000
# And one frame more for so many bytes that we sent: twice what acknowledgements and grants add up to.
SHARE = ACK_EVERY // 2
# Frames that a second of our processor counts as: at RATE that is an eighth of it.
SECOND = 8 * RATE
# The books are kept for so many together; at RATE it is also what one pause is for, so no pause is noticed for long.
TOGETHER = 100
# Bytes of a frame that is not complete which are a sign of life together: no line that carries SSH takes long for them.
LEAST = 1024


class Allowance(object):
    """Frames that may be said at once, now. No lock, thread or clock."""

    def __init__(self, now: "float") -> "None":
        self._left = float(BURST)
        self._now = now
        self._sent = 0

    def spend(self, frames: "int", sent: "int", now: "float") -> "float":
        """Book frames that came until ``now`` (seconds), when ``sent`` bytes had been sent in all. Returns the seconds
        until they are within the allowance."""
        earned = (now - self._now) * RATE + float(sent - self._sent) / SHARE
        self._left = min(BURST, self._left + earned) - frames
        self._now, self._sent = now, sent
        return max(0.0, -self._left / RATE)


class Trickle(object):
    """Tells signs of life from bytes of a frame that has begun and does not come. No clock."""

    def __init__(self) -> "None":
        self._whole = self._received = 0
        self._since = self._looked = 0.0
        self._begun = False

    def heard(self, heard: "float", received: "int", pending: "int", now: "float") -> "float":
        """Since when nothing was heard, by the last byte since ``heard``. To be asked each second; of the bytes
        ``received`` in all, ``pending`` are of a frame that is not complete."""
        anew, whole = now - self._looked > PAUSE or not (pending and self._begun), received - pending
        self._looked, self._begun = now, pending > 0
        if anew or whole != self._whole or received - self._received >= LEAST:
            self._whole, self._received, self._since = whole, received, heard
        return min(heard, self._since)


class Pace(object):
    """Of one link to a child. Called for each frame that needs no credit, on the reader thread, it takes the time that
    is due; ``trickle`` knows the other end of the scale."""

    def __init__(self) -> "None":
        self.trickle = Trickle()
        self._allowance = Allowance(time.monotonic())
        self._frames = 0

    def took(self, seconds: "float") -> "None":
        """The frame that was counted last took so much of our processor."""
        self._frames += int(seconds * SECOND)

    def __call__(self, link: "Any") -> "bool":
        """Returns whether the link has been closed meanwhile."""
        self._frames += 1
        if self._frames < TOGETHER:
            return False
        wait = self._allowance.spend(self._frames, link.flight.sent, time.monotonic())
        self._frames = 0
        if wait:
            time.sleep(wait)
        return bool(link.closed)
