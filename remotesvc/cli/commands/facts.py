"""`remotesvc facts`: what hosts say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..options import connection_options, hosts_argument, output_options
from ..settings import Settings

if TYPE_CHECKING:
    from ..visit import Visit


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

    return Session.of(ctx, hosts, Settings.take(shared)).run(_work)


def _work(visit: Visit) -> Any:
    return visit.call("remotesvc.facts:gather")
