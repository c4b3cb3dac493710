"""`remotesvc exec`: run a command on hosts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..options import connection_options, here, hosts_argument, option_table, output_options
from ..problems import BadUsage
from ..settings import Settings
from ..stdin import take_stdin

if TYPE_CHECKING:
    from remotesvc.fleet.outcome import Outcome

    from ..fanout import Session
    from ..feed import Feed
    from ..visit import Visit

_BARE = __name__ + ".bare"
"""In click's meta: no -- stands ahead of COMMAND."""
_NOT_FOUND = 127
"""The exit code where there is no such program."""
_OF_A_SHELL = frozenset(" \t\n|;&$<>")


class ExecCommand(click.Command):
    """A command whose COMMAND keeps its options, with or without a -- ahead of it, as with ssh."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from ..arguments.split import command_at

        at = command_at(args, option_table(self))
        ctx.meta[_BARE] = at is not None
        return super().parse_args(ctx, args if at is None else [*args[:at], "--", *args[at:]])


@click.command(
    "exec",
    cls=ExecCommand,
    epilog="\b\nExamples:  remotesvc exec web1 -- uname -a\n"
           "           remotesvc exec web1,web2 -- 'ps ax | wc -l'",
)
@hosts_argument
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARG]...", type=click.UNPROCESSED)
@click.option("--stdin", "feed", is_flag=True,
              help="Give standard input to the command, as it comes; each of several hosts has all of it.")
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
    hosts label each line. Standard input is not read unless --stdin is given. What follows the first word of COMMAND,
    or a --, is the command's: our options stand ahead of it.

    Exit code: one host: the command's own, 255 when the connection failed. Several: 0 all fine, 2 a command
    failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed); with -S the largest of all.
    """
    from .. import exitcodes
    from ..fanout import Session

    session = Session.of(ctx, hosts, Settings.take(shared).replace(path=here()), own_streams=True)
    what: Any = " ".join(command) if shell or len(command) == 1 else list(command)
    source = _feed(session) if feed else None

    def work(visit: Visit) -> None:
        from remotesvc.fleet.outcome import Status

        code = visit.call("remotesvc.shell:run", what) if source is None else source.run(visit, what)
        visit.attempt.rc = code
        if code:
            visit.attempt.status = Status.FAILED

    def exit_code(outcomes: list[Outcome]) -> int:
        if maxrc or not session.several:
            return max(map(exitcodes.of_exec, outcomes))
        return exitcodes.combine(outcomes)

    try:
        code = session.run(work, lambda outcome: None, exit_code)
    finally:
        if source is not None:
            source.close()
    if not isinstance(what, str) and any(outcome.rc == _NOT_FOUND for outcome in session.outcomes):
        ours = option_table(ctx.command) if ctx.meta[_BARE] else {}
        if not _OF_A_SHELL.isdisjoint(what[0]) or any(_is_long_option(word, ours) for word in what[1:]):
            session.console.note("Several words are a program and its arguments: our options stand ahead of COMMAND;"
                                 " --shell gives the words to a shell.")
    return code


def _is_long_option(word: str, ours: Mapping[str, bool]) -> bool:
    return word.startswith("--") and word.partition("=")[0] in ours


def _feed(session: Session) -> Feed:
    from ..feed import Feed

    settings = session.settings
    if settings.no_stdin:
        raise BadUsage("--stdin and -n exclude each other")
    if sys.stdin is None:
        raise BadUsage("--stdin reads standard input, and that is closed")
    take_stdin("the input of the command")
    return Feed(again=session.several or settings.idempotent)
