"""Calling services of other contexts: like a call, but of a method of what lives there."""

import time

from ..bootstrap.calls.pending import brief
from ..bootstrap.calls.refusals import from_reply_untrusted, without_pool
from ..bootstrap.errors import Busy, EncodeError, Error, Lost, UsageError
from ..bootstrap.imports.modules import MAIN
from ..bootstrap.links import wire
from .invocation import Invocation
from .plain import marshalled
from .program import main_name
from .targets import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

    from .context import Context

# Seconds in which a context takes the word that a call is given up; it takes it even while all its threads are busy.
CANCEL_LIMIT = 1.0
# The modules that run services: they go along with the first call to one.
_FRAMEWORK = "remotesvc.service.pool"


class ServiceTarget(Target):
    """A method of a service; ``module`` is that of its class, if the name says so."""

    __slots__ = ()

    def __init__(self, service: "Any", method: "str") -> "None":
        if isinstance(service, type) and hasattr(service, "name"):
            name, module = service.name(), service.__module__
            module = main_name() if module == MAIN else module
        elif isinstance(service, str) and service:
            name = _after_main(service, main_name())
            module = _module_of(name)
        else:
            raise UsageError("%r is neither a Service class nor the name of one" % (service,))
        if not isinstance(method, str) or not method:
            raise UsageError("%r is not the name of a method" % (method,))
        super().__init__("%s:%s" % (name, method), "%s:%s" % (name, method))
        self.module = module


class _Module(object):
    """What `modules_for` asks of a target."""

    def __init__(self, module: "str") -> "None":
        self.module = module


class ServiceInvocation(Invocation):
    """One call of a service's method on its way."""

    __slots__ = ()
    called = wire.CALL_SERVICE
    ours = "call its services by remotesvc.service.call(service, method, ...)"

    def __init__(self, context: "Context", service: "Any", method: "str", args: "Tuple[Any, ...]",
                 kwargs: "Dict[str, Any]", options: "Any") -> "None":
        if options.isolation != "thread" or options.thread != "any":
            raise UsageError("a service lives in its context: isolation, thread and what goes with them are for calls")
        super().__init__(context, context.tree.targets.method(service, method, ServiceTarget), args, kwargs, options)

    def _encoded(self, options: "Dict[str, Any]", modules: "List[Any]") -> "Any":
        parts = brief(self.target.address, self.args, self.kwargs, options, modules)
        below = self.context.id in self.router.routes.via  # those read what only a parent may write
        try:
            return (below and marshalled(parts)) or self.router.codec.encode(
                parts, self.router.bindings, self.options.strict_types, "call")
        except EncodeError as error:
            raise self.in_arguments(error) from None

    def _modules(self) -> "List[Any]":
        tree, number, told = self.tree, self.context.id, self.peer.told
        if self.target.module in told and _FRAMEWORK in told:
            return []
        if self.router.routes.towards(number) is None:
            return []  # what is above us has its own
        modules: "List[Any]" = []
        for module in (self.target.module, _FRAMEWORK):
            if module and module not in told:
                found = tree.modules_for(number, _Module(module))
                modules += found
                if not found:
                    told.add(module)
        return modules

    def on_closed(self, error: "BaseException") -> "None":
        """There will be no reply; see ``refusals.BEGUN``."""
        super().on_closed(Lost(error.message) if type(error) is Busy else error)

    def _give_up(self, handle: "int") -> "None":
        give_up(self.router, self.context.id, handle)

    def _error(self, value: "Any") -> "BaseException":
        error = from_reply_untrusted(value, self.context.name, self.call)
        return error or super()._error(value)

    def _failed(self, error: "BaseException") -> "BaseException":
        return super()._failed(without_pool(error, self.context.name, self.call))


def give_up(router: "Any", dst: "int", handle: "int") -> "None":
    """Tell a context that nobody waits for a service call any more."""
    try:
        router.post(dst, wire.CALL_SERVICE, router.codec.encode(None), handle, direct=True,
                    deadline=time.monotonic() + CANCEL_LIMIT)
    except Error:
        pass  # it is gone, or has stopped reading


class Proxy(object):
    """Stands for a service of another context: its methods are called there."""

    def __init__(self, context: "Context", service: "Any") -> "None":
        if not isinstance(service, type) or not hasattr(service, "methods"):
            raise UsageError("%r is no Service class; call_service takes the name of one, too" % (service,))
        self._context = context
        self._service: "Any" = service
        self._methods = service.methods()

    def __getattr__(self, name: "str") -> "Callable[..., Any]":
        if name.startswith("_"):  # what copies and pickles looks for such names, also before they are there
            raise AttributeError("a stand-in for a service has no attribute %r" % name)
        method = self._methods.get(name)
        if method is None:
            names = ", ".join(sorted(self._methods)) or "none"
            raise AttributeError("%s has no exposed method %r; there are: %s" % (self._service.name(), name, names))
        context, service, silent = self._context, self._service, method.silent

        def call(*args: "Any", **kwargs: "Any") -> "Any":
            invocation = ServiceInvocation(context, service, name, args, kwargs, context.call_options)
            return invocation.send(0) if silent else invocation.result()

        call.__name__, call.__doc__ = name, method.function.__doc__
        return call

    def __reduce__(self) -> "Any":
        return Proxy, (self._context, self._service)

    def __dir__(self) -> "List[str]":
        return sorted(self._methods)

    def __repr__(self) -> "str":
        return "<%s in %r>" % (self._service.name(), self._context)


def _after_main(name: "str", main: "str") -> "str":
    """The name of a service of the program's own module, by which others can import it."""
    return main + name[len(MAIN):] if name.startswith((MAIN + ".", MAIN + ":")) else name


def _module_of(name: "str") -> "str":
    """The module that a service's name begins with, in the scheme of the default activator; else empty."""
    module, colon, _ = name.partition(":")
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts) or (not colon and len(parts) < 2):
        return ""
    return module if colon else ".".join(parts[:-1])

