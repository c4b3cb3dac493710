"""What is done for each host of a run: a context on it, one thing begun there, and what became of that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .attempt import Attempt, Begun
from .hooks import Hooks
from .links import Links
from .member import Member
from .printed import Printed

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.calling.options import Options


class Work:
    """`begin(context, member, attempt)` for each: the result of the Future it returns, or what it returns if that is no
    Future.

    options  of the calls
    small    tells of a member whether what is begun there is a call whose arguments go out at once
    printed  keeps what hosts print, for their outcomes; None: nobody does
    only_when_up  see `Limits`
    """

    def __init__(self, links: Links, hooks: Hooks, options: Options, begin: Callable[[Context, Member, Attempt], Any],
                 small: Callable[[Member], bool], printed: Printed | None, only_when_up: bool = False) -> None:
        self._links = links
        self._hooks = hooks
        self._options = options
        self._begin = begin
        self._small = small
        self._printed = printed
        self._only_when_up = only_when_up

    def whole(self, member: Member, attempt: Attempt) -> Any:
        """All of it, waiting for whatever is to be waited for. Returns the value or raises."""
        if attempt.attempts == 1:
            self._hooks.tell("on_start", member.text)
        context = self._links.context(member)

        def value() -> Any:
            if self._only_when_up:
                context.wait_ready()
            return attempt.wait(self._call(context, member, attempt))

        found = self._ended(context, member, attempt, value)
        return self._items(context, member, attempt, found) if hasattr(found, "__next__") else found

    def at_once(self, member: Member, attempt: Attempt) -> Begun | None:
        """The call under way to a host that is connected; None where something has to be waited for."""
        if self._hooks.wants("on_start") or not self._small(member):  # a hook may take its time
            return None
        context = self._links.idle(member)
        if context is None:
            return None
        future = attempt.start(self._call(context, member, attempt))
        return Begun(future, partial(self._ended, context, member, attempt, future.result),
                     partial(self._items, context, member, attempt))

    def _call(self, context: Context, member: Member, attempt: Attempt) -> Callable[[], Any]:
        if self._printed is None:
            return lambda: self._begin(context.under(self._options), member, attempt)
        printed = self._printed

        def begin() -> Any:
            begun = self._begin(context.under(self._options), member, attempt)
            attempt.call = getattr(begun, "number", 0)
            printed.await_call(context, attempt.call, attempt)
            return begun

        return begin

    def _items(self, context: Context, member: Member, attempt: Attempt, items: Any) -> Any:
        """Generators are taken to their end."""
        try:
            return self._ended(context, member, attempt, lambda: attempt.whole(items))
        finally:
            if self._printed is not None:
                self._links.router.flush_output()  # unlike that of a call, their end is told at once
                self._keep(context, attempt)

    def _ended(self, context: Context, member: Member, attempt: Attempt, value: Callable[[], Any]) -> Any:
        try:
            return value()
        except BaseException as error:
            self._links.failed(member, context, error)
            raise
        finally:
            attempt.phases.update(context.phases)
            self._keep(context, attempt)

    def _keep(self, context: Context, attempt: Attempt) -> None:
        if self._printed is not None:
            attempt.printed = self._printed.take(context, attempt.call, attempt.printed)
