"""Equal calls run once: single flight, and a cache with bounds."""

import collections
import threading
import time

from ..bootstrap.calls.current import Call
from ..bootstrap.errors import EncodeError, UsageError
from .invoker import Invoker
from .keys import NoKey, key_of
from .methods import NO_REPLY, method_of
from .request import yields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Hashable, List, Optional, Tuple


class Computation(object):
    """A call that is computed, and everyone who waits for it."""

    held = "for its value for ever: %s computes it"  # see `cycle`

    def __init__(self, key: "Any", leader: "Any") -> "None":
        self.key = key
        self.leader = leader
        self.waiting: "List[Any]" = [leader]
        self.stale = False
        # What runs belongs to all who wait: it is cancelled when the last of them has given up, not the first.
        self.holder = call = Call(leader.call.router, leader.call.id, leader.src)
        call.name, call.lineage, call.in_turn = leader.call.name, leader.call.lineage, True

    def withdraw(self, request: "Any") -> "None":
        """One no longer waits for it; the lock of its invoker is held."""
        self.waiting.remove(request)
        self.stale = self.stale or not self.waiting


class Reply(object):
    """A reply as it is sent to each of several callers."""

    def __init__(self, encoded: "Any", until: "float") -> "None":
        self.encoded = encoded
        self.until = until
        self.size = len(encoded.data) + sum(map(len, encoded.blobs))


