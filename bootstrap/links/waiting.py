"""Waiting for credit: most calls never do."""
import time

from ..errors import CallTimeout, NotSent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional

    from .streams import Outgoing


def wait_for_credit(outgoing: "Outgoing", size: "int", deadline: "Optional[float]",
                    given_up: "Optional[Callable[[], bool]]") -> "None":
    """Wait until ``size`` bytes may be sent on a stream. Raises NotSent or CallTimeout."""
    with outgoing.lock:
        while not outgoing.credit.take(size):
            left = None if deadline is None else deadline - time.monotonic()
            if outgoing.closed or (given_up is not None and given_up()):
                raise NotSent(outgoing.closed or "given up before it was sent")
            if left is not None and left <= 0:
                raise CallTimeout("the target did not take the call in time")
            # Woken by grants and loss; the ceiling covers a caller that gave up meanwhile.
            outgoing.wake.wait(0.5 if left is None else min(left, 0.5))
