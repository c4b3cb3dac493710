"""Work of a pool's own, such as the making of a service."""

import threading

from ..bootstrap.calls.current import Call, enter, running
from ..bootstrap.errors import UsageError
from .lanes import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


def holding_call(kernel: "Any", name: "str") -> "Any":
    """A call that nobody made, for what holds up others while it runs; see `cycle`."""
    call: "Any" = Call(kernel, 0, kernel.id)
    call.name, call.lineage, call.in_turn = name, [kernel.id], True
    return call


class PoolTask(Work):
    """A function in a lane. What it raises is reported."""

    def __init__(self, lane: "Any", function: "Callable[..., Any]", *args: "Any") -> "None":
        super().__init__(lane)
        self._function = function
        self._args = args

    def perform(self) -> "None":
        self._function(*self._args)


class Activation(PoolTask):
    """Makes a service and its invoker; the calls that asked for it wait behind it in its lane. ``cause``: the call that
    needs it first, or None."""

    def __init__(self, pool: "Any", lane: "Any", cls: "Any", cause: "Any" = None) -> "None":
        super().__init__(lane, self._make)
        self.error: "Any" = None
        self.done = threading.Event()
        self._awaits: "Optional[Activation]" = None
        self._pool = pool
        self._cls = cls
        self._call = call = holding_call(pool.kernel, "%s:__init__" % lane.name)
        if cause is not None:
            call.lineage = cause.lineage
        call.activation = self

    def _make(self) -> "None":
        self.lane.holder = self._call
        enter(self._call)
        try:
            self._pool.table.make(self.lane, self._cls)
        except BaseException as error:  # whatever its module or its constructor does
            self.error = error
            self._pool.table.not_active(self.lane, error)
        finally:
            self.lane.holder = None
            enter(None)
            self.done.set()

    def wait(self) -> "None":
        """Wait until it has ended. Raises UsageError if it needs what the waiting thread makes, and Cancelled in a call
        that its caller gave up."""
        from ..calling.waiting import wait_in_call
        mine = getattr(running(), "activation", None)
        if mine is None:
            wait_in_call(self.done.wait)
            return
        with self._pool.workers.lock:
            each: "Optional[Activation]" = self
            while each is not None:
                if each is mine:
                    raise UsageError("%s needs itself to be made" % mine.lane.name)
                each = each._awaits
            mine._awaits = self
        try:
            wait_in_call(self.done.wait)
        finally:
            mine._awaits = None

    def drop(self, error: "BaseException") -> "None":
        self.error = error
        self.done.set()
