"""`remotesvc run`: call a function of yours on hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..calls import STDIN, RunCommand, prepare, stdin_reader
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
    from ..visit import Visit

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

    settings = Settings.take(shared)
    if detach and explain_imports:
        raise BadUsage("--explain-imports is for calls that are waited for, not for --detach")
    if target.startswith(STDIN + ":"):
        target = ctx.with_resource(_module_of_stdin(settings)) + target.removeprefix(STDIN)
        settings = settings.replace(no_stdin=True)  # it has been read
    parsed = parse_target(target, settings.path or here(), hosts=hosts)
    prepared = prepare(ctx, hosts, parsed, settings, keywords, json_args)
    begin = detacher(jobs_dir, output_limit) if detach else None

    def work(visit: Visit) -> Any:
        from remotesvc.bootstrap.failures.callerror import CallError

        args, kwargs = prepared.arguments(visit.host)
        try:
            if begin is not None:
                return begin(visit, parsed.call, args, kwargs)
            return visit.exhaust(visit.call(parsed.call, *args, **kwargs))
        except CallError as error:
            visit.explain(error)
            raise
        finally:
            if explain_imports:
                _explain_imports(visit)

    return prepared.run(work)


def _explain_imports(visit: Visit) -> None:
    from remotesvc.bootstrap.errors import Error

    console, label = visit.session.console, visit.host.label
    try:
        origins = visit.session.router.explain_imports(visit.context.options(timeout=EXPLAIN_LIMIT))
    except Error as error:  # what the call itself ended with matters more
        console.note(f"{label}: nothing is known of its imports: {error}")
        return
    total = sum(each.bytes for each in origins)
    lines = [f"{label}: {len(origins)} modules, {total} bytes", *(f"  {each}" for each in origins)]
    console.note("\n".join(lines))


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
