"""The mailboxes of a receiver. They do not keep it alive."""

from ..bootstrap.errors import NotSent
from ..bootstrap.links import wire
from ..bootstrap.routing.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


# What a message on a line is, in its flags: a value, the end of a sender, or only of one copy of it.
VALUE, CLOSE, LEAVE = wire.STREAM, wire.ERROR, wire.ERROR | wire.STREAM


# Why a sender's receiver takes no more, although it may have sent much that is still on its way.
CLOSED, GONE = "the receiver is closed", "the receiver is gone"


class Line(Mailbox):
    """The mailbox of one Sender that was handed out.

    owner   a weak reference to the receiver
    source  the id of the context that alone may write, or None
    """

    def __init__(self, owner: "Callable[[], Any]", source: "Optional[int]") -> "None":
        self.source = source
        self.handle = 0
        self._owner = owner

    def on_message(self, message: "Any") -> "None":
        """On a reader thread, or the thread of a local sender."""
        owner = self._owner()
        if owner is None:
            refuse(message, GONE)
        else:
            owner.on_message(self, message)

    def on_closed(self, error: "BaseException") -> "None":
        """The one who may write is lost, or our router is closed."""
        owner = self._owner()
        if owner is not None:
            owner.on_line_lost(self, error)


class Watch(Mailbox):
    """Hears when a context is lost that has written."""

    def __init__(self, owner: "Callable[[], Any]", source: "int") -> "None":
        self.source = source
        self.handle = 0
        self._owner = owner

    def on_closed(self, error: "BaseException") -> "None":
        """The context is lost."""
        owner = self._owner()
        if owner is not None:
            owner.on_lost(self.source, error)


def hang_up(router: "Any", context: "int", handle: "int", reason: "str") -> "None":
    """Tell a sender that nobody reads any more. Never waits."""
    if context == router.id:
        router.close_mailbox(handle, NotSent(reason))
    else:
        router.say_dead(context, handle, reason)


def refuse(message: "Any", reason: "str") -> "None":
    """Drop a message and tell its sender."""
    message.release()
    hang_up(message.router, message.src, message.reply_to, reason)
