"""Children's requests for modules: answered by one thread, one of each child in turn, unless that
would keep others waiting."""

import threading
import time

from ..bootstrap.errors import CallTimeout, Error, NotSent, RouterClosed
from ..bootstrap.links import wire
from ..bootstrap.routing.mailbox import Mailbox
from ..calling.fair_inbox import FairInbox
from ..calling.inbox import Inbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

# Seconds that a child gets to take an answer, once it has a thread of its own for that.
PATIENCE = 10.0


class ModuleRequests(Mailbox):
    """``reply(child, wanted)`` makes the answer.

    A child that takes no answer just now, and one whose answer is large, has a thread of its own until that has gone:
    it costs nobody's time but its own. Whoever lies behind a child counts as that: it may have made them up.
    """

    def __init__(self, router: "Any", reply: "Callable[[int, Any], Any]") -> "None":
        self._router = router
        self._reply = reply
        self._inbox = FairInbox(router, "remotesvc-modules", self._answer)
        self._lanes: "Dict[Optional[int], Inbox]" = {}  # by child
        self._lock = threading.Lock()
        self.run = self._inbox.run

    def on_message(self, message: "Any") -> "None":
        """On a reader thread: take a request. The child's credit bounds how many wait here."""
        child = self._router.routes.towards(message.src)
        with self._lock:
            self._lanes.get(child, self._inbox).on_message(message)

    def close(self) -> "None":
        """End the threads."""
        with self._lock:
            lanes, self._lanes = list(self._lanes.values()), {}
        for inbox in [self._inbox] + lanes:
            inbox.close()

    def _answer(self, message: "Any") -> "None":
        router = self._router
        child = router.routes.towards(message.src)
        if child is None:
            return  # only for our own subtree
        try:
            reply = self._reply(message.src, message.decode())
        except Error as error:
            reply = {"reason": str(error)}
        encoded = router.codec.encode(reply, router.bindings)
        send = self._sender(message.src, message.reply_to, encoded)
        if child in self._lanes or encoded.blobs or len(encoded.data) > wire.FRAGMENT:
            self._in_lane(child, send)
            return
        try:
            send(0.0)
        except CallTimeout:
            self._in_lane(child, send)
        except (NotSent, RouterClosed):
            pass  # it is gone, or we are going

    def _sender(self, child: "int", handle: "int", encoded: "Any") -> "Callable[[float], None]":
        def send(patience: "float") -> "None":
            self._router.post(child, handle, encoded, stream=wire.REPLIES, direct=True,
                              deadline=time.monotonic() + patience)

        return send

    def _in_lane(self, child: "int", send: "Callable[[float], None]") -> "None":
        with self._lock:
            lane = self._lanes.get(child)
            if lane is None:
                lane = self._lanes[child] = Inbox(self._router, "remotesvc-modules-%d" % child, self._answer)
            lane.run(self._send_late, child, send)

    def _send_late(self, child: "int", send: "Callable[[float], None]") -> "None":
        try:
            send(PATIENCE)
        except (NotSent, CallTimeout, RouterClosed):
            pass  # it is gone, or does not read, or we are going
        with self._lock:
            lane = self._lanes.get(child)
            if lane is not None and not lane.waiting:
                del self._lanes[child]
                lane.close()
