"""`remotesvc hosts`: which hosts a pattern stands for, and what the inventory says of them. Connects to nothing."""

from __future__ import annotations

from typing import Any

import click

from ..options import COMPLETE_HOSTS, selection_options
from ..settings import Settings


@click.command("hosts", epilog="Example:  remotesvc hosts -i inventory 'web:&prod'")
@click.argument("hosts", metavar="[PATTERN]", shell_complete=COMPLETE_HOSTS, default="all")
@click.option("--groups", is_flag=True, help="Show each host's groups.")
@click.option("--fold", is_flag=True, help="One line in ClusterShell's short form: web[01-20].")
@click.option("--json", is_flag=True, help="Print one JSON object: host to groups and variables.")
@click.option("--jsonl", is_flag=True, help="Print one JSON object a line, of a host with its groups and variables.")
@selection_options
@click.pass_context
def hosts(ctx: click.Context, /, hosts: str, groups: bool, fold: bool, **shared: Any) -> int:
    """Print the hosts that PATTERN stands for, a line each, in the order they would be worked on.

    PATTERN is Ansible's: names, groups, globs, ~regex, group[0:3], web[01-20], @file or @group, joined by , or : (and
    those that match), with & (only those that match, too) and ! (but not those). Passwords are not printed.
    """
    from ..selection import say, select_hosts

    settings = Settings.take(shared)
    members = select_hosts(hosts, settings)
    if settings.json:
        import json

        facts = {member.text: member.facts().fields for member in members}
        shown = {name: {"groups": each["groups"], "variables": each["variables"]} for name, each in facts.items()}
        say(json.dumps(shown, indent=1, default=str))
    elif settings.jsonl:
        from ..show.listed import hosts_as_json

        say(hosts_as_json(members, lines=True))
    elif fold:
        from remotesvc.fleet.results import fold_names

        say(fold_names(member.text for member in members))
    else:
        for member in members:
            say(f"{member.text}  {','.join(member.entry.groups)}".rstrip() if groups else member.text)
    return 0
