"""What a method may know of its caller, and a way to answer later: the ``msg: Message`` parameter."""

from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class _Caller(object):
    def __repr__(self) -> "str":
        return "CALLER"

    def __bool__(self) -> "bool":
        return False


# The default of a parameter that asks for the Message, so that a type checker lets callers leave it out.
CALLER: "Any" = _Caller()


class Message(object):
    """The call as its method sees it, if it has a parameter annotated with this class, or with the default CALLER.

    src         context id of the caller, as the link says
    auth        context id in whose name it called
    commands    is the caller a parent of this context? A local call counts as one
    """

    def __init__(self, request: "Any") -> "None":
        self._request = request
        self.src: "int" = request.src
        self.auth: "int" = request.auth
        self.commands: "bool" = request.commands

    def __repr__(self) -> "str":
        return "<Message from context %d>" % self.src

    @property
    def context(self) -> "Any":
        """A handle to the caller, to call it back or to know it by."""
        return self._request.router.tree().context(self.src)

    @property
    def call(self) -> "Any":
        """What ``current()`` is while the method runs: deadline, cancel, name. It stays valid after it."""
        return self._request.call

    @property
    def remaining(self) -> "Optional[float]":
        """Seconds until the caller gives up; None for no limit."""
        return self.call.remaining  # type: ignore[no-any-return]

    @property
    def cancelled(self) -> "bool":
        """Has the caller given up?"""
        return self.call.cancelled  # type: ignore[no-any-return]

    def reply(self, value: "Any") -> "bool":
        """Answer, on any thread, after the method has returned ``Service.NO_REPLY``. False if the caller had its answer
        or is gone. Raises EncodeError."""
        return self._request.answer(value)  # type: ignore[no-any-return]

    def fail(self, error: "BaseException") -> "bool":
        """Answer with an error: it is raised at the caller. False as for ``reply``. Raises UsageError for what is no
        exception."""
        if not issubclass(type(error), BaseException):
            raise UsageError("fail() takes an exception, not %s" % type(error).__name__)
        return self._request.fail(error)  # type: ignore[no-any-return]

    def __del__(self) -> "None":
        self._request.forgotten()
