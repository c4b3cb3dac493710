"""Stdout and stderr before the capture is there: its code follows the first call, which mostly prints nothing.

Fds 1 and 2 are pipes from the start: nothing is lost, nothing reaches the protocol. Who prints first, or replies while
something is in them, waits for the capture.
"""
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class Outlet(object):
    """``make()`` returns a capture, its ``install`` not yet called; importing it may wait for the parent."""

    def __init__(self, make: "Callable[[], Any]") -> "None":
        self._make = make
        self._lock = threading.RLock()
        self._capture: "Any" = None
        self._pipes = [os.pipe(), os.pipe()]
        for fd, (_end, pipe) in zip((1, 2), self._pipes):
            os.dup2(pipe, fd)
        sys.stdout, sys.stderr = Later(self, 0), Later(self, 1)

    def capture(self) -> "Any":
        """The capture, installed."""
        if self._capture is None:
            with self._lock:
                if self._capture is None:
                    capture = self._make()
                    capture.install(self._pipes)
                    self._capture = capture
        return self._capture

    def drain(self, call: "int") -> "None":
        """Return when all that a call has written is on its way; 0 for what no call wrote."""
        if self._capture is None:
            import select
            if not select.select([pipe[0] for pipe in self._pipes], [], [], 0)[0]:
                return
        self.capture().flush_call(call)


class Later(object):
    """One of the two streams: its first use brings the capture, which does it all."""

    def __init__(self, outlet: "Outlet", number: "int") -> "None":
        self._outlet = outlet
        self._number = number

    def __getattr__(self, name: "str") -> "Any":
        return getattr(self._outlet.capture().streams[self._number], name)
