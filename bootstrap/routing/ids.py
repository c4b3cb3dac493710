"""Context ids: leased in blocks from the parent, so that no two contexts of a tree are ever equal."""
import threading

from ..calls.ask import answer
from ..errors import Error
from .mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Set

# A child's block serves itself; a lease for its own children is a sixteenth, so several levels fit in one.
BLOCK = 4096
SHARE = 16
# Blocks that one neighbour may have: millions of contexts, and still there is enough for hundreds of neighbours.
MAX_BLOCKS = 4096
# Seconds that a child gets to take its answer; the others wait.
ANSWER = 1.0


class IdPool(object):
    """Ids of one context. ``lease()`` asks the parent for a block: [first, count]."""

    def __init__(self, lease: "Callable[[], List[int]]", first: "int" = 0, count: "int" = 0) -> "None":
        self._lease = lease
        self._next = first
        self._end = first + count
        self._lock = threading.Lock()

    def take(self, count: "int" = 1) -> "int":
        """The first of ``count`` consecutive ids. Asks the parent when the block is used up."""
        with self._lock:
            if self._next + count > self._end:
                first, size = self._lease()
                self._next, self._end = first, first + size
            first, self._next = self._next, self._next + count
            return first


class Lessor(Mailbox):
    """The mailbox that gives blocks to children. ``run(function, *args)`` calls a function on a thread that may wait,
    as our own lease does: one for all children, each of which asks for one block at a time."""

    def __init__(self, router: "Any", pool: "IdPool", size: "int", run: "Callable[..., Any]") -> "None":
        self._router = router
        self._pool = pool
        self._size = size
        self._run = run
        self._asking: "Set[int]" = set()

    def on_message(self, message: "Any") -> "None":
        """On a reader thread: a child asks."""
        message.release()
        child, routes = message.src, self._router.hub.routes
        if routes.towards(child) != child:
            self._refuse(message, "context ids are leased to neighbours: the parent of context %d has some" % child)
        elif child in self._asking:
            self._refuse(message, "context %d asks for more context ids before it got those it asked for" % child)
        elif routes.leased(child) >= MAX_BLOCKS * self._size:
            self._refuse(message, "context %d and those behind it have used up all context ids for them, which are %d"
                         % (child, MAX_BLOCKS * self._size))
        else:
            self._asking.add(child)
            self._run(self._answer, message)

    def _answer(self, message: "Any") -> "None":
        try:
            try:
                first = self._pool.take(self._size)
            finally:
                self._asking.discard(message.src)  # before the answer, which it may ask again upon
            with self._router.lock:  # a reader may be dropping routes
                self._router.hub.routes.lease(message.src, first, self._size)
            answer(self._router, message, [first, self._size], ANSWER)
        except Error as error:  # there are no more, or whoever asked is gone
            self._refuse(message, str(error))

    def _refuse(self, message: "Any", reason: "str") -> "None":
        self._router.say_dead(message.src, message.reply_to, reason)
