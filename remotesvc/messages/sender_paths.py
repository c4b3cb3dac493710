"""The paths from a sender to its receiver: over links, or within one process. Each is a mailbox, too, where it hears
that nobody reads any more; so it must not lead to its Sender, which ends when nobody has it."""

import time

from ..bootstrap.errors import Error, NotSent
from ..bootstrap.links.credit import WINDOW
from ..bootstrap.links.own_stream import OwnStream
from ..bootstrap.links.streams import MESSAGE_COST, Outgoing
from ..bootstrap.routing.mailbox import Mailbox
from .line import CLOSED, LEAVE, Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


class SenderPath(Mailbox):
    """``error`` is why nobody reads any more, None as long as somebody may; ``told(error)`` is called with it."""

    def __init__(self, router: "Any", context: "int", to: "int") -> "None":
        self.source = context
        self.error: "Optional[BaseException]" = None
        self.told: "Optional[Callable[[BaseException], Any]]" = None
        self._router = router
        self._to = to
        self._handle = router.open(self)

    def on_closed(self, error: "BaseException") -> "None":
        """The receiver is closed, or it or the way to it is gone."""
        self.error = error
        self._credit().close(str(error))  # whoever waits for it wakes
        told = self.told
        if told is not None:
            told(error)

    def _credit(self) -> "Outgoing":
        raise NotImplementedError

    def post(self, encoded: "Any", flags: "int", deadline: "Optional[float]",
             given_up: "Optional[Callable[[], bool]]") -> "None":
        """Send one message, waiting for credit. Raises NotSent, CallTimeout."""
        raise NotImplementedError

    def leave(self) -> "None":
        """The sender was forgotten: whoever else uses its line still can. Does not wait."""
        try:
            self.post(self._router.codec.encode(None), LEAVE, time.monotonic(), None)
        except Error:
            pass  # it is then told when this context ends
        self.end()

    def end(self) -> "None":
        """Nothing more will be posted."""
        self._router.drop(self._handle)


class Remote(SenderPath):
    """To another context, on a stream of its own."""

    def __init__(self, router: "Any", context: "int", to: "int") -> "None":
        self._stream = OwnStream(router, context, to)
        super().__init__(router, context, to)

    def _credit(self) -> "Outgoing":
        return self._stream.outgoing

    def post(self, encoded: "Any", flags: "int", deadline: "Optional[float]",
             given_up: "Optional[Callable[[], bool]]") -> "None":
        """Send one message, waiting for credit. Raises NotSent, CallTimeout."""
        self._stream.send(encoded, flags, self._handle, deadline, given_up)

    def end(self) -> "None":
        """The stream ends, for the receiver's books too."""
        super().end()
        self._stream.abandon()


class Local(SenderPath):
    """To a receiver of this process, under the same credit. Values are encoded all the same: what arrives is a copy."""

    def __init__(self, router: "Any", context: "int", to: "int") -> "None":
        self._outgoing = Outgoing(WINDOW)
        super().__init__(router, context, to)

    def _credit(self) -> "Outgoing":
        return self._outgoing

    def post(self, encoded: "Any", flags: "int", deadline: "Optional[float]",
             given_up: "Optional[Callable[[], bool]]") -> "None":
        """Hand over one message, waiting for credit. Raises NotSent, CallTimeout."""
        router = self._router
        router.alive()
        line = router.mailboxes.get(self._to)
        if not isinstance(line, Line):
            raise NotSent(CLOSED)
        if line.source not in (None, router.id):
            raise NotSent("only context %d may use this sender" % line.source)
        size = len(encoded.data) + sum(map(len, encoded.blobs)) + MESSAGE_COST
        self._outgoing.acquire(size, deadline, given_up)
        line.on_message(LocalMessage(router, self._to, self._handle, encoded, flags,
                                     lambda: self._outgoing.granted(size)))


class LocalMessage(object):
    """What a mailbox receives from its own process."""

    commands = True

    def __init__(self, router: "Any", handle: "int", reply_to: "int", encoded: "Any", flags: "int",
                 release: "Callable[[], Any]") -> "None":
        self.router = router
        self.handle = handle
        self.src = router.id
        self.reply_to = reply_to
        self.flags = flags
        self._encoded = encoded
        self._release: "Optional[Callable[[], Any]]" = release

    def decode(self) -> "Any":
        """The value it carries."""
        encoded = self._encoded
        return self.router.codec.decode(encoded.data, encoded.blobs, encoded.tagged, self.router.bindings)

    def release(self) -> "None":
        """Give the sender its credit back; the first time counts."""
        release, self._release = self._release, None
        if release is not None:
            release()
