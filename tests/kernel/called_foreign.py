"""What the tests of contexts of other routers call on targets, of any Python from 3.6 on."""

from remotesvc.service import Service, expose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Holder(object):  # noqa: UP004
    """What only a pickle carries."""

    def __init__(self, held: "Any") -> None:
        self.held = held


def pid_of(context: "Any") -> int:
    """Takes a Context, also one that is held."""
    pid: int = getattr(context, "held", context).call("os:getpid")
    return pid


class Asking(Service):
    @expose()
    def pid_of(self, context: "Any") -> int:
        return pid_of(context)
