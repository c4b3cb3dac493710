"""Requests of a pool that would wait for ever, since what they wait for waits for them: one of each circle is refused.

`remotesvc.bootstrap.calls.lineage` says how they are known.
"""

import threading

from ..bootstrap.calls.lineage import tokens_of, way_text
from ..bootstrap.calls.refusals import ServiceRefused
from ..bootstrap.errors import Busy, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, FrozenSet, List, Optional, Sequence, Set

# Seconds between two looks: the call that has the turn may begin to wait later.
LOOK_EVERY = 0.5


class Wait(object):
    """A request that is in ``place.waiting`` until ``place.holder`` has ended; ``lock`` is that of the place.

    tokens  of calls that wait for the request
    needs   of calls of which the holder needs one to go on, as seen at a look; empty if it waits for none
    """

    def __init__(self, place: "Any", lock: "Any", request: "Any", tokens: "Sequence[int]") -> "None":
        self.place = place
        self.lock = lock
        self.request = request
        self.tokens = frozenset(tokens)
        self.needs: "FrozenSet[int]" = frozenset()

    def look(self) -> "None":
        """See what the holder needs now."""
        holder = self.place.holder
        self.needs = frozenset(() if holder is None else holder.waits_for)


class Waits(object):
    """The requests of one pool that wait and were caused by calls which hold something here: one look at all of them
    at a time."""

    def __init__(self, pool: "Any") -> "None":
        self._pool = pool
        self._lock = threading.Lock()
        self._known: "List[Wait]" = []
        self._looking = False

    def caused(self, place: "Any", lock: "Any", request: "Any") -> "None":
        """See to it that a call from elsewhere is refused if that for which it waits would never come."""
        tokens = tokens_of(request.call, self._pool.kernel.id)
        if tokens:
            self.add(Wait(place, lock, request, tokens))

    def add(self, wait: "Wait") -> "None":
        """See to it that a call whose tokens are known is refused if that for which it waits would never come."""
        with self._lock:
            self._known.append(wait)
            begins, self._looking = not self._looking, True
        if begins:
            self._defer()

    def _defer(self) -> "None":
        try:
            self._pool.defer(self._look)
        except Busy:
            self._pool.kernel.timers.after(LOOK_EVERY, self._defer)
        except Error:
            pass  # it closes, and refuses all that waits

    def _look(self) -> "None":
        with self._lock:
            known = list(self._known)
        waits = still_waiting(known)
        for each in waits:
            each.look()
        refused = one_of_a_circle(waits)
        while refused is not None:
            waits.remove(refused)
            self._refuse(refused)
            refused = one_of_a_circle(waits)
        with self._lock:
            self._known = waits + self._known[len(known):]
            self._looking = bool(self._known)
            again = self._looking
        if again:
            self._pool.kernel.timers.after(LOOK_EVERY, self._defer)

    def _refuse(self, wait: "Wait") -> "None":
        place, request = wait.place, wait.request
        with wait.lock:
            if request not in place.waiting:
                return
            holder = place.holder
            place.withdraw(request)
        error = ServiceRefused("%s would wait %s, and waits for %s" % (
            request.name, place.held % (holder.name if holder else "another"), _what(wait)))
        if request.lane is not None:  # else its service is being made, and nobody has let it in
            request.lane.invoker.dropped(request, error)
        request.refuse(error)


def still_waiting(waits: "List[Wait]") -> "List[Wait]":
    """Those whose requests have not begun, and were not answered otherwise."""
    waiting: "Set[int]" = set()
    for place, lock in {id(each.place): (each.place, each.lock) for each in waits}.values():
        with lock:
            waiting.update(map(id, place.waiting))
    return [each for each in waits if id(each.request) in waiting]


def one_of_a_circle(waits: "List[Wait]") -> "Optional[Wait]":
    """One of those that wait for each other; None if all may still get what they wait for. Pure."""
    stuck = waits
    while True:
        tokens = {token for each in stuck for token in each.tokens}
        left = [each for each in stuck if each.needs and each.needs <= tokens]
        if len(left) == len(stuck):
            break
        stuck = left
    if not stuck:
        return None
    passed: "List[Wait]" = []
    wait = stuck[0]
    while wait not in passed:
        passed.append(wait)
        wait = next(each for each in stuck if each.tokens & wait.needs)
    return wait


def _what(wait: "Wait") -> "str":
    """What the holder waits for, as an error tells it."""
    own, lineage = wait.tokens & wait.needs, wait.request.call.lineage
    if not own:
        return "a call that waits for this one"
    # A token is that of the context before it, and others may have the same; the last context is this one.
    ways = [lineage[at - 1:] for at, each in enumerate(lineage) if -each in own and lineage[at - 1] == lineage[-1]]
    if not ways:
        return "this call"
    return "this call (by way of contexts %s)" % way_text(ways[0])
