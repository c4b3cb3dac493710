"""A call to a service by another process: it came as a message, and its answer leaves as one."""

import time

from ..bootstrap.calls.execute import parts
from ..bootstrap.calls.refusals import BEGUN, ServiceRefused, refusal
from ..bootstrap.data.codec import Bindings
from ..bootstrap.errors import CallTimeout, EncodeError, Error
from ..bootstrap.links import wire
from ..bootstrap.links.assembly import LEAST_RATE
from .callers import payer_of
from .request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

# Seconds for which an answer waits until its caller takes it, unless that is a parent: one that stopped reading must
# not hold a thread. A large answer has the time it takes at LEAST_RATE.
PATIENCE = 20.0


class RemoteRequest(Request):
    """A call that a message brought: it runs on a thread of the pool.

    reply_to      where its caller waits; 0 if it does not
    wire_message  the message
    """

    __slots__ = ("reply_to", "wire_message")

    def __init__(self, pool: "Any", message: "Any", call: "Any") -> "None":
        super().__init__(pool, call, message.src, payer_of(pool.kernel, message.src))
        self.auth = message.auth
        self.commands = message.commands or message.src == pool.kernel.id
        self.reply_to: "int" = message.reply_to
        self.silent = not message.reply_to
        self.wire_message = message

    def prepare(self, lane: "Any", method: "Any") -> "None":
        """Fit its arguments to the method it names, those of classes that its annotations name decoded as these. Raises
        ArgumentError."""
        message, classes = self.wire_message, method.signature.classes
        if classes and message.flags & wire.TAGGED:
            own = self.router.bindings
            bindings = Bindings(dict(own.classes, **classes), own.make_context, own.make_sender)
            self.args, self.kwargs = parts(message, bindings)[1:3]
        super().prepare(lane, method)
        message.payload = b""

    def perform(self) -> "None":
        if self.pool.intake.allow(self):
            super().perform()

    def take_answer(self) -> "bool":
        if not super().take_answer():
            return False
        caller = self.pool.callers.get(self.src)
        if caller is not None and self.reply_to:
            caller.open.pop(self.reply_to, None)
        return True

    def answer(self, value: "Any") -> "bool":
        return self.send(None if self.silent else self.encode(value))

    def send(self, encoded: "Any") -> "bool":
        if not self.take_answer():
            return False
        return self._post(encoded, 0)

    def fail(self, error: "BaseException", ours: "bool" = False) -> "bool":
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
            self.router.post(self.src, self.reply_to, encoded, flags=flags, stream=wire.REPLIES, direct=alone,
                             deadline=deadline, given_up=lambda: self.given_up)
            return True
        except CallTimeout:
            self.router.say_dead(self.src, self.reply_to, "there is an answer, and you take none", BEGUN)
            if caller is not None and not self.hurry:
                caller.deaf()
        except EncodeError:
            raise
        except Error:
            pass  # it is gone
        return False
