"""The shapes of a call and its reply, and the latch that waits for one.

    call    [target, args, kwargs, options, modules]     target "module:qualname", or None: options hold all, pickled;
                                                         from kwargs on, what is empty at the end is left out, see
                                                         `brief`, and filled in by `execute.parts`;
                                                         a parent may marshal it
    reply   the value; with ERROR [kind, detail...]; with STREAM the first of many, closed by END
"""
import threading

from ..links import wire
from ..routing.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

# Seconds between two looks of called code that waits whether its caller has given up; whatever it waits for wakes it at
# once. A hook in each call would have to be taken back after each call that it makes. What it calls afterwards, to tidy
# up, has so long, too.
LOOK_EVERY = 0.5


def brief(target: "Any", args: "Any", kwargs: "Any", options: "Any", modules: "Any") -> "Any":
    """A call as it is sent: without what is empty at its end."""
    if modules:
        return [target, args, kwargs, options, modules]
    if options:
        return [target, args, kwargs, options]
    return [target, args, kwargs] if kwargs else [target, args]


class Pending(Mailbox):
    """One reply that is waited for: a latch, and a mailbox while it is open.

    ``notify(pending)`` is called on the thread that settles it.
    """

    single = True  # just one answer is waited for: a PONG may be that
    __slots__ = ("source", "handle", "call", "outcome", "notify", "_unsettled", "_lock")

    source: "int"

    def __init__(self, source: "int", call: "str", notify: "Optional[Callable[[Any], Any]]" = None) -> "None":
        self.source = source
        self.handle = 0
        self.call = call
        self.outcome: "Any" = None
        self.notify = notify
        self._unsettled = [None]
        self._lock = threading.Lock()
        self._lock.acquire()

    def on_message(self, message: "Any") -> "None":
        """The reply: it is settled with the message."""
        items = self.items() if message.flags & wire.STREAM else None
        if items is not None:
            # Many will come: this announces them, and whatever follows is for the iterator.
            mailboxes = message.router.mailboxes
            message.release()
            if mailboxes.get(self.handle) is self:  # else it was given up
                mailboxes[self.handle] = items
                if not self.settle(items):  # in this instant
                    items.forget()
        elif not self.settle(message):
            message.release()  # a second answer; its room must not be lost

    def items(self) -> "Any":
        """The mailbox for what follows when the reply is the first of many; None where just one makes sense."""

    def on_closed(self, error: "BaseException") -> "None":
        """There will be no reply."""
        self.settle(error)

    def settle(self, outcome: "Any") -> "bool":
        """Give it its outcome, a Message, an iterator or an exception; only the first counts, and returns True."""
        try:
            self._unsettled.pop()  # one step, so that of two threads just one goes on
        except IndexError:
            return False
        self.outcome = outcome
        self._lock.release()
        # It leads back to us: kept, each call would be a cycle, and thousands of those hold up the garbage collector.
        notify, self.notify = self.notify, None
        if notify is not None:
            notify(self)
        return True

    def wait(self, timeout: "Optional[float]" = None) -> "bool":
        """Wait for the outcome, for ``timeout`` seconds at most; False when that time is over."""
        if self.outcome is None and self._lock.acquire(True, -1 if timeout is None else max(timeout, 0)):
            self._lock.release()
        return self.outcome is not None
