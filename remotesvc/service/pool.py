"""The pool: what runs the services of one context."""

import collections
import threading
import weakref

from ..bootstrap.calls.refusals import BEGUN, CLOSING, ServiceInactive
from ..bootstrap.errors import Lost, UsageError
from ..bootstrap.links import wire
from ..bootstrap.links.patience import settle
from ..bootstrap.routing.mailbox import Mailbox
from ..messages.here import kernel_of
from .activation import PoolTask
from .activator import Activator
from .base import Service
from .callers import Callers
from .intake import Intake
from .runner import Runner
from .table import Table
from .workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Type, TypeVar, Union, overload

    S = TypeVar("S", bound=Service)

# Threads of a pool, where nothing else is said; in a child, as many as calls run at once.
SIZE = 8
# Seconds a closing router waits for what runs, and for ``on_shutdown``: a child has not much more for its whole end.
FAREWELL = 0.5


class Pool(Mailbox):
    """Threads that run the services of one context. A child has one from its first service call on; a master makes its
    own: ``Pool(router, services=[DiskUsage])``.

    router    the master's Router, or in a child ``current().router``
    services  Service classes, or objects, that are active from the beginning
    size      threads that all services share; each service has one more when those are taken

    ``activator_class`` and ``activator`` decide which services calls may make.
    """

    activator_class = Activator

    def __init__(self, router: "Any", services: "Iterable[Any]" = (), size: "Optional[int]" = None) -> "None":
        self.router = router
        self.kernel = kernel = kernel_of(router)
        if size is None:
            size = kernel.config["concurrency"] if hasattr(kernel, "config") else SIZE
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise UsageError("size=%r is not a number of threads" % (size,))
        self.activator = self.activator_class()
        self.callers = Callers(kernel, self.gave_up)
        self.runner = Runner(self)
        self.intake = Intake(self)
        self.workers = Workers(kernel, size, self.intake.take, self._shut_down)
        self.table = Table(self, self.workers)
        self._waits: "Any" = None
        self._held: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._own = self.workers.lanes.add("")  # what `defer` is given
        self._ended = threading.Event()
        with kernel.lock:
            kernel.alive()
            self._before = kernel.mailboxes.get(wire.CALL_SERVICE)
            if isinstance(self._before, Pool):
                raise UsageError("this context has a pool; close it first, or add services to it")
            self.workers.arrived = collections.deque() if self._before is None else self._before.waiting
            kernel.mailboxes[wire.CALL_SERVICE] = self
        try:
            for service in services:
                self.add(service)
        except BaseException:  # whatever a service raises when it is made
            self.close()
            raise
        self.workers.wake()

    @property
    def size(self) -> "int":
        """The number of threads that all services share."""
        return self.workers.lanes.size

    @property
    def closed(self) -> "bool":
        """Has ``close`` been called?"""
        return self.workers.state != "open"

    # -- services

    if TYPE_CHECKING:
        @overload
        def add(self, service: "Type[S]") -> "S": ...
        @overload
        def add(self, service: "S") -> "S": ...

    def add(self, service: "Union[Service, Type[Service]]") -> "Service":
        """Make a service active: an object, or a class to be constructed here. Raises UsageError if there is one of its
        name."""
        if isinstance(service, type) and issubclass(service, Service):
            service = self.activator.build(service, self.router)
        if not isinstance(service, Service):
            raise UsageError("%r is not a remotesvc.service.Service" % (service,))
        self.table.add(service)
        return service

    if TYPE_CHECKING:
        @overload
        def get_service(self, service: "Type[S]") -> "S": ...
        @overload
        def get_service(self, service: "str") -> "Service": ...

    def get_service(self, service: "Union[str, Type[Service]]") -> "Service":
        """The service of this class or name, made here if it is not active. Raises what making it raises."""
        found: "Service" = self.table.wait_for(service).service
        return found

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        """``call(service, method, *args, **kwargs)``: call a service of this context on the calling thread.

        Arguments are checked and the invoker is respected, policies are not asked. A reply that others share
        (DeduplicatingInvoker) comes as a copy.
        """
        from .here import call_here
        if len(args) < 3:
            raise UsageError("give the service and the method to call")
        return call_here(args[0], args[1], args[2], args[3:], kwargs)

    def check(self, lane: "Any", request: "Any") -> "None":
        """Check a call of our own: is there such a method, do the arguments fit? Raises NoSuchMethod, ArgumentError."""
        self.intake.check(lane, request, False)

    def listen(self, service: "Service") -> "None":
        """Listen to a service's own select from now on."""
        self.table.listen(service)

    def statistics(self) -> "List[Dict[str, Any]]":
        """For each active service: name, invoker, methods, calls and errors so far, running and waiting now."""
        return [{"service": lane.name, "invoker": type(lane.invoker).__name__,
                 "methods": sorted(type(lane.service).methods()), "calls": lane.calls, "errors": lane.errors,
                 "running": lane.running + lane.guests, "waiting": len(lane.waiting)} for lane in self.table.lanes()]

    def defer(self, function: "Callable[..., Any]", *args: "Any") -> "None":
        """Run ``function(*args)`` on a thread of the pool. What it raises is reported. Raises Busy, ServiceInactive,
        ForkedError."""
        if self.kernel.forked:
            self.kernel.alive()
        self.workers.put(self._own, PoolTask(self._own, function, *args))

    # -- what becomes of calls

    def loop_of(self, lane: "Any") -> "Any":
        """The event loop of a service."""
        if lane.loop is None:
            from .loop import Loop
            made = Loop(self, lane.name)
            with self.workers.lock:
                lane.loop = lane.loop or made
        return lane.loop

    def hold(self, items: "Any") -> "Any":
        """Remember a generator of our own that has a turn; returns it."""
        self._held.add(items)
        if self.closed:
            items.end(Lost(CLOSING))
        return items

    def let_go(self, items: "Any", request: "Any") -> "None":
        """It has ended."""
        self._held.discard(items)
        self.workers.done(request)

    @property
    def waits(self) -> "Any":
        """The calls that wait and might wait for ever; most pools have none."""
        if self._waits is None:
            from .cycle import Waits
            made = Waits(self)
            with self.workers.lock:
                self._waits = self._waits or made
        return self._waits

    def gave_up(self, request: "Any") -> "None":
        """The caller of a request has given up, or is lost; on any thread."""
        request.given_up = True
        lane = request.lane
        if lane is None or lane.invoker is None:
            request.call.cancel()
            return
        lane.invoker.gave_up(request)
        request = request.computation.leader if request.computation is not None else request
        if not lane.invoker.wanted(request):
            self.workers.abandon(request)

    # -- as a mailbox: on the reader thread

    def on_message(self, message: "Any") -> "None":
        """A service call, or the word that one was given up."""
        if not self.workers.arrive(message):
            self._refuse(message)

    def on_closed(self, error: "BaseException") -> "None":
        """The router closes."""
        self.close()
        self.join(FAREWELL)

    def _refuse(self, message: "Any") -> "None":
        message.release()
        self.kernel.say_dead(message.src, message.reply_to, CLOSING)

    # -- the end

    def close(self) -> "None":
        """End it: what runs finishes, generators end, what waits gets an error; then each ``on_shutdown`` runs once.
        Returns at once; idempotent. Afterwards another pool can be made here; a child makes one at the next call."""
        left = self.workers.close()
        if left is None:
            return
        kernel = self.kernel
        with kernel.lock:
            if kernel.mailboxes.get(wire.CALL_SERVICE) is self:
                if self._before is None:
                    del kernel.mailboxes[wire.CALL_SERVICE]
                else:
                    kernel.mailboxes[wire.CALL_SERVICE] = self._before
        for message in left[0]:
            self._refuse(message)
        error = ServiceInactive(CLOSING)
        for work in left[1]:
            work.drop(error)
        settle(kernel)  # what was let go of still has a turn
        for items in list(self._held):
            try:
                items.end(Lost(CLOSING))
            except BaseException as error:  # what a generator does when it is told to end
                kernel.report(error)
        for request in self.callers.streams():  # who iterates may take for ever
            request.call.cancel()
            kernel.say_dead(request.src, request.reply_to, CLOSING, BEGUN)
        self.workers.finish()

    def join(self, timeout: "Optional[float]" = None) -> "bool":
        """Wait until a closed pool has ended, for ``timeout`` seconds at most; returns whether it has."""
        return self._ended.wait(timeout)

    def _shut_down(self) -> "None":
        done: "Set[int]" = set()
        for lane in self.table.lanes():
            if id(lane.service) not in done:
                done.add(id(lane.service))
                try:
                    lane.invoker.close()
                    if lane.listener is not None:
                        lane.service.select.close()
                    last = lane.service.on_shutdown()
                    if hasattr(type(last), "__await__"):
                        self.loop_of(lane).run(last)
                except BaseException as error:
                    self.kernel.report(error)
                if lane.loop is not None:
                    lane.loop.close()
        for request in self.callers.close():  # promised for later, and never given
            request.refuse(ServiceInactive(CLOSING))
        self._ended.set()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()
        self.join()


def pool_of(router: "Any", make: "bool" = False) -> "Pool":
    """The pool of a context; a child's is made if ``make``. Raises ServiceInactive if there is none."""
    kernel = kernel_of(router)
    while True:
        mailbox = kernel.mailboxes.get(wire.CALL_SERVICE)
        if isinstance(mailbox, Pool):
            return mailbox
        if not make or mailbox is None:
            raise ServiceInactive("this process has no pool of services: make one with remotesvc.service.Pool(router)")
        try:
            return Pool(kernel)
        except UsageError:
            pass  # another thread was faster

