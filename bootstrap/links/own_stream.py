"""A stream that one sender has for itself: messages to one mailbox of another context, in order, under a window of
their own."""
from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from .streams import Outgoing


class OwnStream(object):
    """To the mailbox ``handle`` of context ``dst``, until a message with END, or until it is abandoned.

    ``credit`` says what may be under way, if not as much as on any stream; ``bulk``: it carries a file.
    """

    def __init__(self, router: "Any", dst: "int", handle: "int", credit: "Any" = None, bulk: "bool" = False
                 ) -> "None":
        self._router = router
        self._dst = dst
        self._handle = handle
        self.number: "int" = router.streams.new() | (wire.BULK if bulk else 0)
        if credit is not None:
            self.outgoing.credit = credit

    @property
    def outgoing(self) -> "Outgoing":
        """Its credit, not to be kept: after a loss whoever still sends has another, and waits for that."""
        return self._router.streams.out(self._dst, self.number)  # type: ignore[no-any-return]

    def send(self, encoded: "Any", flags: "int" = 0, reply_to: "int" = 0, deadline: "Optional[float]" = None,
             given_up: "Optional[Callable[[], bool]]" = None) -> "None":
        """Send one message, waiting for credit; raises what ``Router.post`` does."""
        self._router.post(self._dst, self._handle, encoded, reply_to, flags, self.number, deadline=deadline,
                          given_up=given_up)

    def wake(self) -> "None":
        """Have whoever waits for credit look whether it was given up."""
        self._router.streams.granted(self._dst, self.number, 0)

    def abandon(self) -> "None":
        """Nothing more will be sent, and nothing has had END; waits for nothing."""
        router, dst, number = self._router, self._dst, self.number
        link = router.links.get(router.routes.towards(dst))
        if link is not None:
            frame = wire.Frame(wire.MESSAGE, wire.ABORT | wire.END, number, dst, router.id, router.id, self._handle)
            link.send((router.id, number), 0, [frame.pack()], wire.SIZE, False)
        router.streams.ended(dst, number)
