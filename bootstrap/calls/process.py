"""The router of a child's process, for code that runs there outside of calls: threads that called functions start."""
from ..errors import UsageError
from .current import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List

# A child's one router, once its kernel is complete. On a master there may be several, so there it is empty.
OF_CHILD: "List[Any]" = []


def router_here() -> "Any":
    """The router of the call that this thread runs, else of the child's process. Raises UsageError on a master."""
    call = running()
    if call is not None:
        return call.router
    if not OF_CHILD:
        raise UsageError("no call runs on this thread, and this process is no target: there is no router to take")
    return OF_CHILD[0]
