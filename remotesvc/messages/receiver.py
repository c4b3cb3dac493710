"""A receiver: where messages from anywhere in the tree arrive, under credit.

What waits here is bounded: each sender has a window, refilled as messages are taken, and `book` bounds the senders.
"""

import collections
import weakref

from ..bootstrap.errors import Busy, DecodeError, Error, Lost, NotSent
from ..bootstrap.routing.closing import ENDED
from .book import MAX_LINES, MAX_WRITERS, Book
from .errors import Closed
from .here import attend, context_id, kernel_of
from .line import CLOSE, CLOSED, LEAVE, VALUE, Line, Watch, hang_up, refuse
from .message import Message, host_of, lost
from .sender import Sender
from .waitable import NOTHING, Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

# The place in the queue of a context that is gone.
Gone = collections.namedtuple("Gone", "context reason")


class Receiver(Waitable):
    """Where messages arrive; ``sender()`` makes what others need to write to it.

    router  the Router; on a target it may be left out
    source  the Context that alone may write to it; anyone with a sender may if it is left out

    ``get`` returns a Message, or raises what came instead of one: Lost, naming its host, when a context that has
    written is gone. Iterating gives both as messages and goes on; it ends when every sender that was handed out has
    ended, by its ``close`` or with its context; the process of an isolated call that has ended is no such context.
    """

    # Does a process that was there for one call leave as a function does that returns, without its senders' ends?
    quiet_ends = True

    def __init__(self, router: "Any" = None, source: "Any" = None) -> "None":
        super().__init__()
        self._router = kernel_of(router)
        self.refuse_fork()
        self._source = context_id(self._router, source)
        self._book = Book()
        self._watches: "Dict[int, Watch]" = {}

    def sender(self, source: "Any" = None) -> "Sender":
        """A new Sender, which can be passed in calls and messages. ``source`` is the Context that alone may use it.

        It may be passed to several, and ends when one of those who use it closes it, or is lost, and nobody else uses
        it; so one for each is safest. Raises NotSent if ``source`` is gone, Busy if 4096 have not ended, Closed.
        """
        line = Line(weakref.ref(self), self._source if source is None else context_id(self._router, source))
        router = self._router
        line.handle = router.open(line)
        try:
            if line.source is not None and line.source != router.id:
                router.link_to(line.source)
                attend(router, line.source)
            with self._lock:
                if self._closed:
                    raise Closed("the receiver is closed")
                if line.handle not in router.mailboxes:  # its end was told in this instant, before it was in the book
                    router.alive()
                    raise NotSent("context %s is gone" % line.source)
                if not self._book.open(line.handle):
                    raise Busy("%d senders of this receiver have not ended, which is its limit" % MAX_LINES)
        except BaseException:  # Ctrl-C, too: a handle that nobody knows is never dropped
            router.drop(line.handle)
            raise
        return Sender(router, router.id, line.handle)

    @property
    def pending(self) -> "int":
        """How many messages wait in it."""
        return len(self._queue)

    def close(self) -> "None":
        """Nobody reads any more: what is here is dropped, senders are told, whoever waits wakes. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        _clear(self._router, self._book, self._watches, self._queue)
        self._stir()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()

    def __del__(self) -> "None":
        if hasattr(self, "_watches") and not self._closed:  # no lock may be taken here
            router, book, watches, queue = self._router, self._book, self._watches, self._queue
            router.forgotten.append(lambda: _clear(router, book, watches, queue))

    # -- taking

    if TYPE_CHECKING:
        def get(self, timeout: "Optional[float]" = None, block: "bool" = True) -> "Message": ...
        def __iter__(self) -> "Receiver": ...
        def __next__(self) -> "Message": ...

    def poll(self) -> "Any":
        """The next Message, or NOTHING; never waits."""
        item = super().poll()
        if item is NOTHING:
            return item
        if isinstance(item, Gone):
            return Message(self._router, item.context, None, lost(self._router, item.context, item.reason))
        writer = item.handle, item.reply_to
        try:
            return Message(self._router, item.src, item.decode(), None, writer)
        except DecodeError as error:
            host = host_of(self._router, item.src)
            return Message(self._router, item.src, None, DecodeError("a message of %s: %s" % (host, error)), writer)
        finally:
            item.release()

    def refuse_fork(self) -> "None":
        """Raise ForkedError in a fork of our process: messages come to that."""
        if self._router.forked:
            self._router.alive()

    def _over_locked(self) -> "bool":
        return self._closed or self._book.over

    def _given(self, item: "Any") -> "Message":
        if item.error is not None:
            raise item.error
        return item  # type: ignore[no-any-return]

    def _end(self) -> "BaseException":
        return Closed("the receiver is closed" if self._closed else "every sender of the receiver has ended")

    # -- on a reader thread, or that of a local sender

    def on_message(self, line: "Line", message: "Any") -> "None":
        """What came on a line."""
        writer, flags, reason, first, ended = (message.src, message.reply_to), message.flags, "", None, False
        with self._lock:
            if self._closed or line.handle not in self._book.lines:
                reason = CLOSED if self._closed else "the sender is closed"
            elif flags & LEAVE != VALUE:
                ended = self._book.left(line.handle, writer, flags & LEAVE == CLOSE)
            else:
                first = self._book.wrote(line.handle, writer)
                if first is None:
                    reason = "%d senders write to the receiver, which is its limit" % MAX_WRITERS
                else:
                    self._queue.append(message)
                    self._wake.notify()
        if reason:
            refuse(message, reason)
            return
        if flags & LEAVE != VALUE:
            message.release()
            self._unwatch(message.src)
            if ended:
                self._router.drop(line.handle)
                self._stir()
            return
        if first and line.source is None:
            self._watch(message.src)
        self._tell()

    def on_line_lost(self, line: "Line", error: "BaseException") -> "None":
        """The context that alone may write to a line is lost, or the router is closed."""
        with self._lock:
            if line.handle not in self._book.lines or self._closed:
                return
            self._book.close(line.handle)
            self._gone(self._router.id if line.source is None else line.source, error)
        self._stir()

    def on_lost(self, context: "int", error: "BaseException") -> "None":
        """A context is lost that has written."""
        with self._lock:
            if self._closed or not self._book.writes(context):
                return
            self._watches.pop(context, None)
            quiet = self.quiet_ends and str(getattr(error, "message", "")).endswith(ENDED)
            ended = self._book.lost(context, not quiet)
            if not quiet:
                self._gone(context, error)
        for handle in ended:
            self._router.drop(handle)
        self._stir()

    def turn_away(self, message: "Message", reason: "str") -> "None":
        """Whoever wrote this message is none that we listen to; tell it."""
        handle, at = message.writer
        with self._lock:
            ended = handle in self._book.lines and self._book.left(handle, (message.src_id, at), True)
        hang_up(self._router, message.src_id, at, reason)
        self._unwatch(message.src_id)
        if ended:
            self._router.drop(handle)
            self._stir()

    def _gone(self, context: "int", error: "BaseException") -> "None":
        news = Gone(context, getattr(error, "message", str(error)))
        if not self._queue or self._queue[-1] != news:  # one for all lines of a context
            self._queue.append(news)

    def _watch(self, context: "int") -> "None":
        """Hear of it when a context that writes to us is lost, however far away it is."""
        router = self._router
        if context == router.id:
            return
        watch = Watch(weakref.ref(self), context)
        try:
            watch.handle = router.open(watch)
        except Error:
            return  # our router was just closed, which says it all
        with self._lock:
            wanted = self._book.writes(context) and context not in self._watches and not self._closed
            if wanted:
                self._watches[context] = watch
        if not wanted:
            router.drop(watch.handle)
            return
        attend(router, context)
        if router.hub is not None and context in router.hub.lost:  # in this instant, on another thread
            self.on_lost(context, Lost(router.hub.lost[context]))

    def _unwatch(self, context: "int") -> "None":
        with self._lock:
            watch = None if self._book.writes(context) else self._watches.pop(context, None)
        if watch is not None:
            self._router.drop(watch.handle)


def _clear(router: "Any", book: "Book", watches: "Dict[int, Watch]", queue: "Any") -> "None":
    """Close the mailboxes of a receiver, tell those who write to it, drop what it holds."""
    for handle in list(book.lines):
        for context, at in book.close(handle):  # first: who is told that nobody listens takes it that nobody has
            hang_up(router, context, at, CLOSED)
        router.drop(handle)
    for watch in list(watches.values()):
        router.drop(watch.handle)
    watches.clear()
    while True:
        try:
            item = queue.popleft()
        except IndexError:
            return
        if not isinstance(item, Gone):
            item.release()
