"""One call to a service, from its arrival to its one answer."""

import threading
import time
import types
import weakref

from ..bootstrap.calls.current import enter, running
from ..bootstrap.calls.execute import PLAIN
from ..bootstrap.calls.refusals import BEGUN, ServiceRefused, refusal
from ..bootstrap.data.codec import Bindings
from ..bootstrap.data.pack import Encoded
from ..bootstrap.errors import CallTimeout, Cancelled, EncodeError, Error, Lost
from ..bootstrap.links import wire
from ..bootstrap.links.assembly import LEAST_RATE
from .message import Message
from .methods import NO_REPLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

# Seconds for which an answer waits until its caller takes it, unless that is a parent: one that stopped reading must
# not hold a thread. A large answer has the time it takes at LEAST_RATE.
PATIENCE = 20.0
# What a byte of structured arguments may cost as objects; see `limits.MAX_NODES`.
UNPACKED = 32


def payer_of(router: "Any", src: "int") -> "int":
    """On whose account a caller calls: of our children whoever leads to it, which may have made it up."""
    child = router.routes.towards(src)
    return src if child is None else child


def yields(value: "Any") -> "bool":
    """Is it a generator, which its caller iterates?"""
    if type(value) in PLAIN:
        return False
    from ..bootstrap.calls.unfold import iterates
    return iterates(value)


class Request(object):
    """A call. ``own_thread`` is true for one of this process, which runs on the thread that made it."""

    __slots__ = ("pool", "router", "lane", "name", "target", "method", "marks", "quick", "function", "signature",
                 "args", "kwargs", "call", "src", "payer", "auth", "commands", "cost", "caused", "strict", "silent",
                 "own_thread", "on_pool", "abandoned", "given_up", "hurry", "key", "flight", "_given", "_message",
                 "_later", "_answered", "_lock", "_seen")
    local = False

    def __init__(self, pool: "Any", message: "Any", call: "Any") -> "None":
        self.pool = pool
        self.router = pool.kernel
        self.lane: "Any" = None
        self.call = call
        self.name = call.name
        self.target = ""
        self.method = ""
        self.marks: "Any" = None  # of the method, see `methods`
        self.quick = False
        self.function: "Any" = None
        self.signature: "Any" = None
        self.args: "Any" = ()
        self.kwargs: "Any" = {}
        self.src: "int" = message.src
        self.payer = payer_of(self.router, self.src)
        self.auth: "int" = message.auth
        self.commands: "bool" = message.commands or message.src == pool.kernel.id
        self.cost = 0
        self.caused = False
        self.strict = False
        self.silent = not message.reply_to
        self.own_thread = self.on_pool = self.abandoned = self.given_up = False
        # True while it is being let in: the thread that may refuse it then lets others in, too, and must not wait.
        self.hurry = True
        self.key: "Any" = None
        self.flight: "Any" = None
        self._message = message
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
        self.signature = signature = method.signature
        if signature.classes and self._message.flags & wire.TAGGED:
            own = self.router.bindings
            said = self._message.decode(
                Bindings(dict(own.classes, **signature.classes), own.make_context, own.make_sender))
            self.args, self.kwargs = (said + [{}])[1:3]  # without keywords, that part may have been left out
        self.kwargs = signature.bind(self.args, self.kwargs, self.name)
        self.args = ()
        self._message.payload = b""

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
        self.pool.answered(self)
        return True

    def encode(self, value: "Any") -> "Any":
        """A value as it is sent. Raises EncodeError."""
        return self.router.codec.encode(value, self.router.bindings, self.strict, "return value")

    def answer(self, value: "Any") -> "bool":
        """Answer with a value. Raises EncodeError."""
        return self.send(None if self.silent else self.encode(value))

    def send(self, encoded: "Any") -> "bool":
        """Answer with what is encoded already."""
        if not self.take_answer():
            return False
        return self._post(encoded, 0)

    def fail(self, error: "BaseException", ours: "bool" = False) -> "bool":
        """Answer with an error, which is ``ours`` if it does not come from the method."""
        answered = not self.take_answer()
        if self.silent:
            from ..bootstrap.output.logs import report_failed_cast
            report_failed_cast(self.name, error)
        if answered or self.silent:
            return False
        from ..bootstrap.calls.outcome import encoded, error_reply
        if ours and issubclass(type(error), ServiceRefused):
            reply: "List[Any]" = refusal(error)  # type: ignore[arg-type]
        else:
            reply = error_reply(error, None if ours else 0)
        return self._post(encoded(self.router, reply), wire.ERROR)

    def accept(self) -> "None":
        """Answer at once: its method is ``@no_reply``, and its caller waits all the same, for it does not know that."""
        self.answer(None)
        self.silent = True

    def _post(self, encoded: "Any", flags: "int") -> "bool":
        if self.silent or self.given_up:
            return False
        caller = self.pool.callers.get(self.src)
        deadline: "Optional[float]" = 0.0
        if not self.hurry:
            self.pool.runner.drain(self.call.id)
            deadline = None  # a parent is trusted
            if not self.commands:
                size = len(encoded.data) + sum(map(len, encoded.blobs))
                patience = PATIENCE + size / LEAST_RATE
                deadline = time.monotonic() + (patience if caller is None else caller.patience(patience))
        try:
            # While other calls wait to be run, it is better that replies go together than at once.
            alone = not self.pool.workers.arrived and (self.lane is None or not self.lane.waiting)
            self.router.post(self.src, self._message.reply_to, encoded, 0, flags, wire.REPLIES, False, alone, deadline,
                             lambda: self.given_up)
            return True
        except CallTimeout:
            self.router.control(wire.Frame(wire.DEAD, BEGUN, dst=self.src, handle=self.reply_to,
                                           payload=b"there is an answer, and you take none"))
            if caller is not None and not self.hurry:
                caller.deaf()
        except EncodeError:
            raise
        except Error:
            pass  # it is gone
        return False

    # -- its caller

    @property
    def reply_to(self) -> "int":
        """Where the caller waits; 0 if it does not."""
        return self._message.reply_to  # type: ignore[no-any-return]

    @property
    def wire_message(self) -> "Any":
        """The message that brought it."""
        return self._message

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
