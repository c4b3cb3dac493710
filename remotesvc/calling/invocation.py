"""One call on its way: made once, sent once, ended once."""

import threading
import time

from ..bootstrap.calls.ask import discard, error_untrusted, withdraw
from ..bootstrap.calls.current import running
from ..bootstrap.calls.lineage import TOKENS, note_on_main, without_tokens
from ..bootstrap.calls.pending import Pending, brief
from ..bootstrap.data.places import FOREIGN
from ..bootstrap.errors import CallTimeout, Cancelled, EncodeError, Error, NotSent, UsageError, VersionSkewError
from ..bootstrap.links import wire
from ..bootstrap.links.patience import settle
from ..bootstrap.routing.router import Message
from .items import Arrivals, Items
from .outcomes import bindings_for, error_classes, give_up, own_error
from .plain import marshalled
from .waiting import wait_in_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

    from .context import Context
    from .options import Options

# While at most this many are, a caller writes its own frame: beyond it, coalescing wins.
DIRECT_UP_TO = 2
# Calls that may be without an answer at once, so that a caller in a loop waits here rather than fill memory.
MAX_UNANSWERED = 10000
# How strict the codec is with arguments: what would arrive as another type goes as a pickle, see `data.classes`.
OWN = "own"
# What code of ours raises in a call that was given up, as a CallError tells it.
_GIVEN_UP = tuple("%s.%s" % (each.__module__, each.__qualname__) for each in (Cancelled, CallTimeout))
# Stands for an outcome that has been taken: a value may be large, and a future lives long.
taken = object()


class OutstandingCalls(object):
    """What this process keeps for a context, however many handles to it there are."""

    def __init__(self, context: "int") -> "None":
        self.context = context
        self.told: "Set[str]" = set()
        self.unanswered: "Set[int]" = set()  # the handles of calls; a set changes in one step, so that takes no lock
        self._waiting = 0
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)

    def enter(self, handle: "int", deadline: "Optional[float]") -> "int":
        """One more call; waits while there are MAX_UNANSWERED. Returns how many there are. Raises CallTimeout."""
        unanswered = self.unanswered
        if len(unanswered) >= MAX_UNANSWERED:
            self._wait(deadline)
        unanswered.add(handle)
        return len(unanswered)

    def _wait(self, deadline: "Optional[float]") -> "None":
        with self._lock:
            self._waiting += 1  # first: who leaves looks at it afterwards, so that one of us sees the other
            try:
                while len(self.unanswered) >= MAX_UNANSWERED:
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        raise CallTimeout("%d calls are unanswered" % len(self.unanswered))
                    self._wake.wait(left)
            finally:
                self._waiting -= 1

    def leave(self, handle: "int") -> "None":
        """One call less, if it was not less already."""
        self.unanswered.discard(handle)
        if self._waiting:
            with self._lock:
                self._wake.notify()


