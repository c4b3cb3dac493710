"""One call to a service: what it runs, and its one answer."""

import threading
import time
import types
import weakref

from ..bootstrap.calls.current import enter, running
from ..bootstrap.calls.execute import PLAIN
from ..bootstrap.data.pack import Encoded
from ..bootstrap.errors import Cancelled, EncodeError, Lost
from .lanes import Work
from .message import Message
from .methods import NO_REPLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


def yields(value: "Any") -> "bool":
    """Is it a generator, which its caller iterates?"""
    if type(value) in PLAIN:
        return False
    from ..bootstrap.calls.unfold import iterates
    return iterates(value)


class Request(Work):
    """A call. Whoever makes it says where its answer goes: ``RemoteRequest``, ``LocalRequest``.

    src          context id of its caller
    auth         context id in whose name it is made
    commands     whether its caller is a parent of this context, or this context itself
    silent       whether nobody wants an answer
    hurry        whether whoever answers it must not wait: so it is until it has been let in
    given_up     whether its caller waits no more
    computation  where one answers several, that which this one shares
    """

    __slots__ = ("pool", "router", "name", "target", "method", "marks", "function", "signature", "args", "kwargs",
                 "call", "src", "auth", "commands", "strict", "silent", "given_up", "hurry", "key", "computation",
                 "_given", "_later", "_answered", "_lock", "_seen")

    def __init__(self, pool: "Any", call: "Any", src: "int", payer: "int") -> "None":
        super().__init__(None, payer)
        self.pool = pool
        self.router = pool.kernel
        self.call = call
        self.name = call.name
        self.target = ""
        self.method = ""
        self.marks: "Any" = None  # of the method, see `methods`
        self.function: "Any" = None
        self.signature: "Any" = None
        self.args: "Any" = ()
        self.kwargs: "Any" = {}
        self.src = src
        self.auth = src
        self.commands = True
        self.strict = self.silent = self.given_up = False
        self.hurry = True
        self.key: "Any" = None
        self.computation: "Any" = None
        self._given: "Any" = None
        self._seen: "Optional[weakref.ReferenceType[Message]]" = None
        self._later = False
        self._answered = False
        self._lock = threading.Lock()

    # -- before it runs

    def prepare(self, lane: "Any", method: "Any") -> "None":
        """Fit its arguments to the method it names. Raises ArgumentError."""
        self.lane = lane
        self.marks, self.quick = method, method.quick
        self.function = method.function
        self.signature = method.signature
        self.kwargs = self.signature.bind(self.args, self.kwargs, self.name)
        self.args = ()

    # -- on the thread that runs it

    def perform(self) -> "None":
        """Run it and answer."""
        before, begun, lane = running(), time.monotonic(), self.lane
        holder = lane.holder
        try:
            enter(self.call)
            if lane.limit == 1:
                lane.holder, self.call.in_turn = self.call, True
            value = self.lane.invoker.invoke(self)
            self._finish(value)
        except BaseException as error:  # SystemExit included: the call ends, not the thread
            self.pool.workers.count(self.lane, 0, 1)
            self.fail(error, self.call.cancelled and issubclass(type(error), Cancelled))
        finally:
            lane.holder = holder
            enter(before)
            self.marks.ran(time.monotonic() - begun)

    def _finish(self, value: "Any") -> "None":
        if value is NO_REPLY:
            self._later = True
            if self._given is not None:
                self._given = None
                if self.message_gone and not self.silent:
                    self.fail(self._unanswered(), True)
        elif type(value) is Encoded:
            self.send(value)
        elif not self.local and yields(value):
            self.pool.runner.stream(self, value, self.lane.invoker.holds_stream)
        else:
            try:
                self.answer(value)
            except EncodeError as error:
                self.pool.workers.count(self.lane, 0, 1)
                self.fail(error, True)

    def run(self, call: "Any" = None) -> "Any":
        """Call the method on this thread; coroutines are run to their end. ``call`` is what ``current()`` is in it."""
        enter(call or self.call)
        # Kept until it is known whether the method answers later; False if it takes none, None if it did not run.
        self._given = self.message if self.signature.message else False
        method = types.MethodType(self.function, self.lane.service)
        value = self.signature.call(method, self.kwargs, self._given)
        kind = type(value)
        if kind not in PLAIN:
            if hasattr(kind, "__await__"):
                value = self.pool.loop_of(self.lane).run(value)
            if not self.local and hasattr(type(value), "__anext__") and yields(value):
                value = self.pool.loop_of(self.lane).iterate(value)
        return value

    @property
    def message(self) -> "Message":
        """The call as its method may see it: the same for all who ask, so that it is gone when the last of them lets go
        of it."""
        found = None if self._seen is None else self._seen()
        if found is None:
            found = Message(self)
            self._seen = weakref.ref(found)
        return found

    @property
    def message_gone(self) -> "bool":
        """Has nobody the Message any more?"""
        return self._seen is None or self._seen() is None

    # -- its answer: exactly one

    def take_answer(self) -> "bool":
        """True for the first who asks: whoever answers it."""
        with self._lock:
            if self._answered:
                return False
            self._answered = True
        return True

    def encode(self, value: "Any") -> "Any":
        """A value as it is sent. Raises EncodeError."""
        return self.router.codec.encode(value, self.router.bindings, self.strict, "return value")

    def answer(self, value: "Any") -> "bool":
        """Answer with a value; False if it had an answer. Raises EncodeError."""
        raise NotImplementedError

    def send(self, encoded: "Any") -> "bool":
        """Answer with what is encoded already; False if it had an answer."""
        raise NotImplementedError

    def fail(self, error: "BaseException", ours: "bool" = False) -> "bool":
        """Answer with an error, which is ``ours`` if it does not come from the method; False if it had an answer."""
        raise NotImplementedError

    def accept(self) -> "None":
        """Answer at once: its method is ``@no_reply``, and its caller waits all the same, for it does not know that."""
        self.answer(None)
        self.silent = True

    def refuse(self, error: "BaseException") -> "None":
        """Answer with an error of ours, at once: whoever says it has others to see to."""
        self.hurry = True
        self.fail(error, True)

    def drop(self, error: "BaseException") -> "None":
        if self.function is not None:
            self.lane.invoker.dropped(self, error)
        self.refuse(error)

    def forgotten(self) -> "None":
        """The method's Message is gone, so a later answer that was promised cannot be given any more. Takes no lock."""
        if self._later and not self._answered and not self.silent:
            self.router.forgotten.append(lambda: self.pool.defer(self.fail, self._unanswered(), True))

    def _unanswered(self) -> "NotAnswered":
        return NotAnswered("%s said that it would answer later, and %s" % (
            self.name, "forgot" if self.signature.message else "has no Message parameter to answer by"))


class NotAnswered(Lost):
    """The method ran, and let go of its Message without an answer, or had none: an error of ours."""

    ours = True
