"""The open contexts of a fleet: one a host, opened at first use, kept until the fleet is closed or they are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost, RouterClosed
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.calling.outcomes import own_error
from remotesvc.ssh.once import Once

from .connection import Become
from .member import Member

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.router import Router

Opened = Callable[[Member, "Context"], object]
Gone = Callable[[Member, BaseException], object]


class Links:
    """Opens and keeps contexts. Thread-safe; a slow host holds up nobody who wants another.

    reconnect: a host whose context was lost gets a new one at its next use. Otherwise it stays lost. `on_connect` is
    called by whoever opened the context, `on_lost` on the router's thread for callbacks.
    """

    def __init__(self, router: Router, given: Mapping[str, Any], become: Become, reconnect: bool,
                 on_connect: Opened, on_lost: Gone) -> None:
        self.router = router
        self._given = given
        self._become = become
        self.reconnects = reconnect
        self._on_connect = on_connect
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._opened: dict[str, Once[Context]] = {}
        self._closed = False

    def context(self, member: Member) -> Context:
        """The context on a host; opens it if there is none. Raises ConnectError, RouterClosed."""
        while True:
            with self._lock:
                self._alive()
                opened = self._opened.get(member.text)
                first = opened is None or (opened.over and opened.value is None)
                if opened is None or first:
                    opened = self._opened[member.text] = Once()
            if first:
                context = opened.open(lambda: self._open(member))
                self._on_connect(member, context)
                self._watch(member, context)
                return context
            found = opened.came()  # whoever it is has as much time as we
            if found is not None:
                return found

    def _open(self, member: Member) -> Context:
        context: Context = member.open(self.router, self._given, self._become)
        try:
            self._alive()
        except RouterClosed:  # meanwhile
            context.close()
            raise
        return context

    def _alive(self) -> None:
        if self._closed:
            raise RouterClosed("the fleet is closed")

    def _watch(self, member: Member, context: Context) -> None:
        router, number = self.router.kernel, context.id
        handle = router.open(_Watch(number, lambda error: self._gone(member, context, error)))
        if number in router.hub.lost:  # meanwhile: nobody told the mailbox, perhaps
            router.close_mailbox(handle, context.tree.failure_of(number) or Lost(router.hub.lost[number]))

    def idle(self, member: Member) -> Context | None:
        """The context on a host if it is up and nobody waits for an answer from it, so that a small call would leave at
        once; else None."""
        with self._lock:
            opened = self._opened.get(member.text)
        context = None if opened is None else opened.value
        if context is None:
            return None
        tree, number = context.tree, context.id
        return context if tree.start_of(number).ready and not tree.peer(number).unanswered else None

    def failed(self, member: Member, context: Context, error: BaseException) -> None:
        """A call ended with this error: a context that never came up is forgotten."""
        if isinstance(error, ConnectError) and self._forget(member, context):
            with suppress(Exception):
                context.close()

    def _gone(self, member: Member, context: Context, error: BaseException) -> None:
        """A context is gone. Called on any thread, mostly the reader's, before calls there are told."""
        if self._closed or not isinstance(error, Lost):  # else it never came up, which the call tells
            return
        if self.reconnects and self._forget(member, context):
            context.tree.callbacks.run(context.close)  # and what it was started through
        context.tree.callbacks.run(self._on_lost, member, own_error(context, error, ""))

    def _forget(self, member: Member, context: Context) -> bool:
        with self._lock:
            opened = self._opened.get(member.text)
            mine = opened is not None and opened.value is context
            if mine:
                del self._opened[member.text]
        return mine

    def close(self) -> None:
        """Open no more; the router's own end closes the contexts. Idempotent."""
        with self._lock:
            self._closed = True
            self._opened.clear()


class _Watch:
    """A mailbox to which nobody writes: it is closed when the context is gone, and that is what it is for."""

    def __init__(self, source: int, on_closed: Callable[[BaseException], object]) -> None:
        self.source = source
        self.on_closed = on_closed

    def on_message(self, message: Any) -> None:
        """Nobody was told where it is."""
        message.release()
