"""How called code waits for calls of its own: no longer than its own caller waits for it.

Nothing stops a thread but its own code, which has to look. If it did not, a call that its caller gave up, and that
waits for another, would hold its thread, and all that is below it in the tree, for as long as the other takes.
"""

import time

from ..bootstrap.calls.current import running
from ..bootstrap.calls.pending import LOOK_EVERY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Tuple


def wait_in_call(wait: "Callable[[Optional[float]], bool]", timeout: "Optional[float]" = None,
                 tokens: "Tuple[int, ...]" = ()) -> "bool":
    """Call ``wait(seconds)`` again and again until it returns True; False once ``timeout`` seconds are over.

    ``tokens``: of the calls that are waited for, see `remotesvc.bootstrap.calls.lineage`. Raises Cancelled in a call
    that its caller gave up.
    """
    call = running()
    if call is None:
        return wait(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    call.waits_for = tokens
    try:
        while True:
            left = LOOK_EVERY if end is None else min(LOOK_EVERY, end - time.monotonic())
            if wait(left):
                return True
            call.check()
            if left < LOOK_EVERY:
                return False
    finally:
        call.waits_for = ()
