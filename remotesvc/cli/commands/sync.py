"""`remotesvc sync`: make a directory on hosts what it is here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..options import COMPLETE_FILES, connection_options, hosts_argument, output_options
from ..problems import BadUsage
from ..transfers import DRY_RUN, run_transfers, take_options, transfer_options

if TYPE_CHECKING:
    from remotesvc.fleet.member import Member


@click.command(
    "sync",
    epilog="\b\nExamples:  remotesvc sync web1,web2 site /srv/site --delete\n"
           "           remotesvc sync web1 site /srv/site -C",
)
@hosts_argument
@click.argument("source", metavar="SRC", shell_complete=COMPLETE_FILES)
@click.argument("destination", metavar="DST")
@click.option("--checksum", is_flag=True, help="Compare content instead of modification times.")
@click.option("--delete", is_flag=True, help="Remove what is only there; what --ignore matches stays.")
@DRY_RUN
@click.option("--no-delta", is_flag=True, help="Send changed files whole.")
@transfer_options
@connection_options
@output_options
@click.pass_context
def sync(
    ctx: click.Context, /, hosts: str, source: str, destination: str, checksum: bool, delete: bool, dry_run: bool,
    no_delta: bool, **shared: Any,
) -> int:
    """Make the directory DST on every host what SRC is here, sending only what differs.

    Files are equal if size, mode and modification time are. Of large files only the changed blocks are sent.

    Exit code: 0 all fine, 2 a transfer failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed),
    64 wrong usage, 130 interrupted.
    """
    options = take_options(shared)

    def check(hosts: Sequence[Member]) -> None:
        if not os.path.isdir(source):
            raise BadUsage(f"{source} is no directory here; push copies files")

    def work(context: Any, host: str, more: dict[str, Any]) -> Iterator[Any]:
        yield context.sync(source, destination, checksum=checksum, delete=delete, dry_run=dry_run,
                           delta=not no_delta, **options, **more)

    return run_transfers(ctx, hosts, shared, check, work, names=dry_run or bool(shared["verbose"]),
                         planned="send" if dry_run else "")
