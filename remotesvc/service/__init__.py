"""Services: long-lived objects whose methods other contexts call. ``from remotesvc.service import Service, expose``.

A service is made by the first call to it, on its target, of the code you have here; see docs/services.md.
"""

from ..exported import export

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..bootstrap.calls.refusals import ActivationRefused as ActivationRefused
    from ..bootstrap.calls.refusals import ArgumentError as ArgumentError
    from ..bootstrap.calls.refusals import NoSuchMethod as NoSuchMethod
    from ..bootstrap.calls.refusals import ServiceForbidden as ServiceForbidden
    from ..bootstrap.calls.refusals import ServiceInactive as ServiceInactive
    from ..bootstrap.calls.refusals import ServiceRefused as ServiceRefused
    from .activator import Activator as Activator
    from .activator import AllowList as AllowList
    from .base import Service as Service
    from .base import arg_spec as arg_spec
    from .base import expose as expose
    from .base import no_reply as no_reply
    from .deduplicating import DeduplicatingInvoker as DeduplicatingInvoker
    from .invoker import Invoker as Invoker
    from .invoker import SerializedInvoker as SerializedInvoker
    from .keys import NoKey as NoKey
    from .local import call as call
    from .local import current_pool as current_pool
    from .local import master as master
    from .local import parent as parent
    from .message import CALLER as CALLER
    from .message import Message as Message
    from .policy import AllowAny as AllowAny
    from .policy import AllowContexts as AllowContexts
    from .policy import AllowParents as AllowParents
    from .policy import Policy as Policy
    from .pool import Pool as Pool
    from .pool import pool_of as pool_of

_PLACES = {
    "ActivationRefused": "remotesvc.bootstrap.calls.refusals",
    "ArgumentError": "remotesvc.bootstrap.calls.refusals",
    "NoSuchMethod": "remotesvc.bootstrap.calls.refusals",
    "ServiceForbidden": "remotesvc.bootstrap.calls.refusals",
    "ServiceInactive": "remotesvc.bootstrap.calls.refusals",
    "ServiceRefused": "remotesvc.bootstrap.calls.refusals",
    "Activator": "remotesvc.service.activator",
    "AllowList": "remotesvc.service.activator",
    "Service": "remotesvc.service.base",
    "arg_spec": "remotesvc.service.base",
    "expose": "remotesvc.service.base",
    "no_reply": "remotesvc.service.base",
    "DeduplicatingInvoker": "remotesvc.service.deduplicating",
    "Invoker": "remotesvc.service.invoker",
    "SerializedInvoker": "remotesvc.service.invoker",
    "NoKey": "remotesvc.service.keys",
    "call": "remotesvc.service.local",
    "current_pool": "remotesvc.service.local",
    "master": "remotesvc.service.local",
    "parent": "remotesvc.service.local",
    "CALLER": "remotesvc.service.message",
    "Message": "remotesvc.service.message",
    "AllowAny": "remotesvc.service.policy",
    "AllowContexts": "remotesvc.service.policy",
    "AllowParents": "remotesvc.service.policy",
    "Policy": "remotesvc.service.policy",
    "Pool": "remotesvc.service.pool",
    "pool_of": "remotesvc.service.pool",
}

export(__name__, _PLACES)
