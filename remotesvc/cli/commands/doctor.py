"""`remotesvc doctor`: what works on the way to a host, what does not, and what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ..options import COMPLETE_HOSTS, login_options, plain_output_options, reaching_options
from ..settings import Settings

if TYPE_CHECKING:
    from ..checkup import Checkup
    from ..hosts import MakeRouter

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
    from .. import exitcodes
    from ..checkup import examine
    from ..fanout import make_console
    from ..hosts import check
    from ..secrets import with_passwords
    from ..selection import select_hosts
    from ..versions import version_block

    settings = Settings.take(shared)
    members = [] if hosts is None else select_hosts(hosts, settings)
    check(members, settings)
    settings = with_passwords(settings)
    console = make_console(settings)
    versions = version_block()
    as_json = settings.json or settings.jsonl
    if not as_json:
        console.result("".join(f"{name:<13} {version}\n" for name, version in versions.items()))
    make_router: MakeRouter = ctx.obj
    code = exitcodes.OK
    reports = []
    for member in members:
        router = make_router(
            path=settings.path, log_level=30, on_output=lambda event: None, on_log=lambda event: None,
            interactive=not as_json and not settings.no_stdin,
        )  # fmt: skip
        try:
            checkup = examine(router, member, settings)
        finally:
            router.close()
        code |= exitcodes.UNREACHABLE if checkup.failed else exitcodes.OK
        reports.append(checkup.as_json())
        if not as_json:
            console.result(shown(checkup))
    if as_json:
        report = {"versions": versions, "hosts": reports}
        console.result(json.dumps(report, indent=None if settings.jsonl else 2) + "\n")
    console.check_results()
    return code


def shown(checkup: Checkup) -> str:
    """A checkup for people: a line a step, then what is wrong and what to do."""
    lines = ["", checkup.host]
    for step in checkup.steps:
        spent = "" if step.state == "not reached" else f"{1000 * step.seconds:9.1f} ms"
        lines.append(f"  {_MARKS[step.state]:<7} {step.name:<8} {spent:>12}  {step.found}".rstrip())
    if checkup.problem:
        lines += ["", *(f"  {line}" for line in checkup.problem.splitlines())]
        lines += [f"  -> {line}" for line in checkup.remedy.splitlines()]
    return "\n".join(lines) + "\n"
