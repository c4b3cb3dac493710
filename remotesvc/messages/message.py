"""What a Receiver gives: a value and who sent it, or the news that a sender is gone."""

from ..bootstrap.errors import Lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple

    from ..calling.context import Context


class Message(object):
    """One message of a Receiver.

    error  None; else what came instead of a value: Lost when a context that had written is gone, DecodeError for
           something that is no value
    """

    __slots__ = ("error", "writer", "_value", "_router", "_source")

    def __init__(self, router: "Any", source: "int", value: "Any", error: "Optional[BaseException]" = None,
                 writer: "Tuple[int, int]" = (0, 0)) -> "None":
        self.error = error
        self._value = value
        self._router = router
        self._source = source
        self.writer = writer  # where its sender hears of us: the handle of its line here, and that of its own there

    @property
    def value(self) -> "Any":
        """What was sent. Raises ``error`` if there is one."""
        if self.error is not None:
            raise self.error
        return self._value

    @property
    def src(self) -> "Context":
        """The Context that sent it. The link it came over says so, not the message."""
        context: "Context" = self._router.tree().context(self._source, host_of(self._router, self._source))
        return context

    @property
    def src_id(self) -> "int":
        """The id of the context that sent it."""
        return self._source

    def __repr__(self) -> "str":
        what = "value" if self.error is None else type(self.error).__name__
        return "<Message from context %d: %s>" % (self._source, what)


def lost(router: "Any", context: "int", reason: "str") -> "Lost":
    """The news that a context is gone. One that another process started goes by the name of its host, which may be
    fine."""
    tree = router.tree()
    there = context in router.hub.behind and context not in tree.ledger.starts
    return Lost("a process there, context %d: %s" % (context, reason) if there else reason, host_of(router, context))


def host_of(router: "Any", context: "int") -> "str":
    """What a context is called here, in errors."""
    if context == router.id:
        return "this process"
    return router.tree().name_of(context)  # type: ignore[no-any-return]
