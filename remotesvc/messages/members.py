"""The members of a Select, all seen in one way."""

from ..bootstrap.errors import UsageError
from .event import Event
from .message import Message
from .waitable import NOTHING, Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_member(source: "Any", key: "Any", select: "Any") -> "Any":
    """The member for a thing that can be waited for. Raises UsageError if it cannot."""
    if isinstance(source, Waitable):
        return Member(source, key, select)
    if hasattr(source, "add_done_callback") and hasattr(source, "exception"):
        return FutureMember(source, key, select)
    raise UsageError("a Select waits for Receivers, Latches, Selects and futures, not for %s" % type(source).__name__)


class Member(object):
    """A Receiver, a Latch, or another Select.

    queued  is it among those that are ready?
    single  will it give one event at most?
    counts  has it given its share with one event? Not a Select, which has members of its own.
    """

    single = False

    def __init__(self, source: "Any", key: "Any", select: "Any") -> "None":
        self.source = source
        self.key = key
        self.queued = False
        self.counts = not hasattr(source, "add")
        self._select = select

    def attach(self) -> "None":
        """Have its hook. Raises UsageError if somebody else has it, or if its events would go round in a circle."""
        self._refuse_circle()
        self.source.hook(self._select, lambda source: self._select.on_ready(self))
        try:
            self._refuse_circle()  # another thread may have closed it in the same instant
        except UsageError:
            self.detach()
            raise

    def _refuse_circle(self) -> "None":
        node, seen = self._select, []  # type: Any, Any
        while node is not None and node not in seen:
            if node is self.source:
                raise UsageError("a Select cannot wait for itself, nor for others that wait for it")
            seen.append(node)
            node = node.select

    def detach(self) -> "None":
        """Give its hook back."""
        self.source.unhook(self._select)

    def refuse_fork(self) -> "None":
        """Raise ForkedError if what it waits for comes to the process that we are a fork of."""
        self.source.refuse_fork()

    @property
    def ready(self) -> "bool":
        """Does it have an event, or has it ended?"""
        return self.source.ready  # type: ignore[no-any-return]

    @property
    def over(self) -> "bool":
        """Has it ended, with nothing left in it?"""
        return self.source.over  # type: ignore[no-any-return]

    def poll(self) -> "Any":
        """Its next Event, or NOTHING."""
        item = self.source.poll()
        if item is NOTHING:
            return item
        if isinstance(item, Event):
            return item if item.key is not None else Event(item.source, item.data, item.error, self.key)
        return Event(self.source, item, item.error if isinstance(item, Message) else None, self.key)


class FutureMember(object):
    """A future: of ``ctx.submit``, or any other."""

    single = counts = True
    over = False

    def __init__(self, source: "Any", key: "Any", select: "Any") -> "None":
        self.source = source
        self.key = key
        self.queued = False
        self._select = select

    def attach(self) -> "None":
        """Hear when it is done."""
        self.source.add_done_callback(lambda future: self._select.on_ready(self))

    def detach(self) -> "None":
        """It still calls, and is no member any more."""

    def refuse_fork(self) -> "None":
        """Raise ForkedError if it is one of ours, and nobody will settle it in this fork."""
        if hasattr(self.source, "refuse_fork"):
            self.source.refuse_fork()

    @property
    def ready(self) -> "bool":
        """Is it done?"""
        return self.source.done()  # type: ignore[no-any-return]

    def poll(self) -> "Any":
        """Its Event, or NOTHING."""
        if not self.source.done():
            return NOTHING
        try:
            error = self.source.exception(0)
            value = None if error is not None else self.source.result(0)
        except Exception as raised:  # concurrent.futures raises the cancellation of a future
            error, value = raised, None
        return Event(self.source, value, error, self.key)
