"""The parts of a child that are made when they are first needed: capture, importer, its own part as a parent."""
import collections
import sys
import threading

from . import forks
from .calls.ask import request
from .calls.current import running
from .calls.execute import parts
from .child import whole
from .data import codec
from .errors import Error
from .links import wire
from .routing.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, Set

# Seconds an import waits for our parent where no call limits it.
ASK_LIMIT = 60.0


class LazyParts(object):
    """Of one child."""

    def __init__(self, router: "Any") -> "None":
        self._router = router
        self._lock = threading.RLock()
        self._importer: "Any" = None
        self._loading: "Set[int]" = set()
        self._tree: "Any" = None
        self._taking = threading.Lock()
        self._arrived = Doorway(router, self.take_modules, lambda: self._importer is not None)
        # Last: what comes then may use all of this.
        router.mailboxes[wire.PUSH_MODULES] = self._arrived
        router.mailboxes[wire.CALL_SERVICE] = Doorway(router, self.open)

    def name_process(self) -> "None":
        """Have the system call us what our parent does: cosmetic, and Linux only."""
        try:
            with open("/proc/self/comm", "w") as file:
                file.write(self._router.config["name"][:15])
        except OSError:
            pass

    def busy(self, neighbour: "Any") -> "bool":
        """Is a call of ours under way behind this neighbour?"""
        return self._tree is not None and self._tree.busy(neighbour)

    def importer(self) -> "Any":
        """The importer: compiled when something is first imported that neither memory nor the target has."""
        if self._importer is None:
            make = self._importer_class()  # no import under a lock that other imports wait for
            with self._lock:
                self._importer = self._importer or make(self.ask_modules, self._router.finder, _patience)
        return self._importer

    def _importer_class(self) -> "Any":
        """Raises ImportError where this thread is about to import it: a finaliser or a hook that runs meanwhile."""
        own = threading.get_ident()
        if own in self._loading:
            raise ImportError("the importer is not there yet: this import is part of making it")
        self._loading.add(own)
        try:
            return whole(_importer)
        finally:
            self._loading.discard(own)

    def take_modules(self, doorway: "Any") -> "None":
        """Modules came by themselves, behind a call that needs them."""
        importer = self.importer()
        with self._taking:
            while doorway.waiting:
                message = doorway.waiting[0]
                try:
                    importer.deliver(message.decode())
                except Exception as error:  # what came behind it is still to be taken
                    self.report(error)
                finally:
                    message.release()
                    doorway.waiting.popleft()

    def serve_modules(self, wanted: "Any") -> "Any":
        """The reply to a child that asks for a module. We have it by now, if it was sent along with the child's call:
        both passed us on their way there, the module first."""
        self.take_modules(self._arrived)
        return self.importer().serve(wanted)

    def ask_modules(self, wanted: "Dict[str, Any]") -> "Any":
        """Ask our parent for modules; waits for its answer, bounded by the running call."""
        call = running()
        limit = ASK_LIMIT if call is None or call.remaining is None else call.remaining
        return request(self._router, self._router.parent, wire.ASK_MODULE, wanted, limit, wire.MODULES)

    def tree(self) -> "Any":
        """Our part as a parent: its code is fetched when we first start a child or call a context."""
        router = self._router
        if self._tree is None:
            router.whole_kernel()  # our children need it, too
            from remotesvc.launch.tree import Tree

            from .routing.ids import IdPool
            with self._lock:
                if self._tree is None:
                    ids = IdPool(lambda: request(router, router.parent, wire.LEASE_IDS, None))
                    inherited = ("concurrency", "log_level", "siblings")
                    settings = {name: router.config[name] for name in inherited if name in router.config}
                    settings["host"] = router.config["name"]  # its children are on the same machine
                    self._tree = Tree(router, ids, settings)
        return self._tree

    def sender(self, context: "int", handle: "int") -> "Any":
        """A Sender that came in a message."""
        from remotesvc.messages.sender import Sender
        return Sender(self._router, context, handle)

    def open(self, doorway: "Any") -> "None":
        """Have the pool that answers what waits in a doorway; called on the timer thread, so only begun here."""
        threading.Thread(target=self._open, args=(doorway,), name="remotesvc-doorway", daemon=True).start()

    def _open(self, doorway: "Any") -> "None":
        try:
            first = doorway.waiting[0]
            self.importer().deliver(parts(first)[4])  # the pool's own code comes with the first call
        except Exception:
            pass  # taken by the pool already, or malformed: the pool will say so
        try:
            self.pool().workers.wake()
        except BaseException as error:  # else its callers would wait for ever
            reason = "services cannot be run here: %s: %s" % (type(error).__name__, error)
            while doorway.waiting:
                message = doorway.waiting.popleft()
                message.release()
                self._router.say_dead(message.src, message.reply_to, reason)

    def pool(self) -> "Any":
        """The pool of this context's services, made at the first service call."""
        # From the package, and not from its module: whoever imports the module holds its lock while it waits for the
        # package, and another thread may be importing the package and waiting for that module.
        from remotesvc.service import pool_of
        return pool_of(self._router, True)

    def capture(self) -> "Any":
        """A capture of stdout and stderr, not yet installed; made once, with all that a fork must not share."""
        from .output.capture import Capture
        forks.watch(self._router)
        capture = Capture(self._emit, _call_id)
        capture.fork = lambda fork: forks.fork_here(self._router, fork)
        # These are what sending depends on: they must never wait for their own output to be sent.
        capture.never_wait.update(thread.ident or 0 for thread in threading.enumerate()
                                  if thread.name in ("remotesvc-reader", "remotesvc-writer", "remotesvc-timers"))
        return capture

    def imported(self, name: "str") -> "None":
        """A module that we have something to do with has been imported."""
        if name == "logging":
            self.forward_logs()
        else:
            self.importer()

    def forward_logs(self) -> "None":
        """Send the records of `logging` to the master."""
        from .output.logs import install
        router = self._router
        # Through the capture's thread, so that a record keeps its place among what was printed, and logging never waits
        # for a lock of the link that its own thread may hold.
        install(lambda record: router.outlet.capture().post(
            lambda: self._tell(wire.EMIT_LOG, record, wire.LOGS), len(record["msg"])), router.config["log_level"])

    def _emit(self, fd: "int", call: "int", data: "bytes") -> "None":
        self._tell(wire.EMIT_OUTPUT, [fd, call, data], wire.OUTPUT)

    def _tell(self, handle: "int", value: "Any", stream: "int") -> "None":
        router = self._router
        try:
            router.post(router.routes.ancestors[-1], handle, codec.encode(value), stream=stream)
        except Error:
            pass  # the master is gone, and this process is about to follow

    def report(self, error: "BaseException") -> "None":
        """Tell of an error of ours that nobody waits for."""
        import traceback
        try:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        except Exception:  # it cannot be looked at
            text = "%s\n" % type(error)
        sys.stderr.write("remotesvc: internal error in context %d:\n%s" % (self._router.id, text))


def _importer() -> "Any":
    from .imports.importer import Importer
    return Importer


def _patience() -> "Any":
    call = running()
    return call.remaining if call is not None else None


def _call_id() -> "int":
    call = running()
    return call.id if call is not None else 0


class Doorway(Mailbox):
    """Where messages wait for a part that is fetched and made when the first one comes.

    ``open(doorway)`` has the part take what waits; ``made()``: is it there? Then no message waits for the timer thread.
    """

    def __init__(self, router: "Any", open: "Callable[[Any], Any]", made: "Callable[[], bool]" = lambda: False
                 ) -> "None":
        self._router = router
        self._open = open
        self._made = made
        self.waiting: "Deque[Any]" = collections.deque()  # the part goes on with it, so nothing is lost or overtaken

    def on_message(self, message: "Any") -> "None":
        if not message.commands:
            self._router.dispatcher.on_message(message)  # which refuses it
            return
        self.waiting.append(message)  # as many as the senders' credit allows
        if self._made():
            self._open(self)
        elif len(self.waiting) == 1:
            self._router.timers.after(0, lambda: self._open(self))
