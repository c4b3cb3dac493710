"""The options that commands share, and what they come to: `Settings`, plain data.

Each may also be given as REMOTESVC_<FLAG> in the environment; the flag wins.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from remotesvc.bootstrap.errors import UsageError
from remotesvc.fleet.schedule import Limits, batch_size

if TYPE_CHECKING:
    from remotesvc.bootstrap.data.secret import Secret

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Settings:
    """What the shared options say. Times in seconds; None is "not given", 0 seconds is "no limit"."""

    inventory: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    list_hosts: bool = False
    user: str | None = None
    port: int | None = None
    private_key: str | None = None
    ssh_config: str | None = None
    ssh_options: tuple[str, ...] = ()
    jump: str | None = None
    transport: str | None = None
    python: str | None = None
    ask_pass: bool = False
    password_file: str | None = None
    password: Secret | None = field(default=None, repr=False)
    """What the two above came to; not an option: `secrets.with_passwords` sets it, and that of `become`."""
    become: bool | None = None
    become_user: str | None = None
    become_method: str | None = None
    ask_become_pass: bool = False
    become_password_file: str | None = None
    become_password: Secret | None = field(default=None, repr=False)
    host_keys: str | None = None
    connect_timeout: float = 30.0
    timeout: float | None = None
    forks: int = Limits.forks
    serial: tuple[str, ...] = ()
    max_fail_percentage: float | None = None
    fail_fast: bool = False
    retries: int = 0
    retry_delay: float = Limits.retry_delay
    idempotent: bool = False
    deadline: float | None = None
    failed_to: str | None = None
    path: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    no_labels: bool = False
    timestamps: bool = False
    gather: bool = False
    diff: bool = False
    regroup: bool = False
    outdir: str | None = None
    errdir: str | None = None
    write_result: str | None = None
    json: bool = False
    jsonl: bool = False
    quiet: bool = False
    verbose: int = 0
    color: str | None = None
    no_stdin: bool = False
    no_progress: bool = False

    @classmethod
    def take(cls, values: dict[str, Any]) -> Settings:
        """Remove the shared options from a command's parameters and return them as settings."""
        names = [name for name in cls.__dataclass_fields__ if name in values]
        taken = {name: values.pop(name) for name in names}
        if taken.get("json") and taken.get("jsonl"):
            raise click.UsageError("--json and --jsonl exclude each other")
        if (taken.get("json") or taken.get("jsonl")) and (
                taken.get("gather") or taken.get("diff") or taken.get("regroup")):  # fmt: skip
            raise click.UsageError("--gather, --diff and --regroup are for people; --json and --jsonl are not")
        return cls(**taken)

    @property
    def keeps_output(self) -> bool:
        """Whether what targets print is kept for later, rather than shown as it comes."""
        return bool(self.json or self.jsonl or self.gathers or self.outdir or self.errdir)

    @property
    def origins(self) -> dict[str, str]:
        """Where packages come from, as `Router(imports=...)` takes it."""
        return _packages(self.imports)

    @property
    def gathers(self) -> bool:
        """Whether equal answers are shown as one."""
        return self.gather or self.diff or self.regroup

    @property
    def limits(self) -> Limits:
        """How the run over the hosts is paced."""
        return Limits(self.forks, self.serial, self.max_fail_percentage, self.fail_fast, self.retries, self.retry_delay,
                      self.idempotent)

    def replace(self, **changes: Any) -> Settings:
        """A copy with some of them changed."""
        return replace(self, **changes)


def _option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    flag = next(name for name in names if name.startswith("--"))
    attributes.setdefault("envvar", "REMOTESVC_" + flag.removeprefix("--").replace("-", "_").upper())
    return click.option(*names, **attributes)


