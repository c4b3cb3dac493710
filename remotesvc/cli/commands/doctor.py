"""`remotesvc doctor`: what works on the way to a host, what does not, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..options import COMPLETE_HOSTS, login_options, plain_output_options, reaching_options
from ..settings import Settings
from ..show.jsonout import dumps

if TYPE_CHECKING:
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member
    from remotesvc.fleet.outcome import Outcome

    from ..checkup import Checkup
    from ..hosts import MakeRouter, RouterLike
    from ..show.collected import Collected
    from ..show.console import Console
    from ..show.report import Reporter

_MARKS = {"ok": "ok", "failed": "FAILED", "not reached": "-"}


@click.command("doctor", epilog="Example:  remotesvc doctor web1")
@click.argument("hosts", metavar="[PATTERN]", shell_complete=COMPLETE_HOSTS, required=False)
@reaching_options
@login_options
@plain_output_options
@click.pass_context
def doctor(ctx: click.Context, /, hosts: str | None, **shared: Any) -> int:
    """Take every step towards each host, say how long it took, and for the one that fails what to do.

    First come the versions of what takes part: paste all of it into a report. Exit code: 0 all fine, 4 a host was not
    reached.
    """
    from remotesvc.fleet.outcome import Status

    from ..checkup import examine
    from ..fanout import Session
    from ..selection import select_hosts
    from ..versions import version_block

    settings = Settings.take(shared).replace(forks=1)
    session = Session.create(settings, [] if hosts is None else select_hosts(hosts, settings), ctx.obj)
    as_json = settings.json or settings.jsonl
    make_router: MakeRouter = ctx.obj
    routers: list[RouterLike] = []

    def work(member: Member, attempt: Attempt) -> Checkup:
        router = make_router(
            path=settings.path, log_level=30, on_output=lambda event: None, on_log=lambda event: None,
            interactive=not as_json and not settings.no_stdin, alone=session.console.asked,
        )  # fmt: skip
        routers.append(router)  # one a host: with another's connections, the steps would be fewer
        try:
            checkup = examine(router, member, session.settings)
        finally:
            router.close()
        attempt.status = Status.UNREACHABLE if checkup.failed else None
        return checkup

    versions = version_block()
    if not as_json:
        report: Reporter = _ForPeople(session.console, versions)
    else:
        report = (_Lines if settings.jsonl else _Whole)(session.console, versions)
    if not session.hosts:
        report.end()
        session.console.check_results()
        return 0
    try:
        return session.gather(work, report, _exit_code)
    finally:
        for router in routers:  # that of a host which nobody waits for any more is open yet
            router.close()


class _ForPeople:
    """The versions, then a paragraph a host."""

    def __init__(self, console: Console, versions: Mapping[str, str]) -> None:
        self._console = console
        console.result("".join(f"{name:<13} {version}\n" for name, version in versions.items()))

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        self._console.result(shown(_checkup(outcome)))

    def end(self) -> None:
        pass


class _Lines:
    """An object with the versions, then one a host."""

    def __init__(self, console: Console, versions: Mapping[str, str]) -> None:
        self._console = console
        console.result(dumps({"versions": versions}) + "\n")

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        self._console.result(dumps(_checkup(outcome).as_json()) + "\n")

    def end(self) -> None:
        pass


class _Whole:
    """One object, when all is over."""

    def __init__(self, console: Console, versions: Mapping[str, str]) -> None:
        self._console = console
        self._versions = versions
        self._hosts: list[dict[str, Any]] = []

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        self._hosts.append(_checkup(outcome).as_json())

    def end(self) -> None:
        self._console.result(json.dumps({"versions": self._versions, "hosts": self._hosts}, indent=2) + "\n")


def _checkup(outcome: Outcome) -> Checkup:
    """What came of a host; of one that was not examined, or not to its end, there are no steps."""
    from ..checkup import Checkup

    if outcome.value is not None:
        checkup: Checkup = outcome.value
        return checkup
    return Checkup(outcome.host, problem="" if outcome.error is None else str(outcome.error))


def _exit_code(outcomes: list[Outcome]) -> int:
    from .. import exitcodes

    return exitcodes.OK if all(outcome.ok for outcome in outcomes) else exitcodes.UNREACHABLE


def shown(checkup: Checkup) -> str:
    """A checkup for people: a line a step, then what is wrong and what to do."""
    lines = ["", checkup.host if checkup.status != "not_run" else f"{checkup.host}: not run"]
    for step in checkup.steps:
        spent = "" if step.state == "not reached" else f"{1000 * step.seconds:9.1f} ms"
        lines.append(f"  {_MARKS[step.state]:<7} {step.name:<8} {spent:>12}  {step.found}".rstrip())
    if checkup.problem:
        lines += ["", *(f"  {line}" for line in checkup.problem.splitlines())]
        lines += [f"  -> {line}" for line in checkup.remedy.splitlines()]
    return "\n".join(lines) + "\n"
