"""`remotesvc push`: copy files to hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from ..problems import BadUsage, OurError
from ..stdin import PatientInput, take_stdin
from ..transfers import check_names, copy_command, run_transfers, take_options

if TYPE_CHECKING:
    from remotesvc.fleet.member import Member


@click.command(
    "push",
    epilog="\b\nExamples:  remotesvc push web1,web2 app.conf /etc/app/\n"
           "           remotesvc push web1 site /srv/site -t",
)
@copy_command
def push(
    ctx: click.Context, /, hosts: str, sources: tuple[str, ...], destination: str, dry_run: bool, **shared: Any
) -> int:
    """Copy each SRC to DST on every host.

    A file goes below DST if that is a directory or ends with /. A directory becomes DST, or goes below it if DST
    ends with / and SRC does not; so do several SRC. A SRC of - is standard input. Files get their names only whole
    and verified; an interrupted transfer goes on where it was.

    Exit code: 0 all fine, 2 a transfer failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed),
    64 wrong usage, 130 interrupted.
    """
    options = take_options(shared)
    check_names(sources)
    if len(sources) > 1 and not destination.endswith("/"):
        destination += "/"
    if "-" in sources and (shared["no_stdin"] or destination.endswith("/")):
        raise BadUsage("standard input is not read with -n" if shared["no_stdin"] else
                       "standard input has no name: give one, DST is a directory")
    if "-" in sources and sys.stdin is None:
        raise BadUsage("a SRC of - is standard input, and that is closed")
    origins: list[Any] = []
    with ExitStack() as stack:

        def check(hosts: Sequence[Member]) -> None:
            from remotesvc.files.errors import TransferError
            from remotesvc.files.shared import share

            for source in dict.fromkeys(sources):  # twice the same is one file there
                if source == "-":
                    take_stdin("a SRC")
                    what: Any = PatientInput()
                elif not os.path.exists(source):
                    raise BadUsage(f"there is no {source} here")
                else:
                    what = source
                if len(hosts) > 1 and not dry_run:  # read and compressed once
                    chosen = {name: options[name] for name in ("symlinks", "exclude", "compress")}
                    try:
                        what = stack.enter_context(share(what, **chosen))
                    except (OSError, TransferError) as error:
                        raise OurError(str(error)) from None
                origins.append(what)

        def work(context: Any, host: str, more: dict[str, Any]) -> Iterator[Any]:
            for origin in origins:
                yield context.push(origin, destination, dry_run=dry_run, **options, **more)

        return run_transfers(ctx, hosts, shared, check, work, names=dry_run, planned="send" if dry_run else "")