class Invocation(Pending):
    """One call on its way: made once, sent once, ended once."""

    # Thousands may be under way, so they are small, and let go of the arguments once these have been encoded.
    __slots__ = ("context", "tree", "router", "options", "target", "args", "kwargs", "deadline", "peer", "chained",
                 "sent", "tokens", "awaited", "_given_up")
    called = wire.CALL  # the mailbox it goes to
    ours = "call the function itself"  # what to do instead where the context is the one that calls

    def __init__(self, context: "Context", fn: "Any", args: "Tuple[Any, ...]", kwargs: "Dict[str, Any]",
                 options: "Options") -> "None":
        tree = self.tree = context.tree
        target = self.target = tree.targets.of(fn)  # type: Any
        Pending.__init__(self, context.id, target.name)
        self.context = context
        self.router = tree.router
        self.options = options
        self.args: "Any" = list(target.args + args)
        self.kwargs: "Any" = dict(target.kwargs, **kwargs) if target.kwargs else kwargs
        self.deadline = None if options.timeout is None else time.monotonic() + options.timeout
        self.peer = tree.ledger.peer(context.id)
        self.chained: "Optional[Tuple[int, int]]" = None
        self.sent = self.awaited = self._given_up = False
        self.tokens: "Tuple[int, ...]" = ()

    def result(self) -> "Any":
        """Send it, wait, and return or raise what it ended with."""
        self.awaited = True
        try:
            self.start()
            if not wait_in_call(self.wait, None if self.deadline is None else self.deadline - time.monotonic(),
                                self.tokens):
                raise self.late()
            self.tree.after_output(self.source)
        except BaseException:  # Ctrl-C while waiting, too
            self.abandon()
            discard(self)
            raise
        return self.value()

    def start(self) -> "None":
        """Send it; it is settled when it has ended. Raises what ``send`` does."""
        if self.router.forgotten:  # a generator, say, that counts there as open until we close it
            settle(self.router)
        handle = self.handle = self.router.open(self)
        try:
            self.send(handle, self.peer.enter(handle, self.deadline) <= DIRECT_UP_TO)
        except BaseException as error:
            if not isinstance(error, Error):  # Ctrl-C, or what another signal's handler raised: it may have left
                self.abandon()
            self.router.drop(handle)
            self.peer.leave(handle)
            self.notify = None  # whoever made it learns it from this error
            if isinstance(error, NotSent) and isinstance(self.outcome, BaseException):
                raise self._failed(self.outcome) from None  # it says why
            raise

    def send(self, handle: "int", direct: "bool" = True) -> "None":
        """Encode and post it. Raises EncodeError, NotSent, CallTimeout."""
        encoded, flags = self._encode()
        self.args = self.kwargs = self.target = None
        if encoded.secret:
            # Not in the first flight: a secret waits until we know who is there.
            self.tree.ledger.start_of(self.context.id).wait()
        try:
            self.router.post(self.context.id, self.called, encoded, handle, flags, wire.CALLS, direct, self.deadline,
                             lambda: self._given_up)
            self.sent = True
        except (NotSent, CallTimeout) as error:
            raise self._failed(self.tree.ledger.failure_of(self.context.id) or error) from None

    def _encode(self) -> "Tuple[Any, int]":
        options, flags, cause = self.options.wire, 0, running()
        if cause is None and self.chained is None and self.deadline is None:  # nearly all
            return self._encoded(options, self._modules()), 0
        options = dict(options)
        if cause is not None:
            # Those who wait for the running call do not wait for what it only submits, or casts.
            lineage = cause.lineage if self.awaited else without_tokens(cause.lineage)
            on_main = threading.current_thread() is threading.main_thread()
            if self.handle and (cause.in_turn or on_main):
                # What comes back to where this one is waited for would wait for ever.
                self.tokens = (next(TOKENS),)
                lineage = lineage + [-self.tokens[0]]
                if on_main:
                    note_on_main(cause)
            options["lineage"] = lineage
            flags = wire.CAUSED if self.context.id in cause.lineage else 0
        if self.chained is not None:
            options["chain"] = list(self.chained)
        if self.deadline is not None:
            options["timeout"] = max(0.0, self.deadline - time.monotonic())
        return self._encoded(options, self._modules()), flags

    def _modules(self) -> "List[Any]":
        told = self.peer.told
        if self.target.module in told:
            return []
        modules: "List[Any]" = self.tree.modules_for(self.context.id, self.target)
        if not modules:  # what was sent once is not sent again: no need to ask for each call
            told.add(self.target.module)
        return modules

    def _encoded(self, options: "Dict[str, Any]", modules: "List[Any]") -> "Any":
        router, address = self.router, self.target.address
        if address is not None:
            try:
                parts = brief(address, self.args, self.kwargs, options, modules)
                return marshalled(parts) or router.codec.encode(
                    parts, self.tree.sending, self.options.strict_types or OWN, "call")
            except EncodeError as error:
                if error.reason == FOREIGN:
                    raise self.in_arguments(error) from None
                unable: "Optional[EncodeError]" = error
        else:
            unable = None
        try:
            pickles, named = self._pickled((self.target.function or address, self.args, self.kwargs))
            options = dict(options, pickle=pickles, name=self.call)
            return router.codec.encode(brief(None, [], {}, options, modules + named), None, False, "call")
        except Exception as error:  # pickle fails with whatever the object raises
            if unable is not None and not self.options.strict_types:
                try:
                    return router.codec.encode(parts, self.tree.sending, False, "call")
                except EncodeError as still:
                    unable = still
            if isinstance(error, (VersionSkewError, UsageError)):
                raise
            raise self._unable(unable, error) from None

    def _unable(self, unable: "Optional[EncodeError]", error: "Exception") -> "EncodeError":
        """The error of a call that the codec, if it was asked, refuses with ``unable``, and that cannot be pickled."""
        found = None
        if not isinstance(error, EncodeError):  # else it could, and is too large
            from .culprit import culprit, culprit_of
            from .targets import known_as
            pickles, codec, start = self.tree.pickles, self.router.codec, self.tree.ledger.starts.get(self.context.id)
            function = self.target.function
            found = culprit(self.args, self.kwargs, lambda value: pickles.parts(value, start),
                            lambda value, place: codec.encode(value, self.tree.sending, False, place), pickles.inside)
            if found is None and function is not None:
                found = culprit_of(function, self.call, lambda value: pickles.parts(value, start), pickles.inside,
                                   known_as(function))
        if found is None and unable is not None:
            return self.in_arguments(unable)
        return found or EncodeError("cannot be pickled: %s: %s" % (type(error).__name__, error), self.call)

    def _pickled(self, work: "Tuple[Any, Any, Any]") -> "Tuple[List[Any], List[Any]]":
        return self.tree.pickle(self.context, work)

    def items(self) -> "Arrivals":
        """The mailbox of what a generator yields."""
        return Arrivals(self.context, self.handle, self.source, self.call,
                        error_classes(self.context, self.options.classes), self._give_up, self.tokens)

    def abandon(self) -> "bool":
        """Nobody waits any more: take it back if it has not left, else tell the target. True if it never left."""
        self._given_up = True
        if self.router.drop(self.handle) is None:
            return False
        self.peer.leave(self.handle)
        if self.chained is None and withdraw(self.router, self.source, wire.CALLS, self.handle):
            return True
        self._give_up(self.handle)
        return False

    def value(self) -> "Any":
        """The value of an answered call; raises its error. Only once."""
        outcome, classes = self.outcome, self.options.classes
        self.outcome = taken
        try:
            self.peer.leave(self.handle)
            if type(outcome) is not Message:
                if isinstance(outcome, Arrivals):
                    return Items(outcome)
                self.router.drop(self.handle)
                raise self._failed(outcome) from None
            self.router.drop(self.handle)
            value = outcome.decode(bindings_for(self.context, classes) if classes else None)
        finally:
            if type(outcome) is Message:  # after Ctrl-C, too
                outcome.release()
        if outcome.flags & wire.ERROR:
            self._raise(own_error(self.context, self._error(value), self.call))
        return value

    def _raise(self, error: "BaseException") -> "None":
        """Raise the error of an answer. What ended there because its time was over may be told before our own clock
        is heard: it is the same timeout."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        if late and (isinstance(error, Cancelled) or getattr(error, "type_name", "") in _GIVEN_UP):
            raise self.late() from error
        raise error

    def late(self) -> "CallTimeout":
        """What its caller is told when its time is over."""
        return CallTimeout("no answer within %g s" % (self.options.timeout or 0), self.context.name, self.call)

    @staticmethod
    def in_arguments(error: "EncodeError") -> "EncodeError":
        """An error of encoding a call, with the place as the caller knows it."""
        where = error.where
        for place, name in (("call[1]", "args"), ("call[2]", "kwargs")):
            if where.startswith(place):
                where = name + where[len(place):]
        return EncodeError(error.reason, where, error.type_name)

    def _give_up(self, handle: "int") -> "None":
        give_up(self.context, handle)

    def _failed(self, error: "BaseException") -> "BaseException":
        """What its caller is told when it ended without a reply."""
        if type(error) is NotSent and self.context.id == self.router.id:
            error = NotSent("this is the calling context itself: %s" % self.ours)
        return own_error(self.context, error, self.call)

    def _error(self, value: "Any") -> "BaseException":
        """The error that an error reply stands for."""
        return error_untrusted(value, self.context.name, self.call, error_classes(self.context, self.options.classes),
                               self.tree.source_line)

