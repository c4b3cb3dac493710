"""Services from within called code: those of this process, of its parent, of the master."""

from ..bootstrap.calls.process import router_here
from ..bootstrap.errors import UsageError
from .pool import pool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from ..calling.context import Context
    from .pool import Pool


def current_pool() -> "Pool":
    """The pool of the process that runs this call; in a child it is made if there is none yet. Raises UsageError
    outside of called code on a master, ServiceInactive in a master without a pool."""
    return pool_of(router_here(), True)


def parent() -> "Context":
    """The context above this one: ``parent().call_service(...)``, on any thread. Raises UsageError on the master."""
    return _above(0)


def master() -> "Context":
    """The context at the root of the tree, on any thread. Raises UsageError on the master itself."""
    return _above(-1)


def call(*args: "Any", **kwargs: "Any") -> "Any":
    """``call(service, method, *args, **kwargs)``: call a service of this process, on this thread; see ``Pool.call``.

    With a Context in front, ``call(context, service, method, ...)``, it is called there: a parent, a child, or a
    sibling where those may talk.
    """
    if args and hasattr(args[0], "call_service"):
        return args[0].call_service(*args[1:], **kwargs)
    return current_pool().call(*args, **kwargs)


def active(names: "List[str]") -> "List[Dict[str, Any]]":
    """Make these services active here and return what is; see ``Pool.statistics``."""
    found = current_pool()
    for name in names:
        found.get_service(name)
    return found.statistics()


def _above(place: "int") -> "Context":
    router = router_here()
    if not router.routes.ancestors:
        raise UsageError("this is the master: there is nothing above it")
    number = router.routes.ancestors[place]
    context: "Context" = router.tree().context(number, "master" if number == 0 else "")
    return context
