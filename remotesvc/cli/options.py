"""The options that commands share, as decorators; `settings` has them as data.

Each may also be given as REMOTESVC_<FLAG> in the environment, but for those that concern one run; the flag wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from remotesvc.calling.options import LEAST_OUTPUT
from remotesvc.fleet.schedule import Limits

from .optiontypes import ImportsOption, Seconds, batches

Function = TypeVar("Function", bound=Callable[..., Any])

_SECONDS = Seconds()


def _completed(what: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """What completes a parameter: `what` of `completing`, imported when a shell asks."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from . import completing

        return getattr(completing, what)(ctx, parameter, incomplete)  # type: ignore[no-any-return]

    return complete


COMPLETE_FUNCTIONS = _completed("functions")
COMPLETE_FILES = _completed("files")
COMPLETE_HOSTS, _DIRECTORIES = _completed("hosts"), _completed("directories")


def _option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    flag = next(name for name in names if name.startswith("--"))
    attributes.setdefault("envvar", "REMOTESVC_" + flag.removeprefix("--").replace("-", "_").upper())
    return click.option(*names, **attributes)


_SELECTION = (
    _option("-i", "--inventory", multiple=True, shell_complete=COMPLETE_FILES, metavar="SOURCE",
            help="Inventory: a file, directory, script, or 'h1,h2,'. May be repeated."),
    click.option("-l", "--limit", multiple=True, shell_complete=COMPLETE_HOSTS, metavar="PATTERN",
                 help="Only hosts that PATTERN matches too; @FILE reads it from a file."),
    click.option("--exclude", multiple=True, shell_complete=COMPLETE_HOSTS, metavar="PATTERN",
                 help="Leave out what PATTERN matches."),
)  # fmt: skip

_LIST_HOSTS = click.option("--list-hosts", is_flag=True, help="Only print which hosts would be worked on.")

_REACHING = (
    _option("-u", "--user", metavar="NAME", help="User to log in as, where the host names none."),
    _option("-p", "--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port, where the host names none."),
    _option("--private-key", shell_complete=COMPLETE_FILES, metavar="FILE", help="Private key to log in with."),
    _option("-F", "--ssh-config", shell_complete=COMPLETE_FILES, metavar="FILE",
            help="ssh_config to read instead of the usual ones."),
    _option("-o", "--ssh-option", "ssh_options", multiple=True, metavar="KEY=VALUE",
            help="An ssh_config option, as with ssh -o. May be repeated.", envvar=None),
    _option("-J", "--jump", metavar="HOST[,HOST...]", help="Hosts to go through, as ssh -J; none: directly."),
    _option("--connect-timeout", type=_SECONDS, default=30.0, metavar="SECONDS",
            help="Limit for connecting to a host. Default: 30; 0: none."),
)  # fmt: skip

_SPEAKING = (
    _option("--transport", type=click.Choice(["paramiko", "openssh"]), default=None,
            help="Who speaks SSH: we do (paramiko, the default), or the ssh program."),
    _option("--host-keys", type=click.Choice(["yes", "ask", "accept-new", "no"]), default=None,
            help="Host key checking, as ssh's StrictHostKeyChecking. Default: what ssh_config says."),
)  # fmt: skip

_LOGIN = (
    _option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password, once for all hosts."),
    _option("--password-file", shell_complete=COMPLETE_FILES, metavar="FILE",
            help="Take the SSH password from the first line of FILE; - is stdin."),
    _option("-b", "--become", is_flag=True, default=None, help="Work as another user there."),
    _option("--become-user", metavar="NAME", help="Which user. Default: root."),
    _option("--become-method", type=click.Choice(["sudo", "su", "doas"]), default=None, help="How. Default: sudo."),
    _option("-K", "--ask-become-pass", is_flag=True, help="Ask for its password, once for all hosts."),
    _option("--become-password-file", shell_complete=COMPLETE_FILES, metavar="FILE",
            help="Take its password from the first line of FILE; - is stdin."),
    _option("--python", metavar="PATH", help="Python to use on the target."),
    _option("-T", "--timeout", type=_SECONDS, metavar="SECONDS", help="Limit for the call. Default, and 0: none."),
)  # fmt: skip