class _Seconds(click.types.FloatParamType):
    """A duration: not negative, and no longer than a thread can wait."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = math.nan
        if not 0 <= seconds <= threading.TIMEOUT_MAX:
            self.fail(f"{value!r} is not a number of seconds (0 is no limit)", param, ctx)
        return seconds


_SECONDS = _Seconds()


def _batches(ctx: click.Context, parameter: click.Parameter, sizes: tuple[str, ...]) -> tuple[str, ...]:
    for size in sizes:
        try:
            batch_size(size, 1)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, parameter) from None
    return sizes


_SELECTION = (
    _option("-i", "--inventory", multiple=True, metavar="SOURCE",
            help="Inventory: a file, directory, script, or 'h1,h2,'. May be repeated."),
    click.option("-l", "--limit", multiple=True, metavar="PATTERN",
                 help="Only hosts that PATTERN matches too; @FILE reads it from a file."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out what PATTERN matches."),
)  # fmt: skip

_LIST_HOSTS = click.option("--list-hosts", is_flag=True, help="Only print which hosts would be worked on.")

_CONNECTION = (
    _option("-u", "--user", metavar="NAME", help="User to log in as, where the host names none."),
    _option("-p", "--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port, where the host names none."),
    _option("--private-key", metavar="FILE", help="Private key to log in with."),
    _option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password, once for all hosts."),
    _option("--password-file", metavar="FILE", help="Take the SSH password from the first line of FILE; - is stdin."),
    _option("-b", "--become", is_flag=True, default=None, help="Work as another user there."),
    _option("--become-user", metavar="NAME", help="Which user. Default: root."),
    _option("--become-method", type=click.Choice(["sudo", "su", "doas"]), default=None, help="How. Default: sudo."),
    _option("-K", "--ask-become-pass", is_flag=True, help="Ask for its password, once for all hosts."),
    _option("--become-password-file", metavar="FILE",
            help="Take its password from the first line of FILE; - is stdin."),
    _option("-F", "--ssh-config", metavar="FILE", help="ssh_config to read instead of the usual ones."),
    _option("-o", "--ssh-option", "ssh_options", multiple=True, metavar="KEY=VALUE",
            help="An ssh_config option, as with ssh -o. May be repeated.", envvar=None),
    _option("-J", "--jump", metavar="HOST[,HOST...]", help="Hosts to go through, as ssh -J; none: directly."),
    _option("--transport", type=click.Choice(["paramiko", "openssh"]), default=None,
            help="Who speaks SSH: we do (paramiko, the default), or the ssh program."),
    _option("--python", metavar="PATH", help="Python to use on the target."),
    _option("--host-keys", type=click.Choice(["yes", "ask", "accept-new", "no"]), default=None,
            help="Host key checking, as ssh's StrictHostKeyChecking. Default: what ssh_config says."),
    _option("--connect-timeout", type=_SECONDS, default=30.0, metavar="SECONDS",
            help="Limit for connecting to a host. Default: 30; 0: none."),
    _option("-T", "--timeout", type=_SECONDS, metavar="SECONDS", help="Limit for the call. Default, and 0: none."),
    _option("-f", "--forks", "--fanout", "--parallel", "forks", type=click.IntRange(min=1), metavar="N",
            default=Limits.forks, show_default=True, help="Hosts worked on at a time.",
            envvar="REMOTESVC_FORKS"),
    _option("--serial", multiple=True, metavar="N|N%", callback=_batches,
            help="Work in batches of N hosts, or N percent. May be repeated: the last size goes on."),
    _option("--max-fail-percentage", type=click.FloatRange(0, 100), metavar="N",
            help="Stop when more than N percent of a batch failed."),
    _option("--fail-fast", is_flag=True, help="Begin no more hosts after the first failure."),
    _option("--retries", type=click.IntRange(0, 100), default=0, metavar="N",
            help="Try a host that could not be reached N times more."),
    _option("--retry-delay", type=_SECONDS, default=Limits.retry_delay, metavar="SECONDS",
            help="Wait before the first of these; doubled each time. Default: 1."),
    click.option("--idempotent", is_flag=True,
                 help="It may be done twice: --retries hold for a host that is lost meanwhile, too."),
    _option("--deadline", type=_SECONDS, metavar="SECONDS", help="Limit for the whole run. Default, and 0: none."),
    click.option("--failed-to", metavar="FILE",
                 help="Write the hosts that were not fine to FILE: for -l @FILE."),
)  # fmt: skip

_OUTPUT = (
    _option("--gather", "--dshbak", "gather", is_flag=True, help="Show equal answers as one, when all is over.",
            envvar="REMOTESVC_GATHER"),
    _option("--diff", is_flag=True, help="Like --gather; other answers as differences from the most frequent."),
    _option("--regroup", is_flag=True, help="Like --gather; groups of the inventory that are whole are named for their"
            " hosts: @web."),
    click.option("-N", "--no-labels", is_flag=True, help="No names of hosts in front of what they say."),
    click.option("--timestamps", is_flag=True, help="The time in front of each line that a host prints or logs."),
    _option("--outdir", metavar="DIR", help="Write what each host answers to DIR/HOST."),
    _option("--errdir", metavar="DIR", help="Write what each host prints to stderr to DIR/HOST."),
    click.option("--json", is_flag=True, help="Print one JSON list, an object a host."),
    click.option("--jsonl", is_flag=True, help="Print one JSON object a line, as hosts finish."),
    click.option("-q", "--quiet", is_flag=True, help="Only results and errors, nothing the target prints."),
    click.option("-v", "--verbose", count=True, help="Say more; twice for debug records."),
    _option("--color", type=click.Choice(["auto", "always", "never"]), default=None,
            help="Colour. Default: auto, which also heeds NO_COLOR and CLICOLOR."),
    click.option("-n", "--no-stdin", is_flag=True, help="Never read standard input."),
    click.option("--no-progress", is_flag=True, help="No progress line on a terminal."),
)  # fmt: skip


class ImportsOption(click.Option):
    """--imports NAME=ORIGIN: of each package what the strongest place says of it. Files give it as a table."""

    @staticmethod
    def check_table(value: Any) -> dict[str, str]:
        """The table of a file by packages. UsageError if it is none."""
        from remotesvc.modules.policy import LOCKED, origins

        if value == LOCKED:
            return {"*": LOCKED}
        if not isinstance(value, dict):
            raise UsageError(f'{value!r}: give "locked", or a table of packages')
        origins(value)
        return value

    def process_value(self, ctx: click.Context, value: Any) -> tuple[str, ...]:
        """What was typed, or else stands in the environment, over what files say."""
        typed = _packages(super().process_value(ctx, value) or ())
        filed = _packages(ctx.lookup_default(self.name or "") or ())
        try:
            self.check_table(typed)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, self) from None
        return tuple("=".join(pair) for pair in {**filed, **typed}.items())


def _packages(values: Iterable[str]) -> dict[str, str]:
    pairs = (("*", "=", each) if each == "locked" else each.partition("=") for each in values)
    return {name.strip(): origin.strip() for name, _, origin in pairs}


_MODULES = (
    click.option("--path", multiple=True, metavar="DIR",
                 help="Find modules here first. Default: the current directory."),
    _option("--imports", cls=ImportsOption, multiple=True, metavar="NAME=ORIGIN",
            help="Where a package comes from: master, target or deny. May be repeated. locked: only what is called."),
    _option("--allow", multiple=True, metavar="MODULE",
            help="Let targets have this module of yours, too (or a pattern: plugins.*), where its name is found at run "
                 "time. May be repeated."),
)  # fmt: skip


def module_options(function: Function) -> Function:
    """Add the options that say where modules come from."""
    return _add(function, _MODULES)


def result_option(function: Function) -> Function:
    """Add the option that writes the one result to a file."""
    return click.option("--write-result", metavar="FILE",
                        help="Write what the one host answers to FILE: bytes and text as they are.")(function)


def hosts_argument(function: Function) -> Function:
    """Add the argument PATTERN, as `hosts`; shells complete it."""
    return click.argument("hosts", metavar="PATTERN", shell_complete=_complete_hosts)(function)


def _complete_hosts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from remotesvc.cli.commands.completion import complete_hosts

    return complete_hosts(ctx, parameter, incomplete)


def selection_options(function: Function) -> Function:
    """Add the options that say which hosts."""
    return _add(function, _SELECTION)


def connection_options(function: Function) -> Function:
    """Add the options that say which hosts, and how to reach them."""
    return _add(function, (*_SELECTION, _LIST_HOSTS, *_CONNECTION))


def output_options(function: Function) -> Function:
    """Add the options that say what to print."""
    return _add(function, _OUTPUT)


def _add(function: Function, options: tuple[Callable[[Any], Any], ...]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def here() -> tuple[str, ...]:
    """Where the user's modules are looked for first: the current directory, unless it has been deleted."""
    try:
        return (os.getcwd(),)
    except FileNotFoundError:
        return ()


def use_color(flag: str | None, environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether to colour a stream: --color, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, then whether it is a
    terminal.
    """
    if flag in ("always", "never"):
        return flag == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") != "0":
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return is_terminal


def use_progress(settings: Settings, environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether to draw a progress line on stderr."""
    wanted = not (settings.no_progress or settings.quiet)
    return wanted and is_terminal and environment.get("TERM") != "dumb" and not environment.get("CI")


def option_table(command: click.Command) -> dict[str, bool]:
    """Every option string of a command, dashes included, and whether it takes a value."""
    table = {"--help": False, "-h": False}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            takes_value = not parameter.is_flag and not parameter.count
            table.update(dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value))
    return table
