"""The services that are active in a context, by name, and how they become so."""

import threading

from ..bootstrap.calls.current import running
from ..bootstrap.errors import Error, UsageError
from .activation import Activation
from .base import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class Table(object):
    """Of one pool; its lanes and their lock are those of ``workers``."""

    def __init__(self, pool: "Any", workers: "Any") -> "None":
        self._pool = pool
        self._workers = workers
        self._by_name: "Dict[str, Any]" = workers.lanes.by_name
        self._listening = threading.Lock()

    def lane(self, name: "str") -> "Any":
        """The lane of a service that is active, or being made; None otherwise."""
        return self._by_name.get(name) if name else None

    def add(self, service: "Any") -> "None":
        """Take in a service that was made elsewhere. Raises UsageError if there is one of its name."""
        name = type(service).name()
        workers = self._workers
        invoker = type(service).invoker_class(service)
        with workers.lock:
            workers.alive()
            if name in self._by_name:
                raise UsageError("%s is active here already" % name)
            self._enter(workers.lanes.add(name, 0), service, invoker)  # in one step: its calls may be coming
        self.listen(service)

    def activate(self, name: "str", request: "Any" = None, cls: "Any" = None) -> "Any":
        """Have a service made, and a request wait for it. None if it has been made meanwhile."""
        workers = self._workers
        with workers.lock:
            workers.alive()
            lane = self._by_name.get(name)
            if lane is not None and lane.service is not None:
                return None
            if lane is None:
                lane = workers.lanes.add(name, 1)
                lane.activation = Activation(self._pool, lane, cls, running() if request is None else request.call)
                workers.lanes.put(lane, lane.activation)
            if request is not None:
                workers.lanes.put(lane, request)
            workers.call_others()
            return lane.activation

    def wait_for(self, service: "Any") -> "Any":
        """The lane of a service, which is made if it is not active. Raises what making it raises."""
        cls = service if isinstance(service, type) and issubclass(service, Service) else None
        name = service if cls is None else cls.name()
        if not isinstance(name, str):
            raise UsageError("%r is neither a Service class nor the name of one" % (service,))
        while True:
            lane = self.lane(name)
            if lane is not None and lane.service is not None:
                return lane
            activation = self.activate(name, None, cls)
            if activation is None:
                continue
            activation.wait()
            if activation.error is not None:
                raise activation.error

    def make(self, lane: "Any", cls: "Any") -> "None":
        """Make the service of a lane; on the thread of its activation. Raises whatever its module or its constructor
        does."""
        pool = self._pool
        cls = cls or pool.activator.find(lane.name, pool.kernel)
        known = self._claim(cls.name(), lane)
        while known is not lane:  # the class is known by another name already
            if known.service is None:
                known.activation.wait()
            if known.service is not None:
                self._also(lane, known)
                return
            known = self._claim(cls.name(), lane)
        self.active(lane, pool.activator.build(cls, pool.router))

    def _claim(self, name: "str", lane: "Any") -> "Any":
        """The lane that a service's own name stands for: this one, unless there is another."""
        with self._workers.lock:
            return self._by_name.setdefault(name, lane)

    def active(self, lane: "Any", service: "Any") -> "None":
        """A service is there; its calls begin."""
        invoker = type(service).invoker_class(service)
        with self._workers.lock:
            self._enter(lane, service, invoker)
        self.listen(service)

    def _enter(self, lane: "Any", service: "Any", invoker: "Any") -> "None":
        """The lock is held."""
        service.pool, service.invoker = self._pool, invoker
        lane.invoker, lane.service, lane.limit = invoker, service, invoker.concurrency
        self._workers.lanes.touch(lane)
        self._workers.call_others()

    def listen(self, service: "Any") -> "None":
        """Listen to a service's own select, if it has one, and once."""
        with self._listening:
            lane, select = self.lane(type(service).name()), service.__dict__.get("_select")
            if lane is not None and lane.service is service and select is not None and lane.listener is None:
                from .listener import Listener
                lane.listener = Listener(self._workers, lane, service, select)

    def _also(self, lane: "Any", known: "Any") -> "None":
        """A name stands for a service that is active under another."""
        with self._workers.lock:
            self._by_name[lane.name] = known
            waiting = lane.clear()
        for request in waiting:
            try:
                self._workers.put(known, request)
            except Error as error:
                request.fail(error, True)

    def not_active(self, lane: "Any", error: "BaseException") -> "None":
        """A service could not be made: those who wait are told, and the next call tries again."""
        with self._workers.lock:
            for name in [name for name, each in self._by_name.items() if each is lane]:
                del self._by_name[name]
            waiting = lane.clear()
        for request in waiting:
            request.hurry = False
            request.fail(error, issubclass(type(error), Error))

    def lanes(self) -> "List[Any]":
        """Those of the active services, each once."""
        with self._workers.lock:
            return [lane for name, lane in self._by_name.items() if lane.service is not None and name == lane.name]
