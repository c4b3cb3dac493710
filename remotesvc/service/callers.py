"""What a pool keeps for each context that calls it."""

import collections
import time

from ..bootstrap.routing.mailbox import Mailbox
from ..messages.here import attend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

# Unanswered calls of one context: as many as it allows itself (see `invocation`), and some more for those that it gave
# up.
MAX_OPEN = 12000
# Cancels remembered that came before their call: a large call is slower than its cancel.
MAX_EARLY = 256
# For so many seconds after a context did not take an answer in time, no answer waits for it.
DEAF = 60.0
# Callers without an open call that are remembered.
MAX_IDLE = 256


def payer_of(router: "Any", src: "int") -> "int":
    """On whose account a caller calls: of our children whoever leads to it, which may have made it up."""
    child = router.routes.towards(src)
    return src if child is None else child


class Caller(Mailbox):
    """One calling context. As a mailbox that nobody writes to, it hears when that context is lost."""

    source: "int"

    def __init__(self, src: "int", lost: "Callable[[Caller], Any]") -> "None":
        self.source = src
        self.handle = 0
        self.open: "Dict[int, Any]" = {}
        self.early: "Dict[int, bool]" = collections.OrderedDict()
        self.gone = False
        self._lost = lost
        self._deaf_until = 0.0

    def on_closed(self, error: "BaseException") -> "None":
        """It is lost, or our router closes."""
        self.gone = True  # before a look at what is open: who enters a call looks at this afterwards
        self._lost(self)

    def patience(self, seconds: "float") -> "float":
        """How long an answer may wait for it."""
        return 0.0 if time.monotonic() < self._deaf_until else seconds

    def deaf(self) -> "None":
        """Note that it did not take an answer in time."""
        self._deaf_until = time.monotonic() + DEAF

    def remember(self, handle: "int") -> "None":
        """Note the cancel of a call that is not here yet."""
        self.early[handle] = True
        if len(self.early) > MAX_EARLY:
            self.early.popitem(last=False)  # type: ignore[call-arg]


class Callers(object):
    """All callers of one pool. Only its intake adds, so no lock is needed for that."""

    def __init__(self, router: "Any", gave_up: "Callable[[Any], Any]") -> "None":
        self._router = router
        self._gave_up = gave_up
        self._known: "Dict[int, Caller]" = collections.OrderedDict()

    def get(self, src: "int") -> "Any":
        """What is known of a caller, or None."""
        return self._known.get(src)

    def of(self, src: "int") -> "Caller":
        """The caller, remembered from now on."""
        caller = self._known.get(src)
        if caller is None:
            caller = Caller(src, self._lost)
            caller.handle = self._router.open(caller)
            self._known[src] = caller
            attend(self._router, src)
            if len(self._known) > MAX_IDLE:
                self._forget_idle()
        return caller

    def look_after(self, caller: "Caller") -> "None":
        """A call of it is in the books: give that up if it was lost before it was, when nobody could tell of it."""
        hub = self._router.hub
        if caller.gone or (hub is not None and caller.source in hub.lost):
            self._router.drop(caller.handle)
            self._lost(caller)

    def _forget_idle(self) -> "None":
        """Forget callers without an open call, those first that have been known longest."""
        for src, caller in list(self._known.items())[:-MAX_IDLE]:
            if not caller.open:
                self._router.drop(caller.handle)
                self._known.pop(src, None)

    def _lost(self, caller: "Caller") -> "None":
        if self._known.get(caller.source) is caller:
            del self._known[caller.source]
        for request in list(caller.open.values()):
            self._gave_up(request)

    def open_of(self, payer: "int") -> "List[Any]":
        """The open calls of all callers on one account; see ``payer_of``."""
        return [request for caller in list(self._known.values()) for request in list(caller.open.values())
                if request.payer == payer]

    def streams(self) -> "List[Any]":
        """The calls whose generators are open."""
        return [request for caller in list(self._known.values()) for request in list(caller.open.values())
                if request.call.open]

    def close(self) -> "List[Any]":
        """Forget all; returns the calls that are open."""
        known, self._known = self._known, collections.OrderedDict()
        for caller in known.values():
            self._router.drop(caller.handle)
        return [request for caller in known.values() for request in list(caller.open.values())]
