"""Pure: which work of which service may begin on a thread of the pool, and what may still be queued.

Each service has a lane. Lanes take turns; within one, work begins in the order it came. The threads are shared, but a
lane where nothing runs may always begin one piece of work, on a thread beyond the pool's size if need be: a service
whose calls all hang never keeps another from answering.
"""

import collections

from ..bootstrap.errors import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque, Dict, List, Optional, Tuple

# Calls that may wait for one service, and what their arguments cost in bytes (see `intake.UNPACKED`); any one caller,
# with all behind it, may have half of that. A caller of ours has at most 10,000 calls under way to a context (see
# `invocation`), and a message has at most 128 MiB.
MAX_CALLS = 20000
MAX_COST = 256 << 20
# Services of one pool: each may need a thread of its own.
MAX_LANES = 256
# Pieces of work that go on though their callers gave up, and in whose place another thread may be used.
MAX_ABANDONED = 32


class Work(object):
    """What waits in a lane and is then run: a request, or something of the pool's own.

    payer      context on whose account it waits; -1 for the pool itself
    cost       bytes that it takes while it waits
    quick      whether a thread that must not be kept may run it
    caused     whether a call that runs here waits for it: then it need not wait for a free thread
    local      whether it was made in this process and runs on the thread that made it: ``begin`` tells that thread
    on_pool    whether it runs on one of the pool's threads
    abandoned  whether another thread took the place of that one, since nobody waits any more
    """

    __slots__ = ("lane", "payer", "cost", "quick", "caused", "on_pool", "abandoned")
    local = False

    def __init__(self, lane: "Any", payer: "int" = -1) -> "None":
        self.lane = lane
        self.payer = payer
        self.cost = 0
        self.quick = self.caused = self.on_pool = self.abandoned = False

    def perform(self) -> "None":
        """Run it on this thread; never raises."""
        raise NotImplementedError

    def drop(self, error: "BaseException") -> "None":
        """The pool closes before it has begun; no lock is held."""


class Lane(object):
    """The work of one service. ``limit`` is how much of it may run at once, None for as much as there are threads."""

    held = "for its turn for ever: %s has it"  # see `cycle`

    def __init__(self, name: "str", limit: "Optional[int]" = None) -> "None":
        self.name = name
        self.limit = limit
        # Until it is active: its activation, and what waits for that.
        self.service: "Any" = None
        self.invoker: "Any" = None
        self.activation: "Any" = None
        self.listener: "Any" = None
        self.loop: "Any" = None  # of its methods that await, once one has
        self.holder: "Any" = None  # the call that runs, where it is one at a time
        self.running = 0
        self.guests = 0  # calls of this process that run beside those, on their callers' threads
        self.waiting: "Deque[Any]" = collections.deque()
        self._queued: "Dict[int, Tuple[int, int]]" = {}  # calls that wait and their cost, by caller
        self._cost = 0
        self.calls = 0
        self.errors = 0
        self.in_turn = False

    @property
    def free(self) -> "bool":
        """May one more run, as far as this service is concerned?"""
        return self.limit is None or self.running < self.limit

    def put(self, work: "Any") -> "None":
        """Queue work. Raises Busy."""
        calls, cost = self._queued.get(work.payer, (0, 0))
        if len(self.waiting) >= MAX_CALLS or calls >= MAX_CALLS // 2 or (
                cost and cost + work.cost > MAX_COST // 2) or (self._cost and self._cost + work.cost > MAX_COST):
            raise Busy("%d calls wait for %s already, %d of them of context %d"
                       % (len(self.waiting), self.name, calls, work.payer))
        self._queued[work.payer] = calls + 1, cost + work.cost
        self._cost += work.cost
        self.waiting.append(work)

    def take(self) -> "Any":
        """The next work; it is running now."""
        work = self.waiting.popleft()
        calls, cost = self._queued.pop(work.payer)
        if calls > 1:
            self._queued[work.payer] = calls - 1, cost - work.cost
        self._cost -= work.cost
        self.running += 1
        return work

    def withdraw(self, work: "Any") -> "None":
        """Work that waits is not to be done after all."""
        self.waiting.remove(work)
        self.waiting.appendleft(work)
        self.take()
        self.running -= 1

    def clear(self) -> "List[Any]":
        """Empty the queue; returns what was in it."""
        dropped = []
        while self.waiting:
            dropped.append(self.take())
            self.running -= 1
        return dropped


