"""`remotesvc run`: call a function of yours on hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..calls import (
    STDIN,
    WORDS,
    RunCommand,
    arguments_for,
    examine,
    exhaust,
    explain_type_errors,
    settle_options,
    stdin_reader,
)
from ..options import (
    COMPLETE_FUNCTIONS,
    argument_options,
    connection_options,
    detach_options,
    here,
    hosts_argument,
    module_options,
    output_options,
    result_option,
)
from ..problems import BadUsage
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member

    from ..fanout import Session
    from ..hosts import ContextLike

EXPLAIN_LIMIT = 10.0
"""Seconds for asking a target what it has imported."""


@click.command(
    "run",
    cls=RunCommand,
    options_metavar="[OPTIONS]",
    epilog="\b\nExamples:  remotesvc run web1 os:getpid\n"
           "           remotesvc run web1,web2 tasks.py:usage /var --depth 2",
)
@hosts_argument
@click.argument("target", metavar="MODULE:FUNCTION", shell_complete=COMPLETE_FUNCTIONS)
@argument_options
@result_option
@module_options
@detach_options
@click.option("--explain-imports", is_flag=True, help="Say on stderr where each module came from, and why.")
@connection_options
@output_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    hosts: str,
    target: str,
    keywords: tuple[str, ...],
    json_args: bool,
    explain_imports: bool,
    detach: bool,
    jobs_dir: str | None,
    output_limit: int | None,
    **shared: Any,
) -> int:
    """Call MODULE:FUNCTION on each host and print what it returns.

    FUNCTION may be Class.method, MODULE a path to a .py file, or - for code from standard input. Arguments are
    converted by the function's annotations (lists and dicts are JSON); an argument - reads standard input. --NAME VALUE
    and --kw NAME=VALUE are keyword arguments; what follows -- is never an option; --help behind FUNCTION tells what it
    takes. A host of PATTERN is user@host:port, an ssh_config alias, docker:NAME, or local: for this machine. With
    --detach -T is for beginning it.

    Exit code: 0 all fine, 2 a call failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed),
    64 wrong usage, 130 interrupted.
    """
    from ..arguments.target import parse_target
    from ..detached import detacher
    from ..fanout import Session
    from ..selection import select_hosts
    from ..show.report import choose

    settings = Settings.take(shared)
    if detach and explain_imports:
        raise BadUsage("--explain-imports is for calls that are waited for, not for --detach")
    if target.startswith(STDIN + ":"):
        target = ctx.with_resource(_module_of_stdin(settings)) + target.removeprefix(STDIN)
        settings = settings.replace(no_stdin=True)  # it has been read
    parsed = parse_target(target, settings.path or here())
    settings = settings.replace(path=parsed.path)
    callee = examine(parsed)
    settle_options(ctx, callee)
    session = Session.create(settings, select_hosts(hosts, settings), ctx.obj)
    args, kwargs = arguments_for(session, callee, ctx.meta[WORDS], keywords, json_args)
    facts = callee.facts
    begin = detacher(settings, jobs_dir, output_limit) if detach else None

    def work(session: Session, host: Member, context: ContextLike, attempt: Attempt) -> Any:
        from remotesvc.bootstrap.failures.callerror import CallError

        from ..fanout import wait_for

        own, named = (args, kwargs) if facts is None else facts.fill(args, kwargs, host.facts())
        try:
            if begin is not None:
                return begin(context, attempt, parsed.call, own, named)
            value = wait_for(context, settings, attempt, parsed.call, *own, **named)
            return exhaust(session, host, attempt, value) if hasattr(value, "__next__") else value
        except CallError as error:
            session.explain(context, error)
            raise
        finally:
            if explain_imports:
                _explain_imports(session, host, context)

    code = session.run(work, choose(settings, session.console, session.hosts))
    if not json_args and any(isinstance(value, str) for value in (*args, *kwargs.values())):
        explain_type_errors(session)
    return code


def _explain_imports(session: Session, host: Member, context: ContextLike) -> None:
    from remotesvc.bootstrap.errors import Error

    try:
        origins = session.router.explain_imports(context.options(timeout=EXPLAIN_LIMIT))
    except Error as error:  # what the call itself ended with matters more
        session.console.note(f"{host.label}: nothing is known of its imports: {error}")
        return
    total = sum(each.bytes for each in origins)
    lines = [f"{host.label}: {len(origins)} modules, {total} bytes", *(f"  {each}" for each in origins)]
    session.console.note("\n".join(lines))


@contextmanager
def _module_of_stdin(settings: Settings) -> Iterator[str]:
    """The file of a module with the code that standard input gives, for as long as the command runs."""
    from tempfile import TemporaryDirectory

    source = stdin_reader(settings, "the module")()
    with TemporaryDirectory(prefix="remotesvc-") as directory:
        file = os.path.join(directory, "stdin_code.py")
        with open(file, "wb") as module:
            module.write(source)
        yield file
