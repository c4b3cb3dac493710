"""What a process knows of the contexts it can call: how each was started, the calls to it, and what became of it."""

import collections
import threading

from ..bootstrap.errors import UsageError
from ..calling.invocation import OutstandingCalls
from .start import magic_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque, Dict, Iterable, Optional, Tuple

    from ..calling.context import Context

# Contexts that are gone and can still be asked what became of them.
MAX_GONE = 1024
# The latest of them still have their links and connections, for whoever is just closing one. Of the others there is
# only what may be asked: a connection over SSH is 50 KiB and more.
MAX_WHOLE = 16


class Ledger(object):
    """The books by context id. Thread-safe.

    ``starts``  how each was started: a ``Start`` or ``Settled``.
    ``hops``    the contexts between us and one that was started by another: those it asks for its modules.
    ``bases``   of a context, the one that is there for nothing else.
    ``peers``   the books of calls.
    """

    def __init__(self) -> "None":
        self.starts: "Dict[int, Any]" = {}
        self.hops: "Dict[int, Tuple[int, ...]]" = {}
        self.bases: "Dict[int, Context]" = {}
        self.peers: "Dict[int, OutstandingCalls]" = {}
        self._gone: "Deque[int]" = collections.deque()
        self._lock = threading.Lock()

    def start_of(self, number: "int") -> "Any":
        """How a context was started: ``info``, ``phases``, ``wait()``. Raises UsageError if not by this process."""
        try:
            return self.starts[number]
        except KeyError:
            raise UsageError("context %d was started by another process, which knows more of it" % number) from None

    def failure_of(self, number: "int") -> "Optional[BaseException]":
        """Why a context never came up; None if it did, or if another process started it."""
        start = self.starts.get(number)
        return start.error if start is not None else None

    def peer(self, number: "int") -> "OutstandingCalls":
        """The book of calls to a context."""
        peer = self.peers.get(number)
        if peer is None:
            with self._lock:
                peer = self.peers.setdefault(number, OutstandingCalls(number))
        return peer

    def forget(self, number: "int") -> "None":
        """Nobody will ask for a context again."""
        self.starts.pop(number, None)
        self.peers.pop(number, None)
        self.hops.pop(number, None)
        self.bases.pop(number, None)

    def on_gone(self, gone: "Iterable[int]") -> "None":
        """Contexts are gone. The latest are kept, for whoever asks why."""
        with self._lock:
            for number in gone:
                self._gone.append(number)
                if len(self._gone) > MAX_WHOLE:
                    self._reduce(self._gone[-1 - MAX_WHOLE])
            while len(self._gone) > MAX_GONE:
                self.forget(self._gone.popleft())

    def _reduce(self, number: "int") -> "None":
        """Keep of a context that is gone what it was and why it failed."""
        start = self.starts.get(number)
        if start is not None and start.decided:
            if start.error is not None:  # its traceback has the frames of whoever it was raised to, and all they hold
                start.error.with_traceback(None)
            self.starts[number] = Settled(start.host, start.info, start.phases, start.error)


class Settled(object):
    """What is known of a context that somebody else started for us, or that is gone."""

    decided = True
    diagnostics = ""
    asked_by = None

    def __init__(self, host: "str", info: "Dict[str, Any]", phases: "Optional[Dict[str, float]]" = None,
                 error: "Optional[BaseException]" = None) -> "None":
        self.host = host
        self.info = info
        self.phases = phases or {}
        self.error = error
        self.magic = magic_in(info)
        self.ready = error is None

    def wait(self, timeout: "Optional[float]" = None) -> "Dict[str, Any]":
        """It is up already, or it never was: then this raises its error."""
        if self.error is not None:
            raise self.error
        return self.info
