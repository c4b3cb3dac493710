"""A router's part as a parent: the children it starts and keeps, and what they ask.

The master has one from the beginning; a child gets one when its code first starts a child or calls a context.
"""

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap.links import wire
from ..bootstrap.routing.closing import part
from ..bootstrap.routing.hub import Hub
from ..bootstrap.routing.ids import BLOCK, SHARE, Lessor
from ..bootstrap.unreachable import BootstrapError
from ..calling.context import Context
from ..calling.inbox import Inbox
from ..pickling import DEFINITION
from .bundle import kernel_codes, own_bundle
from .by_way import started, started_by
from .caller import Caller
from .connection import Connection
from .handshake import PROCESSES
from .module_requests import ModuleRequests
from .process import ProcessPath
from .shared_reader import SharedPath, SharedReader
from .start import Start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Set

    from .bundle import Bundle

# Seconds for connecting, all stages together.
CONNECT_TIMEOUT = 30.0
# Seconds a child lives without a word from its parent.
LEASE = 60.0
# Calls that run at once in a context.
CONCURRENCY = 8


class Tree(Caller):
    """Children of one router, and the contexts it can call.

    kernel_codes: gives the bytecode of kernel modules, as far as it is ready here.
    """

    kernel_codes = staticmethod(kernel_codes)

    def __init__(self, router: "Any", ids: "Any", settings: "Dict[str, Any]") -> "None":
        super().__init__(router)
        router.hub = router.hub or Hub(router, settings.get("siblings", False))
        router.hub.on_gone = self.on_gone
        self._ids = ids
        self._settings = settings
        self._bundle: "Optional[Bundle]" = None
        self._shared_reader = SharedReader(router.links.__len__)
        self._module_requests = ModuleRequests(router, self._answer)
        router.mailboxes[wire.ASK_MODULE] = self._module_requests
        self._id_requests = Inbox(router, "remotesvc-ids", lambda message: None)
        router.mailboxes[wire.LEASE_IDS] = Lessor(router, ids, BLOCK if router.id == 0 else BLOCK // SHARE,
                                                  self._id_requests.run)

    # -- starting children

    def local(self, python: "Optional[str]" = None, via: "Optional[Context]" = None, name: "Optional[str]" = None,
              connect_timeout: "float" = CONNECT_TIMEOUT, **settings: "Any") -> "Context":
        """A process on this machine, or on the machine of ``via``; see ``Router.local``."""
        if via is not None:
            options = dict(settings, python=python, name=name, connect_timeout=connect_timeout)
            return started_by(self, via, "remotesvc.launch.tree:start_local", options, name)
        self.router.alive()  # before there is a process that nobody would end
        host = name or self.host
        path = ProcessPath(self.bundle.argv(python or sys.executable, process_name()), host)
        return self.adopt(Connection(path, host, connect_timeout, magic=magic_of(python)), settings)

    @property
    def host(self) -> "str":
        """What contexts on this machine are called if nobody says otherwise."""
        return self._settings.get("host") or "local"

    def keep_with(self, context: "Context", base: "Context") -> "None":
        """Whoever closes ``context`` closes ``base``, which is there for nothing else."""
        self.ledger.bases[context.id] = base

    def adopt(self, connection: "Connection", settings: "Optional[Dict[str, Any]]" = None) -> "Context":
        """Make a context of a target that has been reached; returns without waiting for it. ``settings`` win over
        those of all children."""
        router, host, start = self.router, connection.host, None  # type: Any, str, Optional[Start]
        try:
            number = self._ids.take()
            start = Start(router, number, connection)
            if isinstance(connection.path, SharedPath):
                connection.path.reader = self._shared_reader
            self.ledger.starts[number] = start
            parent = router.links.get(None)
            if parent is not None:
                parent.control(wire.Frame(wire.ROUTE_ADD, handle=number))
            config = dict(self._settings, id=number, ancestors=[router.id] + list(router.routes.ancestors), name=host,
                          lease=LEASE)
            config.update(settings or {})
            start.begin(self.bundle, config)
        except BaseException as error:  # nobody else has the path: a router that is closed by now, or Ctrl-C
            failure = BootstrapError("cannot attend to a new process: %s" % error, host=host, stage="boot",
                                     hint=PROCESSES)
            if start is not None:
                start.note_times(failure)
                start.fail(failure)
            connection.path.abandon()
            if isinstance(error, RuntimeError):  # it may have no more threads
                router.alive()
                raise failure from None
            raise
        return Context(self, number, host)

    def context(self, number: "int", name: "str" = "") -> "Context":
        """A handle to a context known by its id."""
        return Context(self, number, name)

    @property
    def bundle(self) -> "Bundle":
        """The kernel as it is sent, made at the first use; the same for all routers of a process."""
        with self._lock:
            if self._bundle is None:
                self._bundle = own_bundle(self.kernel_codes)
            return self._bundle

    def lives(self, number: "int") -> "bool":
        """Is a child of this process there, or on its way up?"""
        link = self.router.links.get(number)
        return link is not None and not link.closed and self.ledger.failure_of(number) is None

    def on_gone(self, gone: "Set[int]") -> "None":
        """Contexts are gone, say the routes; on any thread."""
        self.ledger.on_gone(gone)

    def name_of(self, number: "int") -> "str":
        """What a context is called, for people."""
        start = self.ledger.starts.get(number)
        if start is not None:
            return start.host  # type: ignore[no-any-return]
        # Started by another process: what we know is through which of our children, and that is the machine.
        neighbour = self.router.hub.behind.get(number)
        return "context %d" % number if neighbour is None else self.name_of(neighbour)

    def close_context(self, number: "int", reason: "str" = "closed by its parent") -> "None":
        """End a context; ``reason`` is what others are told if it is a child of ours. Idempotent."""
        if self.router.forked:
            return
        link = self.router.links.get(number)
        if link is not None:
            start = self.ledger.starts.get(number)
            part(link, reason)
            link.join(5)
            if start is not None:
                start.path.join(10)
        elif self.router.routes.towards(number) is not None:
            self.router.control(wire.Frame(wire.BYE, dst=number, payload=b"closed from above"))
            self.router.hub.forget(number, "we closed the context")
        base = self.ledger.bases.pop(number, None)
        if base is not None:
            self.close_context(base.id)

    def close(self) -> "None":
        """End every child and the threads; in a fork, nothing: they are another's."""
        if self.router.forked:
            return
        for link in self.router.close():
            link.join(5)
            if link.context is not None:
                link.path.join(10)
        self._module_requests.close()
        self._id_requests.close()
        self.after_output()  # futures may wait for that to be settled, and have callbacks
        self.callbacks.close()

    # -- what children ask

    def _answer(self, child: "int", wanted: "Any") -> "Any":
        if type(wanted) is dict and wanted.get("kind") == DEFINITION:
            return self.pickles.answer(wanted)
        return self.answer_modules(child, wanted)

    def answer_modules(self, child: "int", wanted: "Any") -> "Any":
        """The reply to a child that asks for a module."""
        return self.router.more().serve_modules(wanted)


def magic_of(python: "Optional[str]") -> "bytes":
    """The magic number of an interpreter of this machine, if it is ours; None: ours."""
    return MAGIC_NUMBER if python in (None, sys.executable) else b""


def process_name() -> "str":
    """What ``ps`` shows of a child, after "remotesvc:": whose it is."""
    import pwd
    try:
        user = pwd.getpwuid(os.getuid())[0]
    except KeyError:
        user = str(os.getuid())
    return "%s@%s:%d" % (user, os.uname()[1], os.getpid())


def start_local(options: "Dict[str, Any]") -> "Any":
    """On a child, see ``by_way.started``."""
    return started(lambda tree, options: tree.local(**options), options)
