"""A service's own Select: what its receivers get is dealt with on threads of the pool."""

import threading

from ..bootstrap.calls.current import enter
from ..bootstrap.errors import Busy, Error
from ..messages.waitable import NOTHING
from .activation import PoolTask, holding_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Seconds after which a service that had too much to do looks at its Select again.
AGAIN = 0.5


class Listener(object):
    """Has ``on_message`` of a service called for each event of its Select, as work like its calls: one after the other
    where these are, overlapping where these do."""

    def __init__(self, workers: "Any", lane: "Any", service: "Any", select: "Any") -> "None":
        self._workers = workers
        self._lane = lane
        self._service = service
        self._select = select
        self._lock = threading.Lock()
        self._queued = False
        self._timers = service.pool.kernel.timers
        self._name = "%s:on_message" % lane.name
        select.notify = self._stir

    def _stir(self, select: "Any") -> "None":
        """There may be an event; on any thread. One look at a time is queued."""
        with self._lock:
            if self._queued:
                return
            self._queued = True
        try:
            self._workers.put(self._lane, PoolTask(self._lane, self._look))
        except Busy:  # its service has as much to do as it may: another look, later
            with self._lock:
                self._queued = False
            self._timers.after(AGAIN, lambda: self._stir(select))
        except Error:  # the pool has been closed, and nobody listens any more
            pass

    def _look(self) -> "None":
        with self._lock:
            self._queued = False
        event = self._select.poll()
        if event is NOTHING:
            return
        self._stir(self._select)  # there may be more: another thread looks, or this one, later
        lane, call = self._lane, holding_call(self._service.pool.kernel, self._name)
        try:
            enter(call)
            if lane.limit == 1:
                lane.holder = call
            self._service.on_message(event)
        finally:
            if lane.limit == 1:
                lane.holder = None
            enter(None)
