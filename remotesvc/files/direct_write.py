"""Writing a large frame on the thread that made it, when it is its turn: no other thread has to wake for it."""

import threading
import time

from ..bootstrap.errors import CallTimeout
from ..bootstrap.links import outbox
from ..bootstrap.links.credit import ACK_EVERY, MIN_FLIGHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List

# With no more than this in flight, and a frame, a write does not wait: the windows of SSH servers and our own pipes
# take 1 MiB and more. So whoever sends is not held by a target that has stopped reading.
_SURELY_TAKEN = 2 * MIN_FLIGHT
# Seconds between two looks whether anybody still wants it; the hub wakes us when the link is gone.
_LOOK = 0.5


def write(link: "Any", key: "Any", tag: "int", buffers: "List[Any]", size: "int", over: "Callable[[], bool]",
          idle: "float") -> "bool":
    """Send one frame of a stream, as ``Link.send`` does, but on a short line wait here until it may be in flight.
    Raises CallTimeout when the neighbour acknowledges nothing for ``idle`` seconds.

    With so much under way or about to be, an acknowledgement will come and wake us. Where others write or wait, the
    frame takes turns with theirs in the link's queue, and on a long line many frames wait there.
    """
    flight, acked, acked_at = link.flight, -1, 0.0
    while flight.gauge is not None:
        with link.lock:
            busy = flight.flying >= flight.limit or link.queued > ACK_EVERY
            waits = busy and flight.limit <= _SURELY_TAKEN and not link.closed
            if waits:
                room = flight.gauge.room = flight.gauge.room or threading.Condition(link.lock)
                room.wait(_LOOK)
        if not waits:
            if outbox.write(link, buffers, _SURELY_TAKEN, True):
                return True
            break
        if over():
            break
        if flight.acked != acked:
            acked, acked_at = flight.acked, time.monotonic()
        elif time.monotonic() - acked_at > idle:
            raise CallTimeout("nothing was acknowledged for %g s" % idle)
    return bool(link.send(key, tag, buffers, size, False))
