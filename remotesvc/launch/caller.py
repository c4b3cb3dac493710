"""What calls need of the process that makes them: the books of contexts, futures, pickles, modules to send along."""

import threading

from ..bootstrap.data.codec import Bindings
from ..bootstrap.data.secret import Secret
from ..bootstrap.errors import Cancelled, UsageError
from ..calling.inbox import Inbox
from ..calling.promise import Promise
from ..calling.targets import Targets
from .ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from ..calling.context import Context


class Caller(object):
    """One process as a caller. What a child does not have or do is empty here; the master's own class overrides it."""

    cancelled_class: "Any" = Cancelled
    # How tracebacks get source lines of modules that we sent; a child has none to look up.
    source_line: "Any" = None

    def __init__(self, router: "Any") -> "None":
        self.router = router
        # For calls: what is registered is known here, not there, so there are no classes.
        self.sending = Bindings()
        self.sending.home = router
        self.targets = Targets()
        self.ledger = Ledger()
        self.callbacks = Inbox(router, "remotesvc-callbacks", lambda message: None)
        self._pickles: "Any" = None
        self._turns: "Any" = None
        self._lock = threading.Lock()

    def own(self, handle: "Any") -> "None":
        """Raise UsageError for a Context or Sender that belongs to another Router."""
        if handle.__remotesvc_wire__()[3] is not self.router:
            raise UsageError("%r belongs to another Router" % (handle,))

    def busy(self, neighbour: "Optional[int]") -> "bool":
        """Is a call under way to a context behind this neighbour?"""
        return any(peer.unanswered and self.router.routes.towards(number) == neighbour
                   for number, peer in list(self.ledger.peers.items()))

    def future(self, invocation: "Any") -> "Any":
        """Submit: the future of a call that is on its way."""
        future = self.make_future(invocation)
        future.begin()
        if invocation.options.timeout is not None:
            timer = self.router.timers.after(invocation.options.timeout, lambda: self.callbacks.run(future.expire))
            future.when_settled(lambda _future: timer.cancel())
        return future

    def make_future(self, invocation: "Any") -> "Any":
        """The future of a call, not yet sent."""
        return Promise(invocation, self.callbacks.run)

    def bindings_with(self, classes: "Dict[str, type]") -> "Bindings":
        """The router's bindings, and classes named for one call."""
        own = self.router.bindings
        return Bindings(dict(own.classes, **classes), own.make_context, own.make_sender)

    def cancelled(self, message: "str", host: "str", call: "str") -> "BaseException":
        """The error of a call that was cancelled, as this process knows it."""
        return self.cancelled_class(message, host, call)  # type: ignore[no-any-return]

    def after_output(self, context: "Optional[int]" = None) -> "None":
        """Return once what has arrived before now was shown, of one context or of all; only the master shows
        anything."""

    def modules_for(self, number: "int", target: "Any") -> "List[Any]":
        """Modules to send along with a call. A child sends none: its children ask it."""
        return []

    def pickle(self, context: "Context", work: "Tuple[Any, Any, Any]") -> "Tuple[List[Any], List[Any]]":
        """What ``bootstrap.calls.pickled`` takes of a function, its arguments and keywords; modules to send along."""
        start = self.ledger.starts.get(context.id)
        pickles, names = self.pickles.parts(work, start)
        if start is not None and Secret.__module__ in names:
            start.wait()  # a secret waits until we know who is there, as one that is not pickled does
        return pickles, self.modules_named(context.id, names)

    def modules_named(self, number: "int", names: "List[str]") -> "List[Any]":
        """Modules to send along with what names them; see ``modules_for``."""
        return []

    def whole(self, context: "Context", names: "List[str]") -> "Tuple[bytes, str]":
        """All that calls of something in these modules can be seen to import, for a process that cannot ask later:
        packed entries and replies to other requests, marshalled, and what it is told of all else. Raises UsageError on
        a child, which cannot tell."""
        raise UsageError("called code begins no detached jobs: only the master can tell what they import")

    @property
    def pickles(self) -> "Any":
        """What makes pickles, made at the first use: a child has to fetch it."""
        if self._pickles is None:
            from ..pickling.parts import Pickles
            with self._lock:
                self._pickles = self._pickles or Pickles(self.ask_above, self.own)
        return self._pickles

    @property
    def turns(self) -> "Any":
        """Which transfers may begin, made at the first: a child has to fetch it."""
        if self._turns is None:
            from ..calling.turns import Turns
            with self._lock:
                self._turns = self._turns or Turns()
        return self._turns

    def ask_above(self, request: "Any") -> "Dict[str, Any]":
        """Our parent's reply to a request for a module or definition."""
        return self.router.importer().request(request)  # type: ignore[no-any-return]
