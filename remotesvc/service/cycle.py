"""Calls that come back, by way of other contexts, to the service whose only turn is held until they are answered.

What a call that runs in turn (`Call.in_turn`) calls has a token in its lineage, a negative number behind the context's
own; `Call.waits_for` is the token of the one that it waits for now. So a call that waits for its turn and has that
token in its lineage would wait for ever. One that was only submitted, or cast, is waited for by nobody, and may wait.
"""

from ..bootstrap.calls.refusals import ServiceRefused
from ..bootstrap.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List

# Seconds between two looks: the call that has the turn may begin to wait later.
LOOK_EVERY = 0.5


def watch(pool: "Any", lane: "Any", request: "Any") -> "None":
    """See to it that a call which waits for its turn is refused if that would never come."""
    lineage, here = request.call.lineage, pool.kernel.id
    tokens = [-after for each, after in zip(lineage, lineage[1:]) if each == here and after < 0]
    if tokens:
        _defer(pool, lane, request, tokens)


def _defer(*args: "Any") -> "None":
    try:
        args[0].defer(_look, *args)
    except Error:
        pass  # it closes, and refuses all that waits; or it is looked at no more


def _look(pool: "Any", lane: "Any", request: "Any", tokens: "List[int]") -> "None":
    with pool.workers.lock:
        if request not in lane.waiting:
            return
        holder = lane.holder
        token = holder.waits_for if holder is not None else 0
        if token in tokens:
            lane.withdraw(request)
    if token not in tokens:
        pool.kernel.timers.after(LOOK_EVERY, lambda: _defer(pool, lane, request, tokens))
        return
    lineage = request.call.lineage
    way = [str(each) for each in lineage[lineage.index(-token) - 1:] if each >= 0]
    error = ServiceRefused("%s would wait for its turn for ever: %s has it, and waits for this call (by way of "
                           "contexts %s)" % (request.name, holder.name, " -> ".join(way)))
    lane.invoker.dropped(request, error)
    request.fail(error, True)
