"""A router's part as a parent: the children it starts and keeps, and what calling a context needs of this process.

The master has one from the beginning; a child gets one when its code first starts a child or calls a context.
"""

import collections
import os
import sys
import threading
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap.calls.current import current
from ..bootstrap.data.codec import Bindings
from ..bootstrap.errors import Cancelled, UsageError, WireError
from ..bootstrap.links import wire
from ..bootstrap.routing.closing import part
from ..bootstrap.routing.hub import Hub
from ..bootstrap.routing.ids import BLOCK, SHARE, Lessor
from ..bootstrap.unreachable import BootstrapError, ConnectError, as_reply, from_reply_untrusted
from ..calling.context import Context
from ..calling.inbox import Inbox
from ..calling.invocation import Peer
from ..calling.promise import Promise
from ..calling.targets import Targets
from ..pickling import DEFINITION
from .bundle import Bundle, kernel_codes, kernel_sources
from .handshake import LIMITS
from .moduledesk import ModuleDesk
from .process import ProcessPath
from .start import Start, magic_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple

    from .bundle import Sources

# Seconds for connecting, all stages together.
CONNECT_TIMEOUT = 30.0
# Seconds a child lives without a word from its parent.
LEASE = 60.0
# Calls that run at once in a context.
CONCURRENCY = 8
# Contexts that are gone and can still be asked what became of them.
MAX_GONE = 1024
# The latest of them still have their links and connections, for whoever is just closing one. Of the others there is
# only what may be asked: a connection over SSH is 50 KiB and more.
MAX_WHOLE = 16


