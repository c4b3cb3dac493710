"""An inbox of many neighbours: one message of each in turn, so that none waits behind all that another has sent."""

import collections
import threading
import time

from .inbox import Inbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, Optional


class FairInbox(Inbox):
    """An Inbox whose messages wait by the neighbour that they came through. Who lies behind a neighbour counts as that,
    which may have made them up. ``run_behind`` waits with those of a context; ``run`` for one of each at most."""

    def __init__(self, router: "Any", name: "str", handle: "Callable[[Any], Any]") -> "None":
        super().__init__(router, name, handle)
        # By neighbour, as long as anything of it is here or being dealt with; each has one entry in the inbox itself.
        self._turns: "Dict[Optional[int], Deque[Any]]" = {}
        self._turns_lock = threading.Lock()

    def on_message(self, message: "Any") -> "None":
        self._add(self._neighbour(message.src), (self.take, (message,)))

    def run_behind(self, context: "int", function: "Callable[..., Any]", *args: "Any") -> "None":
        """Call ``function(*args)`` after what is already here of a context."""
        self._add(self._neighbour(context), (function, args))

    def idle_of(self, context: "int") -> "bool":
        """Is there nothing here of a context, and nothing being dealt with?"""
        return not self._turns or self._neighbour(context) not in self._turns

    @property
    def waiting(self) -> "int":
        with self._turns_lock:
            return sum(map(len, self._turns.values()))

    def flush_of(self, context: "int", timeout: "float") -> "bool":
        """Like ``flush``, for what is here of one context."""
        if self._put_off or self.idle_of(context) or threading.current_thread() is self._thread:
            return not self._put_off
        done = threading.Event()
        self.run_behind(context, done.set)
        return done.wait(timeout)

    def flush(self, timeout: "float") -> "bool":
        if self._put_off or self.idle or threading.current_thread() is self._thread:
            return not self._put_off
        deadline, all_done = time.monotonic() + timeout, []
        with self._turns_lock:
            neighbours = list(self._turns)
        for neighbour in neighbours:
            all_done.append(threading.Event())
            self._add(neighbour, (all_done[-1].set, ()))
        return all(done.wait(max(0.0, deadline - time.monotonic())) for done in all_done)

    def _neighbour(self, context: "int") -> "Optional[int]":
        """Through whom a context is, or was, reached: what it said may be here still."""
        found = self._router.routes.towards(context)
        return self._router.hub.behind.get(context, context) if found is None else found  # type: ignore[no-any-return]

    def _add(self, neighbour: "Optional[int]", item: "Any") -> "None":
        with self._turns_lock:
            if neighbour in self._turns:
                self._turns[neighbour].append(item)
            elif self._put((self._turn, (neighbour,))):
                self._turns[neighbour] = collections.deque([item])

    def _turn(self, neighbour: "Optional[int]") -> "None":
        """Deal with one item of a neighbour, and go on with the others."""
        while True:
            with self._turns_lock:
                function, args = self._turns[neighbour].popleft()
            try:
                function(*args)
            except BaseException as error:  # as in the loop of an Inbox
                self._failed(error)
            with self._turns_lock:
                if not self._turns[neighbour]:
                    del self._turns[neighbour]
                    return
                if self._put((self._turn, (neighbour,))):
                    return
                # It is closed, and does what is here.
