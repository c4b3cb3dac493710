"""Chains: calls that run in the order they were made; after the first error the others report it instead of running."""
import collections
import threading

from ..links import wire
from .dispatcher import parked
from .outcome import fail_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

# Chains remembered at once; an older one that is used again starts anew.
MAX_CHAINS = 4096


class Chain(object):
    """One chain's turn and its first error."""

    def __init__(self) -> "None":
        self.next = 0
        self.error: "Any" = None
        self.parked: "Dict[int, Any]" = {}


class Chains(object):
    """The chains of one context. A call that is early is parked and run by the thread of its predecessor."""

    def __init__(self, router: "Any", executor: "Any") -> "None":
        self._dispatcher = router.dispatcher
        self._executor = executor
        self._lock = threading.Lock()
        self._chains: "Dict[Tuple[int, int], Chain]" = collections.OrderedDict()

    def run(self, call: "Any", message: "Any", work: "Tuple[Any, Any, Any, Dict[str, Any]]") -> "Any":
        """Run a call of a chain and those that wait for it; returns ``parked`` if it is left for the one before it."""
        number, turn = work[3]["chain"]
        with self._lock:
            chain = self._chains.setdefault((message.src, number), Chain())
            if len(self._chains) > MAX_CHAINS:
                self._chains.popitem(last=False)  # type: ignore[call-arg]
            if turn != chain.next:
                call.parked = True
                chain.parked[turn] = (call, message, work)
                return parked
        while True:
            self._one(chain, call, message, work)
            if not call.open:
                self._dispatcher.finished(call)
            with self._lock:
                chain.next += 1
                following = chain.parked.pop(chain.next, None)
                if following is None:
                    return None
            call, message, work = following
            call.parked = False
            if work[3].get("thread") == "main" and threading.current_thread() is not threading.main_thread():
                message.flags &= ~wire.CAUSED  # what it counted for was given back when it was parked
                self._dispatcher.others.hand_to_main(message, call)
                return None

    def _one(self, chain: "Chain", call: "Any", message: "Any", work: "Any") -> "None":
        if chain.error is None:
            chain.error = self._executor.run(call, message, *work)
        else:
            fail_with(self._executor, call, message, chain.error)
