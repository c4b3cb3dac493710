"""What running a method needs of its context, on the master and on a child: output, streams, the end of a stream."""

import threading

from ..bootstrap.calls.refusals import CLOSING
from ..bootstrap.errors import Lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Generators that one caller may have open, with all behind it: it must not take the threads of all others by not
# reading.
MAX_STREAMS = 32


class Runner(object):
    """Of one pool; for ``unfold`` it is what an executor is."""

    def __init__(self, pool: "Any") -> "None":
        self.router = pool.kernel
        self._pool = pool
        # What a child prints for a call is drained as for other calls; on the master it is the program's own output.
        self._executor = getattr(pool.kernel, "executor", None)
        self._unfolder: "Any" = None
        self._lock = threading.Lock()  # held from counting the open generators until one more is open

    def drain(self, call: "int") -> "None":
        """Return when all that a call has printed is on its way."""
        if self._executor is not None:
            self._executor.drain(call)

    def stream(self, request: "Any", items: "Any", hold: "bool") -> "None":
        """Send what a generator yields: on this thread if ``hold``, else on one of its own. Raises Full."""
        from ..bootstrap.calls.awaiting import from_async
        from ..bootstrap.calls.execute import Full
        from ..bootstrap.calls.unfold import Unfolder
        if request.silent:
            for _ in from_async(items) if hasattr(type(items), "__anext__") else items:
                pass
            request.take_answer()
            return
        with self._lock:
            streams = sum(each.call.open for each in self._pool.callers.open_of(request.payer))
            if streams >= MAX_STREAMS:
                raise Full("%d generators are open for context %d, which is the limit" % (streams, request.payer))
            request.call.open = True
            if self._unfolder is None:
                self._unfolder = Unfolder(self.router, self)
        request.call.request = request
        if self._pool.closed:  # it may have listed the open generators before this one was among them
            request.call.open = False
            request.refuse(Lost(CLOSING))
            return
        if hold:
            try:
                self._unfolder.produce(request.call, request.wire_message, items)
            finally:
                request.take_answer()
        else:
            self._pool.workers.streams(1)
            try:
                self._unfolder(request.call, request.wire_message, items)
            except BaseException:  # also what ends a thread: the count must be right
                request.call.open = False
                self._pool.workers.streams(-1)
                raise

    def finished(self, call: "Any") -> "None":
        """A generator on a thread of its own has ended."""
        call.request.take_answer()
        self._pool.workers.streams(-1)
