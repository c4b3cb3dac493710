"""The open contexts of a fleet: one a host, opened at first use, kept until the fleet is closed or they are lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost, RouterClosed
from remotesvc.bootstrap.routing.mailbox import Mailbox
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.calling.outcomes import own_error
from remotesvc.once import OnceEach

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
        self._opened: OnceEach[str, Context] = OnceEach()
        self._closed = False

    def context(self, member: Member) -> Context:
        """The context on a host; opens it if there is none. Raises ConnectError, RouterClosed."""
        context, first = self._opened.get(member.text, lambda: self._open(member))
        if first:
            try:
                self._on_connect(member, context)
            finally:
                self._watch(member, context)
        return context

    def _open(self, member: Member) -> Context:
        self._alive()
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
            router.close_mailbox(handle, context.tree.ledger.failure_of(number) or Lost(router.hub.lost[number]))

    def idle(self, member: Member) -> Context | None:
        """The context on a host if it is up and nobody waits for an answer from it, so that a small call would leave at
        once; else None."""
        context = self._opened.peek(member.text)
        if context is None:
            return None
        ledger, number = context.tree.ledger, context.id
        return context if ledger.start_of(number).ready and not ledger.peer(number).unanswered else None

    def failed(self, member: Member, context: Context, error: BaseException) -> None:
        """A call ended with this error: a context that never came up is forgotten."""
        if isinstance(error, ConnectError) and self._opened.forget(member.text, context):
            with suppress(Exception):
                context.close()

    def _gone(self, member: Member, context: Context, error: BaseException) -> None:
        """A context is gone. Called on any thread, mostly the reader's, before calls there are told."""
        if self._closed or not isinstance(error, Lost):  # else it never came up, which the call tells
            return
        if self.reconnects and self._opened.forget(member.text, context):
            context.tree.callbacks.run(context.close)  # and what it was started through
        context.tree.callbacks.run(self._on_lost, member, own_error(context, error, ""))

    def close(self) -> None:
        """Open no more; the router's own end closes the contexts. Idempotent."""
        self._closed = True
        self._opened.clear()


class _Watch(Mailbox):
    """A mailbox to which nobody writes: it is closed when the context is gone, and that is what it is for."""

    def __init__(self, source: int, lost: Callable[[BaseException], object]) -> None:
        self.source = source
        self._lost = lost

    def on_closed(self, error: BaseException) -> None:
        self._lost(error)
