"""How a service call ends that was refused: it certainly did not run, and the error says what to do.

    NotSent
      ServiceRefused
        ActivationRefused  the service is not there, and this caller may not have it made
        ServiceInactive    nothing of that name is there
        ServiceForbidden   it is there, and its policy says no
        NoSuchMethod       it has no method of that name that may be called
        ArgumentError      (a TypeError) the arguments do not fit the method
"""
from ..errors import NotSent
from ..links import wire
from ..routing.router import NOBODY
from .dispatcher import ONLY_PARENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

# What callers are told while a pool ends.
CLOSING = "the pool of services is closing"
# The flag of a DEAD by which a pool says that a call had begun: that word goes ahead of all that is queued, also of
# what would have told so. Where calls of functions wait, the same flag is `workers.BUSY`.
BEGUN = 1


class ServiceRefused(NotSent):
    """The service did not take the call; nothing was run."""

    code = "refused"


class ActivationRefused(ServiceRefused):
    """The service is not active there, and only a parent may have it made by calling it."""

    code = "activation"


class ServiceInactive(ServiceRefused):
    """There is no such service in that context, and none can be made of this name."""

    code = "inactive"


class ServiceForbidden(ServiceRefused):
    """A policy of the method does not let this caller in."""

    code = "forbidden"


class NoSuchMethod(ServiceRefused):
    """The service has no exposed method of this name."""

    code = "method"


class ArgumentError(ServiceRefused, TypeError):
    """The arguments do not fit the method's signature, annotations or ``arg_spec``."""

    code = "arguments"


_KINDS = {cls.code: cls for cls in (ServiceRefused, ActivationRefused, ServiceInactive, ServiceForbidden, NoSuchMethod,
                                    ArgumentError)}
REFUSED = "service"
# What a child says that has no pool yet, a master that has none, and a pool that ends: they are known by their words.
_NO_POOL = ((ONLY_PARENTS, ActivationRefused,
             "no services run there yet, and only its parents may start them by calling one"),
            (NOBODY % wire.CALL_SERVICE, ServiceInactive,
             "no services run there: make a remotesvc.service.Pool in that process first"),
            (CLOSING, ServiceInactive, "the pool of services there is closing"))


def refusal(error: "ServiceRefused") -> "List[Any]":
    """The error reply that stands for a refusal."""
    return [REFUSED, error.code, error.message[:4096]]


def from_reply_untrusted(reply: "Any", host: "str", call: "str") -> "Optional[ServiceRefused]":
    """The refusal in an error reply, whatever a peer wrote into it; None if it is another kind of error."""
    if not isinstance(reply, list) or len(reply) != 3 or reply[0] != REFUSED or not isinstance(reply[2], str):
        return None
    cls = _KINDS.get(reply[1], ServiceRefused) if isinstance(reply[1], str) else ServiceRefused
    return cls(reply[2][:4096], host, call)


def without_pool(error: "BaseException", host: "str", call: "str") -> "BaseException":
    """What it means for a service call that nobody listens there; any other error as it is."""
    if type(error) is NotSent:
        for text, cls, message in _NO_POOL:
            if error.message.startswith(text):
                return cls(message, host, call)
    return error
