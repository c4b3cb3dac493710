"""The options that commands share, as plain data: `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from remotesvc.fleet.schedule import Limits

from .optiontypes import packages

if TYPE_CHECKING:
    from remotesvc.bootstrap.data.secret import Secret


_FOR_PROGRAMS = ("json", "jsonl")
_OPPOSITES = {
    "gather": _FOR_PROGRAMS, "diff": _FOR_PROGRAMS, "regroup": _FOR_PROGRAMS,
    "ask_pass": ("password_file",), "password_file": ("ask_pass",),
    "ask_become_pass": ("become_password_file",), "become_password_file": ("ask_become_pass",),
}  # fmt: skip
"""An option that yields where one of the others was typed and it was not: it is a default from the environment or a
file. Where both were typed, it is an error."""


def typed(name: str) -> bool:
    """Whether an option of the command that runs was typed, rather than found in the environment or a file."""
    context = click.get_current_context(silent=True)
    return context is None or context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def of_environment(name: str) -> bool:
    """Whether an option of the command that runs was found in the environment."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.ENVIRONMENT


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
    """Not an option: `secrets.with_passwords` sets it from the two above, and the password of `become` likewise."""
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
        for name, others in _OPPOSITES.items():
            if taken.get(name) and not typed(name) and any(taken.get(other) and typed(other) for other in others):
                taken[name] = cls.__dataclass_fields__[name].default
        if taken.get("json") and taken.get("jsonl"):
            raise click.UsageError("--json and --jsonl exclude each other")
        if (taken.get("json") or taken.get("jsonl")) and (
                taken.get("gather") or taken.get("diff") or taken.get("regroup")):  # fmt: skip
            raise click.UsageError("--gather, --diff and --regroup are for people; --json and --jsonl are not")
        return cls(**taken)

    @property
    def keeps_answers(self) -> bool:
        """Whether what hosts answer is kept for later, rather than shown as it comes."""
        return "stdout" in self.kept_streams

    @property
    def kept_streams(self) -> frozenset[str]:
        """Which streams of targets are kept for later; the other one, of `--outdir` or `--errdir` alone, is shown."""
        if self.shows_later:
            return frozenset(("stdout", "stderr"))
        kept = (("stdout", self.outdir), ("stderr", self.errdir))
        return frozenset(stream for stream, directory in kept if directory is not None)

    @property
    def shows_later(self) -> bool:
        """Whether what a host printed is shown only once it is done."""
        return self.json or self.jsonl or self.gathers

    @property
    def origins(self) -> dict[str, str]:
        """Where packages come from, as `Router(imports=...)` takes it."""
        return packages(self.imports)

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


def use_color(flag: str | None, environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether to colour a stream: --color, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, then whether it is a terminal."""
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
