"""Invokers: how the calls of one service share the threads of its pool."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class Invoker(object):
    """Runs the methods of one service, as many at once as the pool has threads. One is made with each service.

    Subclass it and set ``invoker_class`` of a service: override ``invoke`` to do something around each call.

    concurrency   how many calls may run at once; None: as many as there are threads
    holds_stream  is a generator run to its end before the next call begins?
    """

    concurrency: "Optional[int]" = None
    holds_stream = False

    def __init__(self, service: "Any") -> "None":
        self.service = service

    def admit(self, request: "Any") -> "bool":
        """A call that was let in, before it is queued; it must be quick. False: the invoker answers it itself."""
        return True

    def invoke(self, request: "Any") -> "Any":
        """Run a call on this thread and return its value. ``request`` has ``method`` (its name), ``kwargs``,
        ``message`` and ``run()``. What it raises is raised at the caller."""
        return request.run()

    def gave_up(self, request: "Any") -> "None":
        """The caller of a call that was let in has given up."""
        request.call.cancel()

    def wanted(self, request: "Any") -> "bool":
        """Does anybody still wait for a call that was let in?"""
        return not request.given_up

    def dropped(self, request: "Any", error: "BaseException") -> "None":
        """A call that was let in will not be run: its caller gets this error."""

    def close(self) -> "None":
        """The pool has ended."""


class SerializedInvoker(Invoker):
    """Runs one call after the other, in the order they arrived, on whatever thread of the pool is free.

    Each caller gets its own value or error. A generator is run to its end before the next call begins.
    """

    concurrency = 1
    holds_stream = True
