"""A tree of contexts in one process: real routers, real calls, byte paths in memory.

Two routers in one process share nothing, so what holds here holds between machines; only modules are not sent, since
every node imports from this process. Faults are those of the paths::

    with MemoryTree() as tree:
        near = tree.add()
        far = tree.add(near)
        assert tree.root.context(far).call("operator:add", 1, 2) == 3
        near.path.cut_after(0)                      # near and far are lost
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from remotesvc import fastcodec
from remotesvc.bootstrap.calls.ask import answer, request
from remotesvc.bootstrap.calls.dispatcher import Dispatcher, Seat
from remotesvc.bootstrap.calls.execute import Executor
from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.calls.workers import Workers
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.errors import Error
from remotesvc.bootstrap.links import assembly, wire
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.routing.hub import Hub
from remotesvc.bootstrap.routing.ids import IdPool
from remotesvc.bootstrap.routing.router import Router
from remotesvc.calling.context import Context
from remotesvc.calling.inbox import Inbox
from remotesvc.launch.tree import Tree
from remotesvc.messages.sender import Sender

from .memory import CAPACITY, MemoryPath, pair

# Seconds until a test that waits for something that never comes fails.
PATIENCE = 30.0
LAST_ID = 0xFFFFFFFE


class Node(Router):
    """One context of the tree.

    path    its parent's end of the link between them; None for the root
    own     its own end of that link
    errors  what it would have reported as internal errors
    """

    def __init__(self, number: int, ancestors: list[int], siblings: bool = False, concurrency: int = 8) -> None:
        bindings = Bindings(make_context=lambda number, name: self.tree().context(number, name),
                            make_sender=lambda context, handle: Sender(self, context, handle))
        super().__init__(number, ancestors, codec if ancestors else fastcodec, bindings)
        self.path: MemoryPath | None = None
        self.own: MemoryPath | None = None
        self.errors: list[BaseException] = []
        self.orphaned = threading.Event()
        self.importing = threading.RLock()  # the executor holds it while it imports
        self.hub = Hub(self, siblings)
        assembly.begin(self)
        self._inboxes: list[Inbox] = []
        self._leaving: threading.Thread | None = None
        if ancestors:
            ids = IdPool(lambda: request(self, self.routes.ancestors[0], wire.LEASE_IDS, None))
        else:
            ids = IdPool(_no_more_ids, 1, LAST_ID)
        self.ids = ids
        self._tree = Tree(self, ids, {})
        self.dispatcher = Dispatcher(self, concurrency, Executor(self, lambda modules: None, lambda call: None))
        Workers(self.dispatcher, self.timers).install()
        self._main = threading.Thread(target=self.dispatcher.serve, args=(Seat(True),), name="remotesvc-node-main",
                                      daemon=True)
        if ancestors:
            self.mailboxes[wire.CALL] = self.dispatcher
            self._main.start()

    def tree(self) -> Tree:
        """Its part as a parent and as a caller."""
        return self._tree

    def report(self, error: BaseException) -> None:
        self.errors.append(error)

    def on_cancel(self, call: int) -> None:
        self.dispatcher.on_cancel(call)

    def busy(self, neighbour: int | None) -> bool:
        return self._tree.busy(neighbour)

    def on_orphaned(self, reason: str) -> None:
        # On a reader or timer thread, which closing would wait for.
        with self.lock:
            if self._leaving is not None or self.closed:
                return
            self._leaving = threading.Thread(target=self.end, args=(reason,), name="remotesvc-leave", daemon=True)
            self._leaving.start()

    # -- what tests do with it

    def context(self, other: Node) -> Context:
        """A handle of this node for calls to another."""
        return self._tree.context(other.id, f"node {other.id}")

    def ping(self, other: Node, timeout: float = PATIENCE) -> float:
        """Seconds to another node and back; what was sent to it as control before has arrived by then."""
        return self.context(other).ping(timeout)

    def serve(self, handle: int, function: Callable[[Any], Any]) -> None:
        """Answer what is sent to a well-known handle with ``function(value)``, on a thread of its own."""

        def handle_message(message: Any) -> None:
            try:
                answer(self, message, function(message.decode()))
            except Error as error:
                self.errors.append(error)

        inbox = Inbox(self, "remotesvc-node-inbox", handle_message)
        self._inboxes.append(inbox)
        self.mailboxes[handle] = inbox

    def ask(self, other: Node, handle: int, value: Any, timeout: float = PATIENCE) -> Any:
        """The answer of another node's handle. Raises CallTimeout, NotSent, Lost."""
        return request(self, other.id, handle, value, timeout)

    def unanswered(self) -> list[Any]:
        """Who still waits for an answer here: mailboxes at random handles."""
        return [mailbox for handle, mailbox in list(self.mailboxes.items()) if handle >= wire.RANDOM]

    def expect(self, source: int, notify: Callable[[Pending], Any] | None = None) -> Pending:
        """Open a mailbox for one answer from a context."""
        pending = Pending(source, "a test", notify)
        pending.handle = self.open(pending)
        return pending

    def end(self, reason: str = "the node is closed") -> None:
        """Close the router and end its threads."""
        links = list(self.links.values())
        self.close(reason)
        self.dispatcher.stop()
        for link in links:
            link.join(PATIENCE)
            link.path.join(PATIENCE)
        self._tree.close()
        for inbox in self._inboxes:
            inbox.close()
        if self._main.ident is not None:
            self._main.join(PATIENCE)
        self.orphaned.set()


class MemoryTree:
    """The nodes, from ``root`` down. Leaving the context manager ends them all."""

    def __init__(self, siblings: bool = False) -> None:
        self._siblings = siblings
        self.root = Node(0, [], siblings)
        self.nodes = [self.root]

    def add(self, parent: Node | None = None, capacity: int = CAPACITY, concurrency: int = 8) -> Node:
        """A new child of a node, known to every node above it when this returns."""
        above = parent or self.root
        node = Node(above.ids.take(), [above.id, *above.routes.ancestors], self._siblings, concurrency)
        node.path, node.own = pair(capacity, (f"to {node.id}", f"of {node.id}"))
        down = self.adopt(above, node.id, node.path)
        up = node.attach(node.own, None)
        node.own.start(up.feed, up.fail)
        node.path.start(down.feed, down.fail)
        self.nodes.append(node)
        if above is not self.root:
            above.ping(self.root)  # which comes behind the announcement
        return node

    @staticmethod
    def adopt(parent: Node, number: int, path: MemoryPath) -> Link:
        """Have a node take a byte path for the link to a child of this id; the caller starts the path."""
        link = parent.attach(path, number)
        above = parent.links.get(None)
        if above is not None:
            above.control(wire.Frame(wire.ROUTE_ADD, handle=number))
        return link

    def close(self) -> None:
        """End every node."""
        for node in self.nodes:
            node.end()

    def __enter__(self) -> MemoryTree:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _no_more_ids() -> list[int]:
    raise RuntimeError("all context ids are used")
