"""`remotesvc facts`: what hosts say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..options import connection_options, hosts_argument, output_options
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member

    from ..fanout import Session
    from ..hosts import ContextLike


@click.command("facts", epilog="Example:  remotesvc facts web --json")
@hosts_argument
@connection_options
@output_options
@click.pass_context
def facts(ctx: click.Context, /, hosts: str, **shared: Any) -> int:
    """Print what each host says of itself: system, Python, processors, memory, disks.

    Exit code: as of run.
    """
    from ..fanout import Session
    from ..selection import select_hosts
    from ..show.report import choose

    settings = Settings.take(shared)
    session = Session.create(settings, select_hosts(hosts, settings), ctx.obj)
    return session.run(_work, choose(settings, session.console, session.hosts))


def _work(session: Session, host: Member, context: ContextLike, attempt: Attempt) -> Any:
    from ..fanout import wait_for

    return wait_for(context, session.settings, attempt, "remotesvc.facts:gather")