class Tree(object):
    """Children of one router, and the contexts it can call."""

    cancelled_class: "Any" = Cancelled

    def __init__(self, router: "Any", ids: "Any", settings: "Dict[str, Any]") -> "None":
        self.router = router
        router.hub = router.hub or Hub(router)
        router.hub.on_gone = self.on_gone
        self._ids = ids
        self._settings = settings
        self._peers: "Dict[int, Peer]" = {}
        self.targets = Targets()
        self._starts: "Dict[int, Any]" = {}
        self._bases: "Dict[int, Context]" = {}
        # The contexts between us and one that was started by another: those it asks for its modules.
        self.hops: "Dict[int, Tuple[int, ...]]" = {}
        self._gone: "Deque[int]" = collections.deque()
        self._bundle: "Optional[Bundle]" = None
        self._pickles: "Any" = None
        self._lock = threading.Lock()
        self.callbacks = Inbox("remotesvc-callbacks", lambda message: None, router.report)
        self._module_requests = ModuleDesk(router, self._answer)
        router.mailboxes[wire.ASK_MODULE] = self._module_requests
        self._id_requests = Inbox("remotesvc-ids", lambda message: None, router.report)
        router.mailboxes[wire.LEASE_IDS] = Lessor(router, ids, BLOCK if router.id == 0 else BLOCK // SHARE,
                                                  self._id_requests.run)

    # -- starting children

    def local(self, python: "Optional[str]" = None, via: "Optional[Context]" = None, name: "Optional[str]" = None,
              connect_timeout: "float" = CONNECT_TIMEOUT, **settings: "Any") -> "Context":
        """A process on this machine, or on the machine of ``via``; see ``Router.local``."""
        if via is not None:
            options = dict(settings, python=python, name=name, connect_timeout=connect_timeout)
            return self.started_by(via, "remotesvc.launch.tree:start_local", options, connect_timeout, name)
        self.router.alive()  # before there is a process that nobody would end
        host = name or self.host
        path = ProcessPath(self.bundle.argv(python or sys.executable, process_name()), host)
        return self.adopt(path, host, connect_timeout, {}, settings, magic=magic_of(python))

    @property
    def host(self) -> "str":
        """What contexts on this machine are called if nobody says otherwise."""
        return self._settings.get("host") or "local"

    def started_by(self, via: "Context", starter: "str", options: "Dict[str, Any]", connect_timeout: "float",
                   name: "Optional[str]") -> "Context":
        """A context that ``via`` starts for us by ``starter(options)``. Raises its ConnectError."""
        patient = via.options(timeout=connect_timeout + 5)
        number, info = self._checked(via, patient.call(starter, options))
        self._starts[number] = Settled(name or via.name, info)
        self.hops[number] = self.hops.get(via.id, ()) + (via.id,)
        return Context(self, number, name or via.name)

    def keep_with(self, context: "Context", base: "Context") -> "None":
        """Whoever closes ``context`` closes ``base``, which is there for nothing else."""
        self._bases[context.id] = base

    def _checked(self, via: "Context", answer: "Any") -> "Tuple[int, Dict[str, Any]]":
        """Id and HELLO of a context that another has started: it must be one of its own."""
        error = from_reply_untrusted(answer) if type(answer) is list else None
        if error is not None:
            raise error
        number, info = answer if type(answer) is tuple and len(answer) == 2 else (None, None)
        towards = self.router.routes.towards
        if type(number) is not int or type(info) is not dict or number in self._starts or (
                towards(number) is None or towards(number) != towards(via.id)):
            raise WireError("%s did not name a new context of its own" % via.name)
        return number, info

    def adopt(self, path: "Any", host: "str", budget: "float", phases: "Dict[str, float]",
              settings: "Optional[Dict[str, Any]]" = None, alive: "Optional[Tuple[float, float]]" = None,
              remember: "Optional[Callable[[Dict[str, Any]], None]]" = None, magic: "bytes" = b"") -> "Context":
        """Make a context of what is at the other end of a byte path; returns without waiting for it.

        ``alive``: seconds of silence after which it is asked for a sign of life, and after which it is lost, where that
        is sooner than usual. ``remember`` is called with its HELLO, on the reader. ``magic``: the magic number of its
        Python, as far as that can be foretold.
        """
        router = self.router
        number = self._ids.take()
        start = Start(router, number, host, path, phases, alive, remember, magic)
        self._starts[number] = start
        parent = router.links.get(None)
        if parent is not None:
            parent.control(wire.Frame(wire.ROUTE_ADD, handle=number))
        config = dict(self._settings, id=number, ancestors=[router.id] + list(router.routes.ancestors), name=host,
                      lease=LEASE)
        config.update(settings or {})
        try:
            start.begin(self.bundle, config, budget)
        except RuntimeError as error:  # it may have no more threads
            start.link.fail(str(error))
            raise BootstrapError("cannot attend to a new process: %s" % error, host=host, stage="boot",
                                 hint=LIMITS[0][1]) from None
        return Context(self, number, host)

    @property
    def bundle(self) -> "Bundle":
        """The kernel as it is sent, made at the first use."""
        with self._lock:
            if self._bundle is None:
                self._bundle = Bundle(kernel_sources(), self.kernel_codes)
            return self._bundle

    def kernel_codes(self, sources: "Sources") -> "Dict[str, bytes]":
        """The bytecode of these kernel modules, as far as it is ready here."""
        return kernel_codes(sources)

    def start_of(self, number: "int") -> "Any":
        """How a context was started: ``info``, ``phases``, ``wait()``. Raises UsageError if not by this process."""
        try:
            return self._starts[number]
        except KeyError:
            raise UsageError("context %d was started by another process, which knows more of it" % number) from None

    def failure_of(self, number: "int") -> "Optional[BaseException]":
        """Why a context never came up; None if it did, or if another process started it."""
        start = self._starts.get(number)
        return start.error if start is not None else None

    def lives(self, number: "int") -> "bool":
        """Is a child of this process there, or on its way up?"""
        link = self.router.links.get(number)
        return link is not None and not link.closed and self.failure_of(number) is None

    def forget(self, number: "int") -> "None":
        """A context is closed and nobody will ask for it again."""
        self._starts.pop(number, None)
        self._peers.pop(number, None)
        self.hops.pop(number, None)
        self._bases.pop(number, None)

    def on_gone(self, gone: "Set[int]") -> "None":
        """Contexts are gone, say the routes; on any thread. The latest are kept, for whoever asks why."""
        with self._lock:
            for number in gone:
                self._gone.append(number)
                if len(self._gone) > MAX_WHOLE:
                    self._reduce(self._gone[-1 - MAX_WHOLE])
            while len(self._gone) > MAX_GONE:
                self.forget(self._gone.popleft())

    def _reduce(self, number: "int") -> "None":
        """Keep of a context that is gone what it was and why it failed."""
        start = self._starts.get(number)
        if start is not None and start.decided:
            self._starts[number] = Settled(start.host, start.info, start.phases, start.error)

    def name_of(self, number: "int") -> "str":
        """What a context is called, for people."""
        start = self._starts.get(number)
        if start is not None:
            return start.host  # type: ignore[no-any-return]
        # Started by another process: what we know is through which of our children, and that is the machine.
        neighbour = self.router.hub.behind.get(number)
        return "context %d" % number if neighbour is None else self.name_of(neighbour)

    def close_context(self, number: "int") -> "None":
        """End a context. Idempotent."""
        if self.router.forked:
            return
        link = self.router.links.get(number)
        if link is not None:
            start = self._starts.get(number)
            part(link, "closed by its parent")
            link.join(5)
            if start is not None:
                start.path.join(10)
        elif self.router.routes.towards(number) is not None:
            self.router.control(wire.Frame(wire.BYE, dst=number, payload=b"closed from above"))
            self.router.hub.forget(number, "we closed the context")
        base = self._bases.pop(number, None)
        if base is not None:
            self.close_context(base.id)

    def close(self) -> "None":
        """End every child and the threads; in a fork, nothing: they are another's."""
        if self.router.forked:
            return
        links = [(link, self._starts.get(link.context)) for link in list(self.router.links.values())]
        self.router.close()
        for link, start in links:
            link.join(5)
            if start is not None:
                start.path.join(10)
        self._module_requests.close()
        self._id_requests.close()
        self.after_output()  # futures may wait for that to be settled, and have callbacks
        self.callbacks.close()

    # -- what a call needs

    def peer(self, number: "int") -> "Peer":
        """The book of calls to a context."""
        peer = self._peers.get(number)
        if peer is None:
            with self._lock:
                peer = self._peers.setdefault(number, Peer(number))
        return peer

    def busy(self, neighbour: "Optional[int]") -> "bool":
        """Is a call under way to a context behind this neighbour?"""
        return any(peer.unanswered and self.router.routes.towards(number) == neighbour
                   for number, peer in list(self._peers.items()))

    def context(self, number: "int", name: "str" = "") -> "Context":
        """A handle to a context known by its id."""
        return Context(self, number, name)

    def future(self, invocation: "Any") -> "Any":
        """Submit: the future of a call that is on its way."""
        future = self.make_future(invocation).begin()
        if invocation.options.timeout is not None:
            timer = self.router.timers.after(invocation.options.timeout, lambda: self.callbacks.run(future.expire))
            future.add_done_callback(lambda _future: timer.cancel())
        return future

    def make_future(self, invocation: "Any") -> "Any":
        """The future of a call, not yet sent."""
        return Promise(invocation, self.callbacks.run)

    def bindings_with(self, classes: "Dict[str, type]") -> "Bindings":
        """The router's bindings, and classes named for one call."""
        own = self.router.bindings
        return Bindings(dict(own.classes, **classes), own.make_context, own.make_sender)

    def cancelled(self, message: "str", host: "str", call: "str") -> "BaseException":
        """The error of a call that was cancelled, as this process knows it."""
        return self.cancelled_class(message, host, call)  # type: ignore[no-any-return]

    def after_output(self) -> "None":
        """Return once what has arrived before now was shown; only the master shows anything."""

    def modules_for(self, number: "int", target: "Any") -> "List[Any]":
        """Modules to send along with a call. A child sends none: its children ask it."""
        return []

    # How tracebacks get source lines of modules that we sent; a child has none to look up.
    source_line: "Any" = None

    def pickle(self, context: "Context", work: "Tuple[Any, Any, Any]") -> "Tuple[List[Any], List[Any]]":
        """What ``bootstrap.calls.pickled`` takes of a function, its arguments and keywords; modules to send along."""
        pickles, names = self.pickles.parts(work, self._starts.get(context.id))
        return pickles, self.modules_named(context.id, names)

    def modules_named(self, number: "int", names: "List[str]") -> "List[Any]":
        """Modules to send along with what names them; see ``modules_for``."""
        return []

    @property
    def pickles(self) -> "Any":
        """What makes pickles, made at the first use: a child has to fetch it."""
        if self._pickles is None:
            from ..pickling.parts import Pickles
            with self._lock:
                self._pickles = self._pickles or Pickles(self.ask_above)
        return self._pickles

    def ask_above(self, request: "Any") -> "Dict[str, Any]":
        """Our parent's reply to a request for a module or definition."""
        return self.router.importer().request(request)  # type: ignore[no-any-return]

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


class Settled(object):
    """What is known of a context that somebody else started for us, or that is gone."""

    decided = True

    def __init__(self, host: "str", info: "Dict[str, Any]", phases: "Optional[Dict[str, float]]" = None,
                 error: "Optional[BaseException]" = None) -> "None":
        self.host = host
        self.info = info
        self.phases = phases or {}
        self.error = error
        self.magic = magic_in(info)
        self.ready = error is None

    def wait(self, timeout: "Optional[float]" = None) -> "Dict[str, Any]":
        """It is up already, or it never was: then this raises its error."""
        if self.error is not None:
            raise self.error
        return self.info


def start_local(options: "Dict[str, Any]") -> "Any":
    """On a child: start a child of its own; returns its id and HELLO, or the reply that stands for a ConnectError."""
    try:
        context = current().router.tree().local(**options)
        return context.id, context.info
    except ConnectError as error:
        return as_reply(error)
