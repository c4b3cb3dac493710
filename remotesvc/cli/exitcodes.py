"""What the exit code says. The codes of hosts are bits, or-ed (the first two are Ansible's)."""

from __future__ import annotations

from collections.abc import Iterable

from remotesvc.fleet.outcome import Outcome, Status

OK = 0
ERROR = 1
"""Our own failure: a bug, a full disk behind stdout."""
FAILED = 2
"""The call raised on a host, or a command ended with a code other than 0."""
UNREACHABLE = 4
"""A host could not be reached, or the link to it was lost during the call."""
STOPPED = 8
"""A call timed out, was cancelled, or was never started."""
USAGE = 64
"""The command line cannot be right; nothing was connected (EX_USAGE)."""
INTERRUPTED = 130
"""Ctrl-C, as a shell reports it."""
EXEC_CONNECTION = 255
"""`exec` on one host: the connection failed, as ssh reports it."""

_BITS = {
    Status.OK: OK,
    Status.FAILED: FAILED,
    Status.UNREACHABLE: UNREACHABLE,
    Status.LOST: UNREACHABLE,
    Status.TIMEOUT: STOPPED,
    Status.CANCELLED: STOPPED,
    Status.NOT_RUN: STOPPED,
}


def of_signal(number: int) -> int:
    """A run that a signal cut short, as a shell reports it: INTERRUPTED for Ctrl-C."""
    return 128 + number


def of_status(status: Status) -> int:
    """The bit one host adds."""
    return _BITS[status]


def combine(outcomes: Iterable[Outcome]) -> int:
    """The bits of all hosts, or-ed."""
    code = OK
    for outcome in outcomes:
        code |= of_status(outcome.status)
    return code


def of_exec(outcome: Outcome) -> int:
    """`exec` on one host: the command's own code, 255 when the connection failed, else the bit of the status."""
    if outcome.rc is not None:
        return outcome.rc
    if outcome.status in (Status.UNREACHABLE, Status.LOST):
        return EXEC_CONNECTION
    return of_status(outcome.status)
