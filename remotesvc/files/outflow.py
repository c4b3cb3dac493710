"""The sending end of a transfer: messages go out under a window of their own, as fast as they are taken."""

import time

from ..bootstrap.errors import CallTimeout, NotSent
from ..bootstrap.links import wire
from ..bootstrap.links.credit import ACK_EVERY
from ..bootstrap.links.own_stream import OwnStream
from . import direct_write
from .errors import TransferStalled
from .transfer import Throttle, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

# Seconds between two looks whether the transfer was given up, while the limit makes us wait.
_LOOK = 0.2


class Raw(object):
    """A message body as the router wants it: bytes that no codec has touched."""

    __slots__ = ("data",)
    blobs = ()
    tagged = False

    def __init__(self, data: "Any") -> "None":
        self.data = data


class Outflow(object):
    """One stream of messages to a mailbox of another context.

    ``idle`` is how long the receiver may take nothing, in seconds; ``limit`` bytes a second, or None; ``over()`` tells
    that nobody wants the rest.
    """

    def __init__(self, router: "Any", dst: "int", handle: "int", idle: "float", limit: "Optional[float]",
                 over: "Callable[[], bool]") -> "None":
        self.sent = 0
        self.window = Window(time.monotonic)
        self._router = router
        self._dst = dst
        self._handle = handle
        self._idle = idle
        self._over = over
        self._throttle = None if limit is None else Throttle(limit, time.monotonic())
        self._stream = OwnStream(router, dst, handle, self.window, bulk=True)
        self._open = True

    def send(self, body: "Any", flags: "int" = 0) -> "None":
        """Send one message; waits for room. Raises TransferStalled, NotSent."""
        if self._throttle is not None and len(body):
            self._wait(self._throttle.delay(len(body), time.monotonic()))
        deadline = time.monotonic() + self._idle
        try:
            if len(body) > ACK_EVERY and not flags:
                self._send_large(body, deadline)
            else:
                self._stream.send(Raw(body), flags, deadline=deadline, given_up=self._over)
        except CallTimeout:
            raise TransferStalled("the receiver took nothing for %g s" % self._idle) from None
        self.sent += len(body)

    def _send_large(self, body: "Any", deadline: "float") -> "None":
        """In one frame, however large, which is nowhere copied."""
        router, number, size = self._router, self._stream.number, len(body) + wire.SIZE
        link = router.link_to(self._dst)
        self._stream.outgoing.acquire(size, deadline, self._over)
        frame = wire.Frame(wire.MESSAGE, 0, number, self._dst, router.id, router.id, self._handle)
        if not direct_write.write(link, wire.queue_of(router.id, number), self._handle,
                                  [frame.header(len(body)), body], size, self._over, self._idle):
            raise NotSent("the link is closed: %s" % link.closed)

    def _wait(self, seconds: "float") -> "None":
        end = time.monotonic() + seconds
        while not self._over():
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LOOK))

    def finish(self, body: "Any" = b"") -> "None":
        """Send the last message. Raises TransferStalled, NotSent."""
        self._open = False
        self.send(body, wire.END)

    def close(self) -> "None":
        """Nothing more will be sent; whoever still waits for the rest has to be told in another way. Idempotent."""
        if self._open:
            self._open = False
            self._stream.abandon()
