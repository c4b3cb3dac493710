"""A channel: two contexts that write to each other."""

import threading
import time
import weakref

from ..bootstrap.calls.current import running
from ..bootstrap.calls.pending import LOOK_EVERY
from ..bootstrap.errors import Error, NotSent, UsageError
from ..bootstrap.routing.mailbox import Mailbox
from ..bootstrap.routing.router import NOBODY
from .errors import Closed, WaitTimeout
from .line import CLOSED, GONE, LEAVE, VALUE, hang_up, refuse
from .receiver import Gone, Receiver
from .sender import Sender
from .waitable import NOTHING, deadline_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple

    from .message import Message


TAKEN = "another has joined the channel, which is for two"


class Channel(Receiver):
    """One end of a conversation: what one side sends the other gets, under credit both ways.

    One side makes it and passes ``invitation`` in a call or message; who has that joins, once::

        with Channel(router) as channel:               def talk(invitation):
            ctx.cast(talk, channel.invitation)             with Channel.join(invitation) as channel:
            channel.send(1)                                    for message in channel:
            print(channel.get().value)                             channel.send(message.value + 1)

    router  the Router; on a target it may be left out
    peer    the Context that alone may join; whoever has the invitation may if it is left out

    It is a Receiver of what the other side sends: it ends when the other side closes, or is lost.
    """

    quiet_ends = False  # there is nobody else

    def __init__(self, router: "Any" = None, peer: "Any" = None) -> "None":
        super().__init__(router, peer)
        self.invitation = self.sender()
        self._other: "Optional[Sender]" = None
        self._meeting = threading.Lock()
        self._writer: "Optional[Tuple[int, int]]" = None  # of the one who has joined
        self._refused = ""

    @classmethod
    def join(cls, invitation: "Sender", timeout: "Optional[float]" = None) -> "Channel":
        """The other end of the channel that an invitation is of. Raises what ``Sender.send`` does.

        Returns at once. If another has joined, or the channel is for another, ``get`` and iterating raise Closed.
        """
        if not isinstance(invitation, Sender):
            raise UsageError("one joins by the invitation of a Channel, not by %r" % (invitation,))
        deadline_of(timeout)  # before anything is made
        channel = cls(invitation.router, invitation.context_id)
        channel._other = invitation
        try:
            invitation.send(channel.invitation, timeout)
        except BaseException:  # Ctrl-C, too: nobody else has it yet
            channel.close()
            raise
        here = weakref.ref(channel)
        invitation.when_unread(lambda error: _unread(here(), error))
        return channel

    def send(self, value: "Any", timeout: "Optional[float]" = None) -> "None":
        """Send a value to the other side, waiting until it has joined; otherwise like ``Sender.send``.

        Raises Closed, too, if the other side will never join.
        """
        deadline = deadline_of(timeout)
        while self._other is None or self._closed:
            self._await_join(deadline)
        self._other.send(value, None if deadline is None else deadline - time.monotonic())

    def close(self, timeout: "Optional[float]" = None) -> "None":
        """End both directions: the other side takes what was sent, and then the end. Idempotent.

        Waits as ``Sender.close`` does, ``timeout`` seconds at most. Raises WaitTimeout, Cancelled.
        """
        deadline_of(timeout)
        if self._other is None and not self._closed:
            self._meet()
            handle = self.invitation.handle
            with self._lock:
                late = self._other is None and handle in self._book.lines
                if late:
                    self._book.close(handle)
            if late:
                self._router.mailboxes[handle] = Doorman(self._router, self._source, handle)
        if self._writer is not None:
            for each in list(self._queue):
                if not isinstance(each, Gone) and (each.handle, each.reply_to) != self._writer:
                    hang_up(self._router, each.src, each.reply_to, TAKEN)
        super().close()
        if self._other is not None:
            self._other.close(timeout)

    def __enter__(self) -> "Channel":
        return self

    def on_message(self, line: "Any", message: "Any") -> "None":
        """What came on a line. Whoever is not the other side is refused at once, not when somebody reads it."""
        if self._writer not in (None, (message.handle, message.reply_to)) and message.flags & LEAVE == VALUE:
            refuse(message, TAKEN)
        else:
            super().on_message(line, message)

    def poll(self) -> "Any":
        """The next Message, or NOTHING; never waits."""
        while True:
            with self._meeting:
                item = super().poll()
                if self._other is None and item is not NOTHING and item.error is None:
                    self._greet(item)
                    continue
            if item is NOTHING or self._writer in (None, item.writer):
                return item
            if any(item.writer):
                self.turn_away(item, TAKEN)
            elif self._source == item.src_id:  # the news that it is gone
                return item

    def _meet(self) -> "None":
        """Take the first message, if it is here: it brings the way to the other side."""
        with self._meeting:
            if self._other is None and self._queue and not isinstance(self._queue[0], Gone):
                item = super().poll()
                if item is not NOTHING and item.error is None:
                    self._greet(item)

    def _greet(self, first: "Message") -> "None":
        if isinstance(first.value, Sender) and first.value.context_id == first.src_id:
            with self._lock:
                self._other, self._source, self._writer = first.value, first.src_id, first.writer
                self._wake.notify_all()

    def refuse(self, reason: "str") -> "None":
        """The other side does not know us, and sends nothing; on a reader thread, perhaps."""
        with self._lock:
            self._refused = reason
        self._stir()

    def _over_locked(self) -> "bool":
        return bool(self._refused) or super()._over_locked()

    def __next__(self) -> "Any":
        """The next Message; ends when the other side has. Raises Closed if that has never let us in."""
        try:
            return super().__next__()
        except StopIteration:
            if self._refused and not self._closed:
                raise self._end() from None
            raise

    def _end(self) -> "BaseException":
        return Closed(self._refused) if self._refused and not self._closed else super()._end()

    def _await_join(self, deadline: "Optional[float]") -> "None":
        call = running()
        with self._lock:
            while self._closed or self._other is None and (not self._queue or isinstance(self._queue[0], Gone)):
                if self._closed or self._queue or self._over_locked():
                    raise Closed("the channel is closed" if self._closed else "the other side is gone")
                self.refuse_fork()
                left = LOOK_EVERY if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise WaitTimeout("the other side has not joined in time")
                self._wake.wait(min(left, LOOK_EVERY))
                if call is not None:
                    call.check()
        self._meet()


def _unread(channel: "Optional[Channel]", error: "BaseException") -> "None":
    """The other side takes no more of what we send. What it has sent itself may still be on its way, unless it has
    never let us in."""
    if channel is not None and type(error) is NotSent and error.message not in (CLOSED, GONE):
        gone = channel._other is not None and error.message.startswith(NOBODY % channel._other.handle)
        channel.refuse("the channel is closed" if gone else error.message)


class Doorman(Mailbox):
    """Stands at the invitation of a channel that was closed before anybody came: who comes is told."""

    def __init__(self, router: "Any", source: "Optional[int]", handle: "int") -> "None":
        self.source = source
        self._router = router
        self._handle = handle

    def on_message(self, message: "Any") -> "None":
        """On a reader thread: somebody joins."""
        self._router.drop(self._handle)
        self._router.forgotten.append(lambda: self._turn_away(message))

    def _turn_away(self, message: "Any") -> "None":
        try:
            other = message.decode()
            if isinstance(other, Sender) and other.context_id == message.src:
                other.close(0)
        except Error:
            pass  # it sent no invitation, or is gone
        finally:
            message.release()
