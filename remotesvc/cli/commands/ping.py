"""`remotesvc ping`: can we work there, and how far is it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..hosts import python_version
from ..options import connection_options, hosts_argument, output_options
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.outcome import Outcome

    from ..visit import Visit

_PINGS = 3
"""The best of so many counts: during the first, both sides are still busy starting."""


@click.command("ping", epilog="Example:  remotesvc ping web1,web2")
@hosts_argument
@connection_options
@output_options
@click.pass_context
def ping(ctx: click.Context, /, hosts: str, **shared: Any) -> int:
    """Connect to each host, start Python there, and print how long that and one round trip took.

    Exit code: 0 all fine, 4 a host was unreachable, 8 stopped.
    """
    from ..fanout import Session

    return Session.of(ctx, hosts, Settings.take(shared)).run(_work, _text)


def _work(visit: Visit) -> dict[str, Any]:
    context = visit.context
    info = context.info
    round_trip = min(context.ping() for _ in range(_PINGS))
    return {
        "round_trip_ms": round(1000 * round_trip, 3),
        "connect_ms": round(1000 * sum(context.phases.values()), 3),
        "python": python_version(info),
        "hostname": info.get("hostname"),
        "executable": info.get("executable"),
        "pid": info.get("pid"),
    }


def _text(outcome: Outcome) -> str:
    value = outcome.value
    return (
        f"{value['round_trip_ms']:.2f} ms (connected in {value['connect_ms']:.0f} ms, "
        f"Python {value['python']}, {value['executable']})"
    )
