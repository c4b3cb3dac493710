"""What a Select gives."""

from .message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class Event(object):
    """One thing that came to one member of a Select.

    source  the member: of nested Selects the innermost
    data    what it gave: a Message for a Receiver, the item of a Latch, the value of a future
    error   what came instead: of a call that failed, a context that is lost, a member that ended; None otherwise
    key     what was given to ``Select.add`` with it
    """

    __slots__ = ("source", "data", "error", "key")

    def __init__(self, source: "Any", data: "Any", error: "Optional[BaseException]", key: "Any") -> "None":
        self.source = source
        self.data = data
        self.error = error
        self.key = key

    @property
    def value(self) -> "Any":
        """The value: that of the message, of the item, of the future. Raises ``error`` if there is one."""
        if self.error is not None:
            raise self.error
        return self.data.value if isinstance(self.data, Message) else self.data

    def __repr__(self) -> "str":
        what = "data" if self.error is None else "error %s" % type(self.error).__name__
        return "<Event of %r: %s>" % (self.key if self.key is not None else self.source, what)
