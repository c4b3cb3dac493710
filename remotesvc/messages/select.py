"""Waiting for the first of many: receivers, latches, other selects, and futures."""

import collections

from ..bootstrap.errors import UsageError
from .errors import Closed
from .event import Event
from .members import make_member
from .waitable import NOTHING, Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, Iterable, Optional


class Select(Waitable):
    """Gives what its members get, in the order in which it comes, as events; members take turns.

    members  what to wait for: Receivers, Latches, Selects, futures
    oneshot  each member is removed once it has given an event (a Select: once it has no members), so that a loop over
             it gathers one from each and ends
    notify   see Waitable; for those who cannot wait in ``get``

    Members may be added and removed at any time, by any thread; what waits in them already counts. Each can be in one
    Select only, and while it is, only that should take from it. A member that ends is removed, with ``oneshot`` after
    an event whose ``error`` says so; futures are removed with their event. No error of a member is raised: it is
    ``event.error``, beside the member that has it.

    ``get`` raises UsageError if a oneshot Select has no members; without ``oneshot`` it waits for members, too.
    """

    def __init__(self, members: "Iterable[Any]" = (), oneshot: "bool" = False,
                 notify: "Optional[Callable[[Any], Any]]" = None) -> "None":
        super().__init__()
        self._oneshot = oneshot
        self._members: "Dict[int, Any]" = {}
        self._ready: "Deque[Any]" = collections.deque()
        if isinstance(members, Waitable) or not hasattr(members, "__iter__"):  # some can be iterated over, and wait
            raise UsageError("a Select takes a list of what to wait for, not one %s" % type(members).__name__)
        try:
            for each in members:
                self.add(each)
        except BaseException:  # whatever the members raise while they are listed
            self.close()
            raise
        if notify is not None:
            self.notify = notify

    def __len__(self) -> "int":
        return len(self._members)

    def __bool__(self) -> "bool":
        return bool(self._members)

    def __contains__(self, source: "Any") -> "bool":
        return id(source) in self._members

    def add(self, source: "Any", key: "Any" = None) -> "None":
        """Wait for it, too. ``key`` is for the caller: its events carry it.

        Raises UsageError if it is in a Select already, or would make a circle; Closed if this one is closed.
        """
        member = make_member(source, key, self)
        with self._lock:
            if self._closed:
                raise Closed("the select is closed")
            if id(source) in self._members:
                raise UsageError("it is in this Select already")
            self._members[id(source)] = member
        try:
            member.attach()
        except BaseException:  # Ctrl-C, too: what is not attached must not be waited for
            with self._lock:
                self._members.pop(id(source), None)
            raise
        with self._lock:
            closed = self._closed
        if closed:  # meanwhile, before there was a hook to give back
            member.detach()
            raise Closed("the select is closed")

    def remove(self, source: "Any") -> "None":
        """Do not wait for it any more; what it holds stays in it. Raises UsageError if it is no member."""
        with self._lock:
            member = self._members.pop(id(source), None)
        if member is None:
            raise UsageError("it is not in this Select")
        member.detach()
        self._stir()

    def close(self) -> "None":
        """Remove all members, which stay as they are, and wake whoever waits. Idempotent."""
        with self._lock:
            self._closed = True
            members = list(self._members.values())
            self._members.clear()
            self._ready.clear()
        for member in members:
            member.detach()
        self._stir()

    def __enter__(self) -> "Select":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()

    # -- waiting

    def poll(self) -> "Any":
        """The next Event, or NOTHING; never waits."""
        while True:
            with self._lock:
                if not self._ready:
                    return NOTHING
                member = self._ready.popleft()
                if not self._has(member):
                    continue  # removed meanwhile
                once = member.single or (self._oneshot and member.counts)
                # A member that gives only one event stays marked as queued, so that nothing queues it again meanwhile.
                member.queued = once
            event = member.poll()
            if event is not NOTHING and once:
                self._discard(member)
                return event
            if once:
                member.queued = False
            if event is NOTHING and member.over:
                if self._discard(member) and once:
                    return Event(member.source, None, Closed("it ended"), member.key)
                continue
            if member.ready:
                self.on_ready(member)  # behind those that are ready: members take turns
            if event is not NOTHING:
                return event

    def _wait(self, left: "Optional[float]", call: "Any") -> "None":
        if call is None or not call.in_turn or left is not None:  # with a timeout, it does not wait for ever
            super()._wait(left, call)
            return
        tokens = [getattr(member.source, "tokens", ()) for member in self._members.values()]
        if all(tokens):  # whatever else there is may bring something
            call.waits_for = tuple(each for many in tokens for each in many)
        try:
            super()._wait(left, call)
        finally:
            call.waits_for = ()

    def on_ready(self, member: "Any") -> "None":
        """A member may have an event. On any thread."""
        with self._lock:
            if not self._has(member):
                return
            fresh = not member.queued
            if fresh:
                member.queued = True
                self._ready.append(member)
            self._wake.notify()
            # An outer Select that has not looked since it was told last need not be told again. It also ends a circle,
            # which two threads may just have closed.
            tell = fresh or self.select is None
        if tell:
            self._tell()

    def _has(self, member: "Any") -> "bool":
        found = self._members.get(id(member.source))
        return found is member

    def _discard(self, member: "Any") -> "bool":
        with self._lock:
            mine = self._has(member)
            if mine:
                del self._members[id(member.source)]
            last = mine and not self._members
        if mine:
            member.detach()
        if last:
            self._stir()
        return mine

    def refuse_fork(self) -> "None":
        """Raise ForkedError if one of the members does."""
        for member in list(self._members.values()):
            member.refuse_fork()

    def _ready_locked(self) -> "bool":
        return bool(self._ready)

    def _over_locked(self) -> "bool":
        return self._closed or (self._oneshot and not self._members)

    def _end(self) -> "BaseException":
        return Closed("the select is closed") if self._closed else UsageError("nothing to wait for: no members")

    def _empty_locked(self) -> "bool":
        return self._closed or not self._members

    if TYPE_CHECKING:
        def get(self, timeout: "Optional[float]" = None, block: "bool" = True) -> "Event": ...
        def __iter__(self) -> "Select": ...

    def __next__(self) -> "Event":
        """The next event; ends when there are no members."""
        event = self._await(None, self._empty_locked)
        if event is NOTHING:
            raise StopIteration
        return event  # type: ignore[no-any-return]
