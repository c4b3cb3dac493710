"""What the tests of services share: waiting for what a pool of a child does."""

from __future__ import annotations

from typing import Any

from remotesvc import Context
from tests.kernel import served, served_invokers
from tests.kernel.contexts import until


def statistics(context: Context, service: Any) -> dict[str, Any]:
    """What a context says of one of its services; nothing runs or waits where it is not active."""
    entries = context.call(served.statistics)
    nothing = {"running": 0, "waiting": 0, "calls": 0, "errors": 0}
    return next((entry for entry in entries if entry["service"] == service.name()), nothing)


def until_busy(context: Context, service: Any, running: int, waiting: int = 0) -> None:
    """Wait until so many calls of a service run and wait."""

    def holds() -> bool:
        found = statistics(context, service)
        return (found["running"], found["waiting"]) == (running, waiting)

    until(holds)


def until_inside(context: Context, service: Any, count: int) -> None:
    """Wait until so many calls of a service with a log are in their methods: one that runs may be on the way there."""
    inside, name = served_invokers.inside, service.name()
    until(lambda: context.call(inside, name) == count, what=f"{count} calls are in their methods")
