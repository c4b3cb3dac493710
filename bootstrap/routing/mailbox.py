"""What a router hands messages to."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class Mailbox(object):
    """What has a handle: by ``Router.open``, or a well-known one. A child's dispatcher is a mailbox without this base,
    for it is sent before it.

    source  the context that alone may write to it, and whose loss closes it; None: anyone may, and nothing closes it
            but the end of the router
    single  is just one message waited for? That may be a PONG, which moves under no credit: no queue may take it

    Both methods are called on threads that others need, mostly a link's reader: until they return, nothing else comes
    from that link. So they do not block, as a wait for credit does, nor run user code, nor raise: a reader ends of
    that, and its link.
    """

    __slots__ = ()

    source: "Optional[int]" = None
    single = False

    def on_message(self, message: "Any") -> "None":
        """A message came: on the reader of its link, or on the thread of a sender of this process. ``release()`` it
        once it is used: its sender may wait for that. This one is for who tells nobody the handle, and only waits to
        be closed."""
        message.release()

    def on_closed(self, error: "BaseException") -> "None":
        """There will be no more: ``error`` says why. Called once at most, on whatever thread noticed, when the router
        does not know the mailbox any more; a message for which another thread has found it may still come. This one is
        for who has nobody to tell."""
