"""The open contexts of a fleet: one a host, opened at first use, kept until the fleet is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from remotesvc.bootstrap.calls.refusals import ServiceRefused
from remotesvc.bootstrap.errors import Lost, NotSent, RouterClosed
from remotesvc.bootstrap.unreachable import ConnectError

from .connection import Become
from .member import Member

Opened = Callable[[Member, Any], object]


class Links:
    """Opens and keeps contexts. Thread-safe; a slow host holds up nobody who wants another.

    reconnect: a host whose context was lost gets a new one at its next use. Otherwise it stays lost.
    """

    def __init__(self, router: Any, given: Mapping[str, Any], become: Become, reconnect: bool,
                 on_connect: Opened) -> None:
        self.router = router
        self._given = given
        self._become = become
        self.reconnects = reconnect
        self._on_connect = on_connect
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._contexts: dict[str, Any] = {}
        self._closed = False

    def context(self, member: Member) -> Any:
        """The context on a host; opens it if there is none. Raises ConnectError, RouterClosed."""
        with self._lock:
            if self._closed:
                raise RouterClosed("the fleet is closed")
            if member.text in self._contexts:
                return self._contexts[member.text]
            opening = self._opening.setdefault(member.text, threading.Lock())
        with opening:  # two calls to one host must not make two connections
            if member.text in self._contexts:
                return self._contexts[member.text]
            context = member.open(self.router, self._given, self._become)
            with self._lock:
                late = self._closed
                if not late:
                    self._contexts[member.text] = context
        if late:
            context.close()
            raise RouterClosed("the fleet is closed")
        self._on_connect(member, context)
        return context

    def idle(self, member: Member) -> Any:
        """The context on a host if it is up and nobody waits for an answer of it, so that a small call to it goes out
        at once; else None."""
        with self._lock:
            context = self._contexts.get(member.text)
        if context is None:
            return None
        tree, number = context.tree, context.id
        return context if tree.start_of(number).ready and not tree.peer(number).unanswered else None

    def failed(self, member: Member, context: Any, error: BaseException) -> None:
        """A call ended with this error: one that never came up is forgotten, so is one lost if we may reconnect."""
        gone = isinstance(error, ConnectError) or (
            self.reconnects and isinstance(error, (Lost, NotSent)) and not isinstance(error, ServiceRefused)
        )
        if not gone:
            return
        with self._lock:
            kept = self._contexts.get(member.text)
            if kept is None or kept is not context:
                return
            del self._contexts[member.text]
        with suppress(Exception):
            kept.close()

    def close(self) -> None:
        """Open no more; the router's own end closes the contexts. Idempotent."""
        with self._lock:
            self._closed = True
            self._contexts.clear()
