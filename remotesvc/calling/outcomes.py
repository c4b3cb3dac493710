"""What waiters make of an answer: the classes it may become, and an error that is theirs alone."""

from ..bootstrap.errors import Cancelled, Lost, OutcomeError
from ..bootstrap.links import wire
from ..bootstrap.unreachable import ConnectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from .context import Context


def bindings_for(context: "Context", classes: "Any") -> "Any":
    """What decoding a reply needs besides the router's own bindings: with the classes named for this call."""
    return context.tree.bindings_with(classes) if classes else None


def error_classes(context: "Context", own: "Dict[str, type]") -> "Dict[str, type]":
    """The classes that errors of a call may become: those of the router, and those named for the call."""
    known = context.tree.router.bindings.classes
    return dict(known, **own) if known else own


def own_error(context: "Context", error: "BaseException", call: "str") -> "BaseException":
    """An error that several waiters may get, as one of their own, which names the host and the call."""
    if type(error) is Cancelled:
        return context.tree.cancelled(error.message, context.name, call)
    if getattr(error, "remote", False):
        return error
    if isinstance(error, OutcomeError):
        own: "Any" = type(error)(error.message, host=context.name, call=call)
        if isinstance(error, Lost):
            own.diagnostics = error.diagnostics
        return own  # type: ignore[no-any-return]
    if isinstance(error, ConnectError):
        return error.again()
    return error


def give_up(context: "Context", handle: "int") -> "None":
    """Tell the target that nobody waits for this call any more."""
    context.tree.router.control(wire.Frame(wire.CANCEL, dst=context.id, handle=handle))
