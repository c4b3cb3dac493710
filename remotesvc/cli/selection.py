"""From PATTERN, `-i`, `-l` and `--exclude` to the hosts of a run."""

from __future__ import annotations

import os
import sys

import click

from remotesvc.escape import neutralise
from remotesvc.fleet.inventory.model import Inventory
from remotesvc.fleet.matcher import Matcher, cluster_group
from remotesvc.fleet.member import Member, members_of

from .problems import BadUsage
from .settings import Settings
from .stdin import take_stdin


def select_hosts(pattern: str, settings: Settings) -> list[Member]:
    """The hosts a command is to work on, each once, in order.

    With an inventory only its hosts count (and `local:`), without one every name is a host. Raises UsageError: for a
    pattern without a match, an inventory that cannot be read, a host string that is none. With `--list-hosts` they
    are printed, as JSON if that is wanted, and the command ends.
    """
    inventory = _inventory(settings)
    matcher = Matcher(inventory, bool(settings.inventory), _Reader(settings), cluster_group, os.path.exists,
                      lambda text: say(text, err=True))
    entries = matcher.hosts(pattern, settings.limit, settings.exclude)
    members = members_of(entries, inventory)
    if settings.list_hosts:
        say(_listed(members, settings))
        raise click.exceptions.Exit(0)
    return members


def say(text: str, err: bool = False) -> None:
    """Print lines with what an inventory says, which may be a program's words: on a terminal they command nothing."""
    stream = sys.stderr if err else sys.stdout
    click.echo(neutralise(text) if stream is not None and stream.isatty() else text, err=err)


def _listed(members: list[Member], settings: Settings) -> str:
    if not (settings.json or settings.jsonl):
        return "\n".join(member.text for member in members)
    from .show.listed import hosts_as_json

    return hosts_as_json(members, settings.jsonl)


def _inventory(settings: Settings) -> Inventory:
    if not settings.inventory:
        return Inventory()
    from remotesvc.fleet.inventory import load

    return load(settings.inventory)


class _Reader:
    """Reads files of patterns; standard input at most once, and not where `-n` forbids it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stdin_read = False

    def __call__(self, name: str) -> str:
        if name != "-":
            with open(os.path.expanduser(name), encoding="utf-8-sig") as file:
                return file.read()
        take_stdin("the hosts")
        if self._settings.no_stdin:
            raise BadUsage("the hosts are to come from standard input (-), and -n forbids reading it")
        if self._stdin_read or sys.stdin is None:
            raise BadUsage("standard input can be read once, and was read for hosts already")
        self._stdin_read = True
        return sys.stdin.read().removeprefix("\ufeff")