class Lanes(object):
    """All lanes of a pool of ``size`` threads; its lock is held by whoever calls."""

    def __init__(self, size: "int") -> "None":
        self.size = size
        self.busy = 0
        self.abandoned = 0
        self.by_name: "Dict[str, Lane]" = {}
        self._turn: "Deque[Lane]" = collections.deque()

    def add(self, name: "str", limit: "Optional[int]" = None) -> "Lane":
        """A new lane. Raises Busy when there are too many."""
        if len(self.by_name) >= MAX_LANES:
            raise Busy("%d services are active here, which is the limit" % MAX_LANES)
        lane = self.by_name[name] = Lane(name, limit)
        return lane

    def put(self, lane: "Lane", work: "Any") -> "None":
        """Queue work in a lane. Raises Busy."""
        lane.put(work)
        self.touch(lane)

    def begin(self, lane: "Lane", work: "Any") -> "bool":
        """Work that need not be queued, since nothing waits before it and it may run at once: it is running now."""
        if work.local or self._turn or lane.waiting or not lane.free or (
                lane.running and self.busy >= self.size and not work.caused):
            return False
        lane.running += 1
        self._begun(lane, work)
        return True

    def _begun(self, lane: "Lane", work: "Any") -> "None":
        work.lane, work.on_pool = lane, True
        self.busy += 1

    def touch(self, lane: "Lane") -> "None":
        """Something changed that may let the next work of a lane begin."""
        while lane.waiting and lane.waiting[0].local and lane.free:
            lane.take().begin()
        if lane.waiting and lane.free and not lane.in_turn:
            lane.in_turn = True
            self._turn.append(lane)

    def ready(self) -> "bool":
        """Could another thread begin something now?"""
        return any(self._may(lane) for lane in self._turn)

    def take(self, quick: "bool" = False) -> "Any":
        """Work that the calling thread runs now, or None; only what is known to be ``quick``, if it says so."""
        for _ in range(len(self._turn)):
            lane = self._turn.popleft()
            lane.in_turn = False
            if not lane.waiting or not lane.free:
                continue  # it is touched when that changes
            if not self._may(lane) or (quick and not lane.waiting[0].quick):
                lane.in_turn = True
                self._turn.append(lane)
                continue
            work = lane.take()
            self._begun(lane, work)
            self.touch(lane)
            return work
        return None

    def _may(self, lane: "Lane") -> "bool":
        if not lane.waiting or not lane.free:
            return False
        return self.busy < self.size or not lane.running or lane.waiting[0].caused

    def done(self, work: "Any") -> "None":
        """Work has ended."""
        lane = work.lane
        lane.running -= 1
        if work.abandoned:
            self.abandoned -= 1
        elif work.on_pool:
            self.busy -= 1
        work.on_pool = False  # its caller may still give it up: a generator on a thread of its own, or a later reply
        self.touch(lane)

    def abandon(self, work: "Any") -> "None":
        """Nobody waits for running work any more: another thread may take its place."""
        if work.on_pool and not work.abandoned and self.abandoned < MAX_ABANDONED:
            work.abandoned = True
            self.abandoned += 1
            self.busy -= 1

    def running(self) -> "bool":
        """Does anything run?"""
        return any(lane.running or lane.guests for lane in self.by_name.values())

    def drop_waiting(self) -> "List[Any]":
        """Empty all queues; returns what was in them."""
        self._turn.clear()
        dropped: "List[Any]" = []
        for lane in self.by_name.values():
            lane.in_turn = False
            dropped += lane.clear()
        return dropped