_PACING = (
    _option("-f", "--forks", "--fanout", "--parallel", "forks", type=click.IntRange(min=1), metavar="N",
            default=Limits.forks, show_default=True, help="Hosts worked on at a time.",
            envvar=["REMOTESVC_FORKS", "REMOTESVC_FANOUT", "REMOTESVC_PARALLEL"]),
    _option("--serial", multiple=True, metavar="N|N%", callback=batches,
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
    click.option("--failed-to", shell_complete=COMPLETE_FILES, metavar="FILE",
                 help="Write the hosts that were not fine to FILE: for -l @FILE."),
)  # fmt: skip

_ANSWERS = (
    _option("--gather", "--dshbak", "gather", is_flag=True, help="Show equal answers as one, when all is over.",
            envvar=["REMOTESVC_GATHER", "REMOTESVC_DSHBAK"]),
    _option("--diff", is_flag=True, help="Like --gather; other answers as differences from the most frequent."),
    _option("--regroup", is_flag=True, help="Like --gather; groups of the inventory that are whole are named for their"
            " hosts: @web."),
    _option("-N", "--no-labels", is_flag=True, help="No names of hosts in front of what they say."),
    _option("--timestamps", is_flag=True, help="The time in front of each line that a host prints or logs."),
    _option("--outdir", shell_complete=_DIRECTORIES, metavar="DIR", help="Write what each host answers to DIR/HOST."),
    _option("--errdir", shell_complete=_DIRECTORIES, metavar="DIR",
            help="Write what each host prints to stderr to DIR/HOST."),
)  # fmt: skip

_OUTPUT = (
    click.option("--json", is_flag=True, help="Print one JSON list, an object a host."),
    click.option("--jsonl", is_flag=True, help="Print one JSON object a line, as hosts finish."),
    _option("-q", "--quiet", is_flag=True, help="Only results and errors, nothing the target prints."),
    _option("-v", "--verbose", count=True, help="Say more; twice for debug records."),
    _option("--color", type=click.Choice(["auto", "always", "never"]), default=None,
            help="Colour. Default: auto, which also heeds NO_COLOR and CLICOLOR."),
    click.option("-n", "--no-stdin", is_flag=True, help="Never read standard input."),
    _option("--no-progress", is_flag=True, help="No progress line on a terminal."),
)  # fmt: skip

_MODULES = (
    _option("--path", multiple=True, metavar="DIR", type=click.Path(), shell_complete=_DIRECTORIES,
            help="Find modules here first. Default: the current directory."),
    _option("--imports", cls=ImportsOption, multiple=True, metavar="NAME=ORIGIN",
            help="Where a package comes from: master, target or deny. May be repeated. locked: only what is called."),
    _option("--allow", multiple=True, metavar="MODULE",
            help="Let targets have this module of yours, too (or a pattern: plugins.*), where its name is found at run "
                 "time. May be repeated."),
)  # fmt: skip

_ARGUMENTS = (
    click.option("--kw", "keywords", multiple=True, metavar="NAME=VALUE", help="A keyword argument. May be repeated."),
    click.option("--json-args", is_flag=True, help="Read every argument as JSON, whatever the annotations say."),
)


def jobs_dir_option(function: Function) -> Function:
    """Add the option that says where hosts keep what they know of detached jobs."""
    return _option("--jobs-dir", metavar="DIR",
                   help="Where hosts keep what they know of detached jobs. Default: remotesvc/jobs in $XDG_STATE_HOME,"
                        " or in ~/.local/state.")(function)


def detach_options(function: Function) -> Function:
    """Add the options of calls that go on by themselves."""
    options = (
        click.option("-d", "--detach", is_flag=True,
                     help="Have it go on by itself there, and print its id, for remotesvc jobs."),
        jobs_dir_option,
        _option("--output-limit", type=click.IntRange(min=LEAST_OUTPUT), metavar="BYTES",
                help="How much is kept of what a detached job prints: the beginning and the end. Default: 16 MiB."),
    )  # fmt: skip
    return _add(function, options)


def module_options(function: Function) -> Function:
    """Add the options that say where modules come from."""
    return _add(function, _MODULES)


def result_option(function: Function) -> Function:
    """Add the option that writes the one result to a file."""
    return click.option("--write-result", shell_complete=COMPLETE_FILES, metavar="FILE",
                        help="Write what the one host answers to FILE: bytes and text as they are.")(function)


def argument_options(function: Function) -> Function:
    """Add the options for arguments by name, and for how arguments are read."""
    return _add(function, _ARGUMENTS)


def hosts_argument(function: Function) -> Function:
    """Add the argument PATTERN, as `hosts`; shells complete it."""
    return click.argument("hosts", metavar="PATTERN", shell_complete=COMPLETE_HOSTS)(function)


def selection_options(function: Function) -> Function:
    """Add the options that say which hosts."""
    return _add(function, _SELECTION)


def connection_options(function: Function) -> Function:
    """Add the options of commands that do something on hosts: which they are, how they are reached, at what pace."""
    return _add(function, (*_SELECTION, _LIST_HOSTS, *_REACHING, *_SPEAKING, *_LOGIN, *_PACING))


def reaching_options(function: Function) -> Function:
    """Add those of `connection_options` that say which hosts, and how to get to their servers."""
    return _add(function, (*_SELECTION, _LIST_HOSTS, *_REACHING))


def login_options(function: Function) -> Function:
    """Add those that say who speaks SSH, how to log in, and what to start there."""
    return _add(function, (*_SPEAKING, *_LOGIN))


def pacing_options(function: Function) -> Function:
    """Add those that say how a run over many hosts is paced, and when it ends."""
    return _add(function, _PACING)


def output_options(function: Function) -> Function:
    """Add the options that say what to print of what hosts answer, and how."""
    return _add(function, (*_ANSWERS, *_OUTPUT))


def plain_output_options(function: Function) -> Function:
    """Add those for commands that have reports of their own."""
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


def option_table(command: click.Command) -> dict[str, bool]:
    """Every option string of a command, dashes included, and whether it takes a value."""
    table = {"--help": False, "-h": False}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            takes_value = not parameter.is_flag and not parameter.count
            table.update(dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value))
    return table
