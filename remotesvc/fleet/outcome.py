"""What became of one host. Plain data: no thread, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Status(str, Enum):
    """How a host ended. The values are the words of the JSON output."""

    OK = "ok"
    """The function returned."""
    FAILED = "failed"
    """The function raised, or its arguments or value could not travel."""
    UNREACHABLE = "unreachable"
    """No connection, or nothing that can run Python there: certainly not run. What was sent along to a Python that did
    not come up in time is LOST."""
    TIMEOUT = "timeout"
    """No answer within the call's timeout: may have run."""
    CANCELLED = "cancelled"
    """Stopped from here while it was under way: may have run."""
    LOST = "lost"
    """The link or the process was lost after the call was sent: may have run."""
    NOT_RUN = "not_run"
    """Never sent: certainly not run."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Outcome:
    """The result for one host: a value or an error, and what it took.

    host: the label the user gave. value: what the function returned (status ok). error: the exception
    otherwise, None for a host that was never started. rc: the exit code where a command was run. phases:
    seconds by stage of setting the connection up. started: Unix time, None if it never started. seconds:
    from start to answer. attempts: how often a connection was tried. stdout, stderr: what the host printed
    meanwhile, where that is kept; truncated: not all of it. items: what a generator gave before it failed, where it
    was to be taken whole; None if it was no generator, or did not fail.
    """

    host: str
    status: Status
    value: Any = None
    error: BaseException | None = None
    rc: int | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    started: float | None = None
    seconds: float = 0.0
    attempts: int = 0
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    items: list[Any] | None = None

    @property
    def ok(self) -> bool:
        """True when there is a value."""
        return self.status is Status.OK


def classify(error: BaseException) -> Status:
    """The status an exception of the call stands for. What is not one of our outcome errors counts as failed."""
    from remotesvc.bootstrap import errors, unreachable
    from remotesvc.bootstrap.calls import refusals

    # ConnectTimeout and CallTimeout both are TimeoutErrors: which stage gave up decides, not the builtin
    # base.
    table: tuple[tuple[type[BaseException], Status], ...] = (
        (unreachable.ConnectError, Status.UNREACHABLE),
        (errors.CallTimeout, Status.TIMEOUT),
        (errors.Cancelled, Status.CANCELLED),
        (refusals.ServiceRefused, Status.FAILED),  # it was there, and would be refused again
        (errors.NotSent, Status.NOT_RUN),
        (errors.RouterClosed, Status.NOT_RUN),
        (errors.Lost, Status.LOST),
        (KeyboardInterrupt, Status.CANCELLED),
    )
    if isinstance(error, unreachable.ConnectError) and error.may_have_run:
        return Status.LOST
    for kind, status in table:
        if isinstance(error, kind):
            # A remote KeyboardInterrupt arrives as a CallError, so the builtin here is always our own.
            return status
    return Status.FAILED


def worth_retrying(error: BaseException, idempotent: bool = False) -> bool:
    """Whether another try may end better: there was no connection, for a reason that may pass. A call that was lost may
    have run, so that is tried again only if it is `idempotent`."""
    from remotesvc.bootstrap import unreachable

    if classify(error) is Status.LOST:
        return idempotent

    lasting = (
        unreachable.AuthenticationError,
        unreachable.HostKeyError,
        unreachable.PythonNotFound,
        unreachable.PythonTooOld,
        unreachable.UnknownHost,
    )
    return isinstance(error, unreachable.ConnectError) and not isinstance(error, lasting)
