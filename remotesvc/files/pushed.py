"""PushFileService: small files sent ahead, down the tree; each link carries a content once, however many want it."""

import collections
import hashlib
import threading
import time

from ..bootstrap.errors import CallTimeout, UsageError
from ..calling.invocation import Invocation
from ..calling.options import Options
from ..messages.here import context_id, kernel_of
from ..service.base import Service, expose
from ..service.message import CALLER, Message
from .contents import Contents, read_small
from .errors import RAISES, DigestMismatch, TransferRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

# Paths that one context knows, and contents it remembers to have sent to each neighbour.
MAX_PATHS = 10000
# Seconds that ``get`` waits unless told otherwise.
PATIENCE = 60.0


class Neighbour(object):
    """What a context knows of the next one on the way down."""

    def __init__(self) -> "None":
        self.lock = threading.Lock()
        self.has: "Set[bytes]" = set()


class PushFileService(Service):
    """Files that parents send ahead. ``propagate_to`` on the way down, ``get`` where they are wanted.

    Contents are known by their sha256: changed content is new content, and what a hop has is not sent to it again.
    """

    def __init__(self, router: "Any" = None) -> "None":
        super().__init__(router)
        self.sent = 0
        self._contents = Contents()
        self._paths: "Any" = collections.OrderedDict()
        self._neighbours: "Dict[int, Neighbour]" = {}
        self._arrived = threading.Condition(threading.Lock())
        self._waiting: "Dict[str, List[Message]]" = {}

    @property
    def _kernel(self) -> "Any":
        return kernel_of(self.router)

    # -- where files are pushed

    @expose
    def propagate_to(self, context: "Any", path: "str") -> "None":
        """Send a file of this context to one below it; returns once it is there, under the same path.

        Raises OSError, TransferRefused for what is larger than 16 MiB or no regular file.
        """
        number: "Any" = context_id(self._kernel, context)
        data = read_small(path)
        digest = hashlib.sha256(data).digest()
        self._keep(path, digest, data)
        self._pass_on(path, digest, number)

    @expose
    def propagate_paths_and_modules(self, context: "Any", paths: "Any" = (), modules: "Any" = ()) -> "None":
        """Send files, and have modules fetched by the context, and by all on the way to it, without importing them."""
        number: "Any" = context_id(self._kernel, context)
        for path in paths:
            self.propagate_to(context, path)
        for name in modules:
            if not _Ahead(self._context(number), name).result():
                raise UsageError("no such module: %s" % name)

    # -- between hops

    @expose
    def store(self, path: "str", digest: "bytes", data: "bytes") -> "None":
        """Take a content from the context above."""
        if hashlib.sha256(data).digest() != digest:
            raise DigestMismatch("what arrived for %s is not what was sent" % path)
        self._keep(path, digest, data)

    @expose
    def pass_on(self, path: "str", digest: "bytes", number: "int") -> "bool":
        """Know a content by this path here too, and send it on to a context below; False if it is not here any more."""
        with self._arrived:
            if self._contents.get(digest) is None:
                return False
            self._name(path, digest)
        if number != self._kernel.id:
            self._pass_on(path, digest, number)
        return True

    # -- where they are wanted

    @expose
    def get(self, path: "str", timeout: "Any" = PATIENCE, msg: "Message" = CALLER) -> "bytes":
        """The content that was pushed under a path last; waits for it. Raises CallTimeout after ``timeout`` seconds.

        Called code has it by ``remotesvc.service.call(PushFileService, "get", path)``.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._arrived:
            while True:
                data = self._content(path)
                if data is not None:
                    return data
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise _late(path, timeout)
                if msg is not None and msg.src != self._kernel.id:
                    return self._get_later(path, timeout, msg)  # type: ignore[no-any-return]
                self._arrived.wait(left)

    def _get_later(self, path: "str", timeout: "Any", msg: "Message") -> "Any":
        """Answer a caller from elsewhere later: if each held a thread, none might be left to take in what they need."""
        waiting = self._waiting.setdefault(path, [])
        waiting[:] = [each for each in waiting if not each.cancelled] + [msg]
        if timeout is not None:
            self._kernel.timers.after(timeout, lambda: self.pool.defer(msg.fail, _late(path, timeout)))
        return self.NO_REPLY

    def _content(self, path: "str") -> "Optional[bytes]":
        digest = self._paths.get(path)
        return None if digest is None else self._contents.get(digest)

    def _keep(self, path: "str", digest: "bytes", data: "bytes") -> "None":
        with self._arrived:
            self._contents.put(digest, data)
            self._name(path, digest)

    def _name(self, path: "str", digest: "bytes") -> "None":
        self._paths.pop(path, None)
        self._paths[path] = digest
        while len(self._paths) > MAX_PATHS:
            self._paths.popitem(last=False)
        self._arrived.notify_all()
        data = self._contents.get(digest)
        for msg in self._waiting.pop(path, ()):
            self.pool.defer(msg.reply, data)

    def _pass_on(self, path: "str", digest: "bytes", number: "int") -> "None":
        routes = self._kernel.routes
        towards = routes.towards(number)
        if towards is None or number == self._kernel.id:
            raise UsageError("context %d is not below this one" % number)
        with self._arrived:
            neighbour = self._neighbours.setdefault(towards, Neighbour())
        hop = self._context(towards)
        for _attempt in range(2):  # it may have dropped what we know it had
            with neighbour.lock:  # others that want the same wait here, and then do not send it
                if digest not in neighbour.has:
                    self._store(hop, neighbour, path, digest)
            if hop.call_service(PushFileService, "pass_on", path, digest, number):
                return
            with neighbour.lock:
                neighbour.has.discard(digest)
        raise TransferRefused("context %d has no room for %s" % (towards, path))

    def _store(self, hop: "Any", neighbour: "Neighbour", path: "str", digest: "bytes") -> "None":
        with self._arrived:
            data = self._contents.get(digest)
        if data is None:
            raise TransferRefused("%s was dropped here before it could be sent on" % path)
        hop.call_service(PushFileService, "store", path, digest, data)
        self.sent += len(data)
        if len(neighbour.has) >= MAX_PATHS:
            neighbour.has.clear()
        neighbour.has.add(digest)

    def _context(self, number: "int") -> "Any":
        return self._kernel.tree().context(number, "").options(raises=RAISES)


def _late(path: "str", timeout: "float") -> "CallTimeout":
    return CallTimeout("%s was not pushed here within %g s" % (path, timeout))


class _Named(object):
    """What ``modules_for`` asks of a target."""

    def __init__(self, module: "str") -> "None":
        self.module = module


class _Ahead(Invocation):
    """A call that takes a module and what it imports along, though it does not call it."""

    __slots__ = ()

    def __init__(self, context: "Any", name: "str") -> "None":
        super().__init__(context, "remotesvc.files.pushed:is_there", (name,), {}, Options())

    def _modules(self) -> "List[Any]":
        named: "Any" = _Named(str(self.args[0]))
        modules: "List[Any]" = super()._modules() + self.tree.modules_for(self.context.id, named)
        return modules


def is_there(name: "str") -> "bool":
    """On the target: is there such a module? Its packages are imported, it is not."""
    import importlib.util
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
