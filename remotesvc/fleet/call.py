"""A function and what it is called with on each host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .arguments import facts_place, facts_place_of_method, named, small
from .attempt import Attempt
from .member import Member

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.jobs.job import Job

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional arguments and keywords."""


class Call:
    """`arguments(member)` says what the function is called with; a parameter for the facts of the host is filled in."""

    def __init__(self, fn: Any, arguments: Callable[[Member], Arguments]) -> None:
        self._fn = fn
        self._arguments = arguments
        self._facts = facts_place(fn)
        self._looked: tuple[Arguments, bool] | None = None

    def begin(self, context: Context, member: Member, attempt: Attempt) -> Any:
        """The future of the call on one host."""
        args, kwargs = self._given(member)
        return context.submit(self._fn, *args, **kwargs)

    def detach(self, context: Context, member: Member, run: str) -> Job:
        """The call as a detached job on one host; `run`: what the ids of all have in common."""
        from remotesvc.jobs.job import detach

        args, kwargs = self._given(member)
        return detach(context, self._fn, args, kwargs, run)

    def small(self, member: Member) -> bool:
        """Whether all that has to be sent for it goes out at once."""
        given = self._given(member)
        looked = self._looked
        # Mostly all hosts are given the same objects: to look at them once will do.
        if looked is None or looked[0][0] is not given[0] or looked[0][1] is not given[1]:
            looked = self._looked = given, named(self._fn) and small(*given)
        return looked[1]

    def _given(self, member: Member) -> Arguments:
        args, kwargs = self._arguments(member)
        if self._facts is not None and self._facts.name not in kwargs:
            return self._facts.fill(args, kwargs, member.facts())
        return args, kwargs


class ServiceCall(Call):
    """A call of a method of a service, as `Call` is of a function."""

    def __init__(self, service: Any, method: str, arguments: Callable[[Member], Arguments]) -> None:
        super().__init__(method, arguments)
        self._service = service
        self._facts = facts_place_of_method(service, method)

    def begin(self, context: Context, member: Member, attempt: Attempt) -> Any:
        """The future of the call on one host."""
        args, kwargs = self._given(member)
        return context.call_service_async(self._service, self._fn, *args, **kwargs)