class DeduplicatingInvoker(Invoker):
    """Calls of one method with equal arguments run once at a time; all callers get that reply, and it is kept.

    Who waits for a call that is under way holds no thread. Policies are asked for each caller, before this. An error
    goes to all who wait then and is forgotten. A reply is sent as it was when the method returned; local callers, too,
    get a copy of it.

    Set these in a subclass:

    ttl          seconds a reply is kept; None: until it is invalidated or pushed out; 0: not at all
    max_entries  replies kept, the least recently used goes first
    max_bytes    bytes of them together; a reply of more than a quarter of it is not kept
    keep_errors  seconds an error is kept, too
    """

    ttl: "Optional[float]" = 300.0
    max_entries = 1024
    max_bytes = 16 << 20
    keep_errors = 0.0

    def __init__(self, service: "Any") -> "None":
        super().__init__(service)
        self.lock = threading.Lock()
        self._computations: "Dict[Any, Computation]" = {}
        self._kept: "Dict[Any, Any]" = collections.OrderedDict()
        self._size = 0

    def key_from_request(self, method: "str", kwargs: "Dict[str, Any]") -> "Hashable":
        """What makes two calls equal; override it for another idea of that. ``kwargs`` has the defaults filled in.
        Raises NoKey for arguments that cannot be compared: such calls run each for itself."""
        return key_of(method, kwargs)

    def invalidate(self, *args: "str", **kwargs: "Any") -> "int":
        """Forget replies: all, those of ``invalidate("method")``, or that of ``invalidate("method", name=value)``. What
        is computed now is delivered, and not kept. Returns how many were forgotten."""
        if kwargs and len(args) != 1 or len(args) > 1:
            raise UsageError("invalidate(), invalidate(method) or invalidate(method, **arguments)")
        wanted: "Any" = None
        if args:
            method = method_of(type(self.service), args[0], True)
            wanted = (args[0], None)
            if kwargs:
                bound = method.signature.filled(method.signature.bind((), kwargs, args[0]))
                wanted = (args[0], self.key_from_request(args[0], bound))
        with self.lock:
            for key, computation in self._computations.items():
                computation.stale = computation.stale or _meant(key, wanted)
            found = [key for key in self._kept if _meant(key, wanted)]
            for key in found:
                self._size -= self._kept.pop(key).size
            return len(found)

    # -- for the pool

    def admit(self, request: "Any") -> "bool":
        """Join a call that is under way; otherwise it goes on to be computed, or answered from what is kept."""
        try:
            filled = request.signature.filled(request.kwargs)
            # A reply is sent as it was encoded: what one caller wants strictly is not what another takes as it is.
            request.key = (request.method, self.key_from_request(request.method, filled), request.strict)
        except NoKey:
            request.key = None
            return True
        with self.lock:
            computation = self._computations.get(request.key)
            if computation is not None and not computation.stale:
                computation.waiting.append(request)
                request.computation = computation
                return False
            if self._fresh(request.key) is None:
                request.computation = self._computations[request.key] = Computation(request.key, request)
        return True

    def invoke(self, request: "Any") -> "Any":
        """Compute it for all who wait, or take what is kept."""
        computation = request.computation
        if computation is None:
            with self.lock:
                reply = None if request.key is None else self._fresh(request.key)
            if reply is not None:
                return self._give(request, reply)
            return request.run()
        try:
            value = request.run(computation.holder)
            if value is NO_REPLY or yields(value):
                raise UsageError("%s %s: what a DeduplicatingInvoker runs must return its value" % (
                    request.name, "answers later" if value is NO_REPLY else "yields"))
            reply = Reply(self._encoded(request, value), self._until(self.ttl))
        except BaseException as error:
            for waiter in self._ended(computation, Failure(error, self._until(self.keep_errors))):
                if waiter is not request:
                    waiter.fail(error)
            raise
        for waiter in self._ended(computation, reply):
            if waiter is not request:
                waiter.send(reply.encoded)
        return value if request.local else reply.encoded

    def _encoded(self, request: "Any", value: "Any") -> "Any":
        try:
            return request.encode(value)
        except EncodeError as error:
            error.ours = True  # type: ignore[attr-defined]  # rather than the method's, for all who wait
            raise

    def gave_up(self, request: "Any") -> "None":
        """A caller has given up. The computation goes on as long as another waits for it."""
        request.call.cancel()
        with self.lock:
            computation = request.computation
            if computation is None or request not in computation.waiting:
                return
            computation.withdraw(request)
            last = not computation.waiting
        if last:
            computation.holder.cancel()

    def wanted(self, request: "Any") -> "bool":
        """Whether anybody waits for it: others may, when one caller has given up."""
        return not request.given_up if request.computation is None else bool(request.computation.waiting)

    def dropped(self, request: "Any", error: "BaseException") -> "None":
        """It will not be computed after all: who joined it is told."""
        if request.computation is not None and request.computation.leader is request:
            for waiter in self._ended(request.computation, Failure(error, 0.0)):
                if waiter is not request:
                    waiter.fail(error, True)

    def close(self) -> "None":
        """Forget everything."""
        with self.lock:
            self._kept.clear()
            self._size = 0

    # -- the books; the lock is held, but by `_ended` and `_give`

    def _ended(self, computation: "Computation", outcome: "Any") -> "List[Any]":
        with self.lock:
            if self._computations.get(computation.key) is computation:
                del self._computations[computation.key]
            waiters, computation.waiting = computation.waiting, []
            if not computation.stale:
                self._keep(computation.key, outcome)
            return waiters

    def _keep(self, key: "Hashable", outcome: "Any") -> "None":
        if outcome.until <= time.monotonic() or outcome.size > self.max_bytes // 4:
            return
        self._size += outcome.size
        self._kept[key] = outcome
        while len(self._kept) > self.max_entries or self._size > self.max_bytes:
            self._size -= self._kept.popitem(last=False)[1].size  # type: ignore[call-arg]

    def _fresh(self, key: "Hashable") -> "Any":
        outcome = self._kept.get(key)
        if outcome is None:
            return None
        if outcome.until <= time.monotonic():
            self._size -= self._kept.pop(key).size
            return None
        self._kept.move_to_end(key)  # type: ignore[attr-defined]
        return outcome

    def _until(self, seconds: "Optional[float]") -> "float":
        return float("inf") if seconds is None else time.monotonic() + seconds

    def _give(self, request: "Any", outcome: "Any") -> "Any":
        if isinstance(outcome, Failure):
            raise outcome.error
        return request.decode(outcome.encoded) if request.local else outcome.encoded


class Failure(object):
    """An error that is kept for a while."""

    size = 4096  # about what a traceback holds

    def __init__(self, error: "BaseException", until: "float") -> "None":
        self.error = error
        self.until = until


def _meant(key: "Tuple[Any, ...]", wanted: "Optional[Tuple[str, Any]]") -> "bool":
    return wanted is None or (key[0] == wanted[0] and wanted[1] in (None, key[1]))
