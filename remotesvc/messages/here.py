"""Where we are: the router and the ids behind what users have in hand."""

from ..bootstrap.calls.process import router_here
from ..bootstrap.errors import UsageError
from ..bootstrap.links import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


def kernel_of(router: "Any") -> "Any":
    """The router itself: of the public Router, or of the process on a target if there is none given."""
    if router is None:
        try:
            return router_here()
        except UsageError:
            raise UsageError("give the Router; only what runs on a target can do without") from None
    kernel = getattr(router, "kernel", router)
    if not hasattr(kernel, "mailboxes"):
        raise UsageError("router is a Router, not %r" % (router,))
    return kernel


def context_id(router: "Any", context: "Any") -> "Optional[int]":
    """The id of a Context; ids and None as they are. Raises UsageError for anything else, and for a Context of another
    router."""
    if hasattr(type(context), "__remotesvc_wire__"):
        router.tree().own(context)
    number = getattr(context, "id", context)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise UsageError("give a Context, not %r" % (context,))
    return number


def attend(router: "Any", context: "int") -> "None":
    """Have those between us and a context tell us when it is lost, also if it never hears from us otherwise."""
    if context != router.id and router.routes.towards(context) is None and context not in router.routes.ancestors:
        # They note who speaks to whom. A grant of nothing means nothing, and never waits.
        router.control(wire.Frame(wire.GRANT, dst=context))
