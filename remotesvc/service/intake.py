"""Intake: from a message to a request in its lane, or to a refusal. One thread of the pool at a time does this."""

import time

from ..bootstrap.calls.current import Call
from ..bootstrap.calls.execute import parts
from ..bootstrap.calls.refusals import ActivationRefused, ServiceForbidden, ServiceInactive
from ..bootstrap.errors import Busy, DecodeError, Error
from ..bootstrap.links import wire
from .callers import MAX_OPEN
from .methods import method_of
from .remote import RemoteRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Calls in one lineage, each waiting for the next, at most: what they are, a peer says.
MAX_LINEAGE = 256
# What a byte of structured arguments may cost as objects; see `limits.MAX_NODES`.
UNPACKED = 32


class Intake(object):
    """Of one pool. What it does is quick, whatever the methods do: decode, look up, ask policies, queue."""

    def __init__(self, pool: "Any") -> "None":
        self._pool = pool
        self._router = pool.kernel

    def take(self, message: "Any") -> "None":
        """Deal with a message; never raises."""
        call = Call(self._router, message.reply_to, message.src)
        request = RemoteRequest(self._pool, message, call)
        try:
            self._take(message, call, request)
        except BaseException as error:  # nothing a peer sends may end the thread; it is told
            request.fail(error, issubclass(type(error), Error))
        finally:
            message.release()

    def _take(self, message: "Any", call: "Any", request: "Any") -> "None":
        size = _structured(message)
        value = parts(message)
        if value is None:  # the caller of this call has given up
            self._cancel(message)
            return
        target, args, kwargs, options, modules = _checked(value)
        if modules and message.commands:
            self._router.importer().deliver(modules)
        request.name = call.name = target
        request.cost = size * UNPACKED + len(message.payload) - size
        request.target, _, request.method = target.rpartition(":")
        request.args, request.kwargs = args, kwargs
        call.lineage = [self._router.id]
        if options:
            self._set(call, request, options)
        if not self._enter(request):
            self.route(request)

    def _set(self, call: "Any", request: "Any", options: "Any") -> "None":
        """Take in the options of a call; most have none."""
        lineage = [each for each in options.get("lineage", ())[:MAX_LINEAGE] if isinstance(each, int)]
        # A call that was caused by one that runs here must not wait for that one's thread.
        request.caused = self._router.id in lineage
        call.lineage = lineage + call.lineage
        timeout = options.get("timeout")
        if isinstance(timeout, (int, float)):
            call.deadline = time.monotonic() + timeout
        request.strict = bool(options.get("strict_types"))

    def _enter(self, request: "Any") -> "bool":
        """Enter the call into the books of its caller; True if it has been given up already."""
        if request.silent:
            return False
        caller = self._pool.callers.of(request.src)
        if len(caller.open) >= MAX_OPEN:
            raise Busy("context %d has %d calls open" % (request.src, len(caller.open)))
        caller.open[request.reply_to] = request
        if caller.early.pop(request.reply_to, False):
            request.given_up = True
            request.take_answer()
        self._pool.callers.look_after(caller)
        return request.given_up  # type: ignore[no-any-return]

    def _cancel(self, message: "Any") -> "None":
        caller = self._pool.callers.of(message.src)
        request = caller.open.get(message.reply_to)
        if request is None:
            caller.remember(message.reply_to)
        else:
            self._pool.gave_up(request)

    def route(self, request: "Any") -> "None":
        """Queue a request with its service, which is made if it is not there. Raises ServiceRefused, Busy."""
        pool, name = self._pool, request.target
        while True:
            lane = pool.table.lane(name)
            if lane is not None and lane.service is not None:
                self.admit(lane, request)
                return
            if not self._may_activate(name, request):
                raise ActivationRefused("%s is not active in this context, and context %d may not start it: a parent "
                                        "of this one has to call it first" % (name[:200], request.src))
            activation = pool.table.activate(name, request)
            if activation:  # it waits there for the service
                if request.caused:
                    pool.waits.caused(activation.lane, pool.workers.lock, request)
                return

    def _may_activate(self, name: "str", request: "Any") -> "bool":
        try:
            return bool(self._pool.activator.may_activate(name, request))
        except Exception as error:
            self._router.report(error)
            return False

    def admit(self, lane: "Any", request: "Any") -> "None":
        """Check a request against its service and queue it. Raises ServiceRefused, Busy."""
        self.check(lane, request)
        if not lane.invoker.admit(request):
            request.kwargs = {}  # another is computed for it
            if request.caused and request.computation is not None:
                self._pool.waits.caused(request.computation, lane.invoker.lock, request)
            return
        try:
            self._pool.workers.put(lane, request)
        except Error as error:
            lane.invoker.dropped(request, error)
            raise
        request.hurry = False
        if request.caused and lane.limit == 1:
            self._pool.waits.caused(lane, self._pool.workers.lock, request)

    def check(self, lane: "Any", request: "Any", policies: "bool" = True) -> "None":
        """Find the method, ask its policies, fit the arguments. Raises ServiceRefused."""
        self._pool.workers.count(lane, 1, 0)
        service = lane.service
        method = method_of(type(service), request.method, request.commands)
        if policies:
            try:
                allowed = method.allows(service, request)
            except Exception as error:  # a policy that fails lets nobody in
                self._router.report(error)
                allowed = False
            if not allowed:
                raise ServiceForbidden("context %d may not call %s" % (request.src, request.name))
        request.prepare(lane, method)
        if method.silent and not request.silent:
            request.accept()


    def allow(self, request: "Any") -> "bool":
        """On the thread that is to run it: is a request to be run? If not, it has its answer or gets it from others."""
        lane = request.lane
        try:
            if request.function is None:  # it waited for its service to be made
                request.hurry = False
                self.check(lane, request)
                if not lane.invoker.admit(request):
                    return False
            request.hurry = False
            if lane.invoker.wanted(request):
                left = request.call.remaining
                if left is None or left > 0 or request.computation is not None:
                    return True
                request.given_up = True  # its caller has stopped waiting
            request.take_answer()
            lane.invoker.dropped(request, ServiceInactive("nobody waits for it any more"))
        except BaseException as error:  # whatever an invoker of the user's raises
            request.fail(error, issubclass(type(error), Error))
        return False


def _checked(value: "Any") -> "Any":
    """The five parts of a service call, if that is what it is. Raises DecodeError."""
    if type(value) is not list or len(value) != 5:
        raise DecodeError("this is no service call")
    target, args, kwargs, options, modules = value
    if not (type(target) is str and type(args) is type(modules) is list and type(kwargs) is type(options) is dict):
        raise DecodeError("this is no service call")
    for name in kwargs:
        if type(name) is not str:
            raise DecodeError("the keywords of a service call are texts")
    if options and not isinstance(options.get("lineage", []), list):
        raise DecodeError("the lineage of a service call is a list")
    return value


def _structured(message: "Any") -> "int":
    """Bytes of a message that become objects; the rest are blobs."""
    if message.flags & wire.BLOBS:
        from ..bootstrap.links.fragments import parts_untrusted
        return len(parts_untrusted(message.flags, message.payload)[0])
    return len(message.payload)

