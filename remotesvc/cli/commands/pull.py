"""`remotesvc pull`: copy files from hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from remotesvc.fleet.member import check_file_names, file_name

from ..problems import BadUsage
from ..transfers import check_names, copy_command, run_transfers, take_options

if TYPE_CHECKING:
    from remotesvc.fleet.member import Member


@click.command(
    "pull",
    epilog="\b\nExamples:  remotesvc pull web1 /var/log/app.log .\n"
           "           remotesvc pull web1,web2 /etc/app backup",
)
@copy_command
def pull(
    ctx: click.Context, /, hosts: str, sources: tuple[str, ...], destination: str, dry_run: bool, **shared: Any
) -> int:
    """Copy each SRC of every host to DST here.

    A file goes below DST if that is a directory or ends with /. A directory becomes DST, or goes below it if DST
    ends with /; so do several SRC. For the content of a directory in a DST that exists, write SRC/. With several
    hosts everything goes to DST/HOST/. A DST of - is standard output.

    Exit code: 0 all fine, 2 a transfer failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed),
    64 wrong usage, 130 interrupted.
    """
    options = take_options(shared)
    check_names(sources)
    to_stdout = destination in ("-", "/dev/stdout")
    one_host = [True]

    def check(hosts: Sequence[Member]) -> None:
        several = len(hosts) > 1
        one_host[0] = not several
        if to_stdout and (several or len(sources) > 1):
            raise BadUsage("standard output takes one file of one host")
        if to_stdout and sys.stdout is None:
            raise BadUsage("a DST of - is standard output, and that is closed")
        check_file_names(hosts)

    def work(context: Any, host: str, more: dict[str, Any]) -> Iterator[Any]:
        where: Any = destination
        if to_stdout:
            where = sys.stdout.buffer
        elif not one_host[0]:
            where = os.path.join(destination, file_name(host), "")
        elif len(sources) > 1 and not destination.endswith("/"):
            where = destination + "/"
        for source in dict.fromkeys(sources):  # twice the same is one file here
            yield context.pull(source, where, dry_run=dry_run, **options, **more)
        if to_stdout:
            sys.stdout.buffer.flush()

    return run_transfers(ctx, hosts, shared, check, work, to_stdout and not dry_run, names=dry_run,
                         planned="fetch" if dry_run else "")
