"""`remotesvc call`: call a method of a service on hosts; and `remotesvc services`: what services are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..calls import RunCommand, prepare
from ..options import (
    COMPLETE_FUNCTIONS,
    argument_options,
    connection_options,
    here,
    hosts_argument,
    module_options,
    output_options,
    result_option,
)
from ..problems import BadUsage
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.outcome import Outcome

    from ..arguments.target import Target
    from ..visit import Visit


@click.command(
    "call",
    cls=RunCommand,
    options_metavar="[OPTIONS]",
    epilog="Example:  remotesvc call 'web[01-20]' disks.py:DiskUsage.usage /var --depth 2",
)
@hosts_argument
@click.argument("target", metavar="MODULE:SERVICE.METHOD", shell_complete=COMPLETE_FUNCTIONS)
@argument_options
@result_option
@module_options
@connection_options
@output_options
@click.pass_context
def call(
    ctx: click.Context, /, hosts: str, target: str, keywords: tuple[str, ...], json_args: bool, **shared: Any
) -> int:
    """Call a METHOD of the SERVICE on each host and print what it returns.

    The service, a subclass of remotesvc.service.Service, is made there by this call. MODULE may be a path to a .py
    file. Arguments are those of `remotesvc run`.

    Exit code: 0 all fine, 2 a call failed, 4 a host was unreachable, 8 timed out or stopped (bits, or-ed),
    64 wrong usage, 130 interrupted.
    """
    settings = Settings.take(shared)
    parsed = _parse(target, settings.path)
    prepared = prepare(ctx, hosts, parsed, settings, keywords, json_args, of_service=True)
    cls, _, method = parsed.qualname.rpartition(".")
    service = f"{parsed.module}.{cls}"

    def work(visit: Visit) -> Any:
        args, kwargs = prepared.arguments(visit.host)
        return visit.exhaust(
            visit.attempt.wait(lambda: visit.calls().call_service_async(service, method, *args, **kwargs))
        )

    return prepared.run(work)


@click.command("services", epilog="Example:  remotesvc services web1 disks.py:DiskUsage")
@hosts_argument
@click.argument("names", nargs=-1, metavar="[MODULE:SERVICE]...", shell_complete=COMPLETE_FUNCTIONS)
@module_options
@connection_options
@output_options
@click.pass_context
def services(ctx: click.Context, /, hosts: str, names: tuple[str, ...], **shared: Any) -> int:
    """Start the named services on each host and list what is active: methods, calls, queue lengths.

    Services live as long as the connection that made them: those of other programs are not seen.

    Exit code: as of `remotesvc call`.
    """
    from ..fanout import Session

    settings = Settings.take(shared)
    wanted = []
    for name in names:
        parsed = _parse_service(name, settings.path)
        settings = settings.replace(path=parsed.path)
        wanted.append(parsed.call)

    def work(visit: Visit) -> Any:
        for name in wanted:  # only the class knows its name, and asking for it brings its module along
            visit.call(f"{name}.name")
        return visit.call("remotesvc.service.local:active", [name.replace(":", ".") for name in wanted])

    return Session.of(ctx, hosts, settings).run(work, _text)


def _parse(text: str, path: tuple[str, ...]) -> Target:
    from ..arguments.target import parse_target

    parsed = parse_target(text, path or here())
    if "." not in parsed.qualname:
        raise BadUsage(f"{text!r} names no method of a service: write module:Service.method")
    return parsed


def _parse_service(text: str, path: tuple[str, ...]) -> Target:
    """What names a service; BadUsage if this machine knows that there is none of that name."""
    from ..arguments.signature import check_class, parse_source
    from ..arguments.target import find_source, parse_target

    parsed = parse_target(text, path or here(), "service")
    source = find_source(parsed)
    if source is not None and source.text is not None:
        check_class(parse_source(source.text, source.file), parsed.module, parsed.qualname)
    return parsed


def _text(outcome: Outcome) -> str:
    lines = [
        f"{each['service']} ({each['invoker']}): {each['calls']} calls, {each['errors']} errors, "
        f"{each['running']} running, {each['waiting']} waiting; methods: {', '.join(each['methods'])}"
        for each in outcome.value
    ]
    return "\n".join(lines) or "no services are active"
