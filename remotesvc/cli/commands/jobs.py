"""`remotesvc jobs`: the detached jobs on hosts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from remotesvc.bootstrap.errors import Error

from ..options import (
    connection_options,
    hosts_argument,
    jobs_dir_option,
    output_options,
    result_option,
)
from ..problems import BadUsage
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.outcome import Outcome

    from ..show.report import Text
    from ..visit import Visit


@click.command(
    "jobs",
    epilog="\b\nExamples:  remotesvc run --detach web1 tasks.py:rebuild\n"
           "           remotesvc jobs web1\n"
           "           remotesvc jobs web1 3f9ac2d1-7b04 --wait",
)
@hosts_argument
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--wait", is_flag=True, help="Wait until it has ended, -T seconds at most.")
@click.option("--follow", is_flag=True, help="The same, and show what it prints meanwhile.")
@click.option("--kill", is_flag=True, help="End it and what it has started: by SIGTERM, 5 s later by SIGKILL.")
@click.option("--forget", is_flag=True,
              help="Remove what the host knows of it; of all that have ended, where no ID is given.")
@jobs_dir_option
@result_option
@connection_options
@output_options
@click.pass_context
def jobs(
    ctx: click.Context, /, hosts: str, ids: tuple[str, ...], wait: bool, follow: bool, kill: bool, forget: bool,
    jobs_dir: str | None, **shared: Any,
) -> int:  # fmt: skip
    """List the detached jobs on each host, or show the output and the result of the one with an ID.

    These are shown as remotesvc run would have shown them. The beginning of an ID is enough, and the first half of
    those of one run is the same on all hosts. With --wait and --forget a job is forgotten once its result has been
    shown.

    Exit code: that of run: 2 it failed, 4 it is lost, 8 it is still running, or was ended from outside.
    """
    from remotesvc.jobs.ids import check
    from remotesvc.jobs.job import forget_ended

    from ..detached import check_place, show
    from ..fanout import Session

    _check(ids, wait or follow, kill, forget)
    for each in ids:
        check(each)
    check_place(jobs_dir)
    session = Session.of(ctx, hosts, Settings.take(shared))

    def work(visit: Visit) -> Any:
        calls: Any = visit.calls(jobs_dir=jobs_dir)
        attempt = visit.attempt
        if not ids:
            return attempt.wait(lambda: forget_ended(calls) if forget else calls.jobs())
        handles = [calls.job(each) for each in ids]
        if kill:
            found = [attempt.wait(job.kill) for job in handles]
        elif forget and not (wait or follow):
            found = list(ids)
        else:
            # Its time is for waiting, which may be as long as the job takes.
            job = visit.context.options(jobs_dir=jobs_dir).job(ids[0])
            try:
                found = show(visit, job, wait, follow)
            except Exception:
                if forget:
                    with suppress(Error):  # it is running, or is none, or its host is gone
                        handles[0].forget()
                raise
        if forget:
            for job in handles:
                attempt.wait(job.forget)
        return found

    text: Text | None = None  # what the job's call returned
    if kill or not (ids or forget):
        text = _listing
    elif forget and not (wait or follow):
        text = _forgotten
    return session.run(work, text)


def _listing(outcome: Outcome) -> str | None:
    from ..detached import listing

    return listing(outcome.value)


def _forgotten(outcome: Outcome) -> str:
    return f"forgotten: {', '.join(outcome.value) or 'none'}"


def _check(ids: tuple[str, ...], wait: bool, kill: bool, forget: bool) -> None:
    """Raises BadUsage for what does not go together."""
    if not ids and (wait or kill):
        raise BadUsage(f"--{'kill' if kill else 'wait'} is for the jobs with an ID, and none is given")
    if wait and kill:
        raise BadUsage("--kill and --wait exclude each other")
    if len(ids) > 1 and not (kill or (forget and not wait)):
        raise BadUsage("one job is shown at a time; --kill and --forget take several")
