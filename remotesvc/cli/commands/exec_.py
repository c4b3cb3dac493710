"""`remotesvc exec`: run a command on hosts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from remotesvc.cli.options import connection_options, here, hosts_argument, output_options
from remotesvc.cli.problems import BadUsage, OurError
from remotesvc.cli.settings import Settings
from remotesvc.cli.stdin import take_stdin

if TYPE_CHECKING:
    from remotesvc.cli.fanout import Session
    from remotesvc.cli.hosts import ContextLike
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member
    from remotesvc.fleet.outcome import Outcome

_MOST_STDIN = 120 << 20
"""Bytes of standard input: it travels with the command, in one message of 128 MiB at most."""


@click.command(
    "exec",
    epilog="\b\nExamples:  remotesvc exec web1 -- uname -a\n"
           "           remotesvc exec web1,web2 -- 'ps ax | wc -l'",
)
@hosts_argument
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARG]...", type=click.UNPROCESSED)
@click.option("--stdin", "feed", is_flag=True, help="Read standard input to its end and give it to the command.")
@click.option("--shell", is_flag=True, help="Join the words by blanks and give them to /bin/sh there.")
@click.option("-S", "--maxrc", is_flag=True, help="Exit with the largest exit code of all hosts.")
@connection_options
@output_options
@click.pass_context
def exec_(
    ctx: click.Context, /, hosts: str, command: tuple[str, ...], feed: bool, shell: bool, maxrc: bool, **shared: Any
) -> int:
    """Run COMMAND on each host.

    One word goes through /bin/sh there, so pipes and variables work; several words are the program and its
    arguments, and no shell sees them unless --shell is given. The command's output is shown as it comes; several
    hosts label each line. Standard input is not read unless --stdin is given. Write -- before COMMAND: without it,
    its options are taken for those of remotesvc.

    Exit code: one host: the command's own, 255 when the connection failed. Several: 0 all fine, 2 a command
    failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed); with -S the largest of all.
    """
    from remotesvc.cli import exitcodes
    from remotesvc.cli.fanout import Session
    from remotesvc.cli.selection import select_hosts
    from remotesvc.cli.show.report import choose

    settings = Settings.take(shared)
    settings = settings.replace(path=here())
    session = Session.create(settings, select_hosts(hosts, settings), ctx.obj, own_streams=True)
    what: Any = " ".join(command) if shell or len(command) == 1 else list(command)
    stdin = _read_stdin(settings) if feed else None

    def work(session: Session, host: Member, context: ContextLike, attempt: Attempt) -> None:
        from remotesvc.cli.fanout import wait_for
        from remotesvc.fleet.outcome import Status

        attempt.rc = wait_for(context, settings, attempt, "remotesvc.shell:run", what, stdin)
        if attempt.rc:
            attempt.status = Status.FAILED

    reporter = choose(settings, session.console, session.hosts, lambda outcome: None)

    def exit_code(outcomes: list[Outcome]) -> int:
        if maxrc or not session.several:
            return max(map(exitcodes.of_exec, outcomes))
        return exitcodes.combine(outcomes)

    return session.run(work, reporter, exit_code)


def _read_stdin(settings: Settings) -> bytes:
    if settings.no_stdin:
        raise BadUsage("--stdin and -n exclude each other")
    if sys.stdin is None:
        raise BadUsage("--stdin reads standard input, and that is closed")
    take_stdin("the input of the command")
    data = sys.stdin.buffer.read(_MOST_STDIN + 1)
    if len(data) > _MOST_STDIN:
        raise OurError(f"standard input has more than {_MOST_STDIN >> 20} MiB, the most that a command can be given;"
                       " copy it there first: remotesvc push PATTERN - FILE")
    return data
