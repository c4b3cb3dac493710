"""The router of a context that has a parent: it runs calls, and ends with its parent."""
import os
import threading
import time

from .calls.dispatcher import Dispatcher
from .calls.execute import Executor
from .data import codec
from .data.codec import Bindings
from .links import wire
from .routing.router import Router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

# Seconds after which a process without a parent ends, however far it has come with leaving in good order.
LONGEST_END = 1.9


def whole(load: "Any") -> "Any":
    """What ``load()`` imports. Python may give half of what another thread imports, or failed to."""
    for _ in range(250):
        try:
            return load()
        except ImportError:
            time.sleep(0.02)  # it is done in a moment
    return load()


def _provisions() -> "Any":
    from .lazy_parts import LazyParts
    return LazyParts


class ChildRouter(Router):
    def __init__(self, config: "Dict[str, Any]", finder: "Any", stderr: "int") -> "None":
        super().__init__(config["id"], config["ancestors"], codec, Bindings(
            make_context=lambda number, name: self.tree().context(number, name),
            make_sender=lambda context, handle: self.more().sender(context, handle)))
        self.config = config
        self.finder = finder
        self.executor = Executor(self, lambda entries: self.importer().deliver(entries),
                                 lambda call: self.outlet.drain(call))
        self.dispatcher = Dispatcher(self, config["concurrency"], self.executor)
        self.mailboxes[wire.CALL] = self.dispatcher
        self.arrived = self._arrived_early
        self.ends: "Any" = None
        self.outlet: "Any" = None
        self.importing = threading.RLock()
        self.left = threading.Event()
        self.stderr = stderr
        self._leaving = threading.Lock()
        self.farewell: "Any" = None
        self._more: "Any" = None
        self._making = threading.RLock()
        self._rest = b""
        self._whole = threading.Event()
        self._asked = False

    @property
    def parent(self) -> "int":
        """The context id of our parent."""
        return self.routes.ancestors[0]

    def more(self) -> "Any":
        """What only some children need: its code, like most of the kernel, follows the first call."""
        if self._more is None:
            make = whole(_provisions)  # no import under a lock that other imports wait for
            with self._making:
                self._more = self._more or make(self)
        return self._more

    def tree(self) -> "Any":
        """Our part as a parent."""
        return self.more().tree()

    def importer(self) -> "Any":
        """What finds modules that neither memory nor the target's standard library has."""
        return self.more().importer()

    def find_spec(self, name: "str", path: "Any") -> "Any":
        """The finder's last resort: the rest of our own kernel, then the importer."""
        if name.startswith("remotesvc.bootstrap."):
            self.whole_kernel()
            if name in self.finder.sources:  # also if another thread was faster
                return self.finder.find_spec(name)
        return self.importer().find(name, path)

    # -- on the reader thread

    def on_cancel(self, call: "int") -> "None":
        self.dispatcher.on_cancel(call)

    def _on_neighbour(self, link: "Any", frame: "wire.Frame") -> "None":
        if frame.kind == wire.KERNEL and link.context is None:
            self._rest, self._asked = frame.payload, True
            self._whole.set()
            self.timers.after(0, self._complete)
        else:
            super()._on_neighbour(link, frame)

    def _arrived_early(self, link: "Any", frame: "Any") -> "Any":
        whole = self.streams.arrived_early(link, frame)
        if not whole:
            self.ask()
        return whole

    def _complete(self) -> "None":
        from .complete import complete
        complete(self)

    def ask(self) -> "None":
        """Have the rest of the kernel come now; unasked, it comes a little later."""
        if not self._asked:
            self._asked = True
            link = self.links.get(None)
            if link is not None:
                link.send("kernel", 0, [wire.Frame(wire.KERNEL).pack()], wire.SIZE, True)

    def whole_kernel(self) -> "None":
        """Have all kernel modules at hand, waiting for them if need be."""
        self.ask()
        if not self._whole.wait(self.config["lease"]):
            self.on_orphaned("the rest of the kernel did not come")
        with self._making:
            rest, self._rest = self._rest, b""
            if rest:
                import zlib
                self.finder.add(zlib.decompress(rest))

    # -- life

    def busy(self, neighbour: "Any") -> "bool":
        return self._more is not None and self._more.busy(neighbour)

    def report(self, error: "BaseException") -> "None":
        self.more().report(error)

    def on_orphaned(self, reason: "str") -> "None":
        if self._leaving.acquire(False):
            try:
                threading.Thread(target=_end_late, name="remotesvc-end", daemon=True).start()
                threading.Thread(target=self._leave, args=(reason,), name="remotesvc-leave", daemon=True).start()
            except RuntimeError:  # no more threads: then at once
                self._say(reason)
                _end()

    def _say(self, reason: "str") -> "None":
        try:
            # Where stderr led before we captured it: the parent shows it when it knows no better.
            os.write(self.stderr, ("remotesvc: %s\n" % reason).encode("utf-8", "replace"))
        except OSError:  # nobody reads it any more
            pass

    def _leave(self, reason: "str") -> "None":
        self._say(reason)
        try:
            if self.farewell is None:
                _end()
            self.farewell(self, reason)
        finally:
            os._exit(0)


def _end_late() -> "None":
    time.sleep(LONGEST_END)
    _end()


def _end() -> "None":
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), 9)
    os._exit(1)
