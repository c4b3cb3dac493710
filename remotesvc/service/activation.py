"""Work of a pool's own, such as the making of a service."""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class PoolTask(object):
    """A function in a lane. What it raises is reported."""

    payer = -1
    cost = 0
    own_thread = caused = on_pool = abandoned = quick = False

    def __init__(self, lane: "Any", function: "Callable[..., Any]", *args: "Any") -> "None":
        self.lane = lane
        self._function = function
        self._args = args

    def perform(self) -> "None":
        """Run it on this thread."""
        self._function(*self._args)


class Activation(PoolTask):
    """Makes a service and its invoker; the calls that asked for it wait behind it in its lane."""

    def __init__(self, pool: "Any", lane: "Any", cls: "Any") -> "None":
        super().__init__(lane, self._make)
        self.error: "Any" = None
        self.thread = 0
        self.done = threading.Event()
        self._pool = pool
        self._cls = cls

    def _make(self) -> "None":
        self.thread = threading.get_ident()
        try:
            self._pool.table.make(self.lane, self._cls)
        except BaseException as error:  # whatever its module or its constructor does
            self.error = error
            self._pool.table.not_active(self.lane, error)
        finally:
            self.done.set()

    def fail(self, error: "BaseException") -> "None":
        """The pool ends before it came to that."""
        self.error = error
        self.done.set()
