"""`remotesvc trust`: learn the keys of hosts, with their fingerprints shown, before anything else is done there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from remotesvc.cli.options import connection_options, hosts_argument, output_options
from remotesvc.cli.problems import BadUsage
from remotesvc.cli.settings import Settings

if TYPE_CHECKING:
    from remotesvc.ssh.hostkeys.trusting import Learnt


@click.command("trust", epilog="Example:  remotesvc trust -i inventory web --yes")
@hosts_argument
@click.option("--yes", is_flag=True, help="Note new keys without asking anybody.")
@connection_options
@output_options
@click.pass_context
def trust(ctx: click.Context, /, hosts: str, yes: bool, **shared: Any) -> int:
    """Ask each host for its key, show the fingerprint, and note it in known_hosts if it is new and you agree.

    Nobody is logged in. A key that changed is refused, never replaced: the error says how to remove the old one. Jump
    hosts on the way have to be trusted already, and are logged in to.

    Where there is nobody to ask, and with --json or --jsonl, only keys that are known are trusted, unless --yes notes
    new ones unseen.

    Exit code: 0 all are trusted now, 4 one is not.
    """
    from remotesvc.cli import exitcodes
    from remotesvc.cli.fanout import make_console
    from remotesvc.cli.hosts import check, connection_arguments
    from remotesvc.cli.selection import select_hosts
    from remotesvc.cli.show.report import AsJson
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.gather import gather
    from remotesvc.fleet.member import Member, shown_host
    from remotesvc.fleet.printed import Kept
    from remotesvc.ssh import terminal
    from remotesvc.ssh.configuration.options import SSHOptions
    from remotesvc.ssh.hostkeys.trusting import Nobody, learn
    from remotesvc.ssh.ways import Ways

    settings = Settings.take(shared)
    members = select_hosts(hosts, settings)
    local = [member.label for member in members if member.spec.kind != "ssh"]
    if local:
        raise BadUsage(f"{local[0]} is not reached over SSH, and has no key")
    check(members, settings)
    as_json = settings.json or settings.jsonl
    found = None if settings.no_stdin or as_json else terminal.find()
    somebody = None if yes else found or Nobody()
    console, ways = make_console(settings), Ways()
    reporter = AsJson(console, settings.jsonl)

    def work(member: Member, attempt: Attempt) -> Learnt:
        options = SSHOptions.parse(member.spec.host, **member.ssh_arguments(connection_arguments(settings)))
        return learn(options, ways, somebody)

    code = exitcodes.OK
    deadline = time.monotonic() + settings.deadline if settings.deadline else None
    try:
        for outcome in gather(members, work, limits=settings.limits, deadline=deadline):
            label = shown_host(outcome.host)
            if not outcome.ok:
                code |= exitcodes.UNREACHABLE
            if as_json:
                reporter.outcome(replace(outcome, value=_as_data(outcome.value)) if outcome.ok else outcome, Kept())
            elif outcome.ok:
                what = "new" if _is_new(outcome.value) else "known"
                console.labelled_result(label, f"{outcome.value.key_type} {outcome.value.fingerprint} ({what})")
                for notice in outcome.value.notices:
                    console.note(f"{label}: {notice}")
            else:
                named = f"{getattr(outcome.error, 'host', label)}: "  # the label says it already
                console.error(label, str(outcome.error or outcome.status.value).removeprefix(named))
        if as_json:
            reporter.end()
    finally:
        ways.close()
    console.check_results()
    return code


def _is_new(learnt: Learnt) -> bool:
    return any("added to" in notice for notice in learnt.notices)


def _as_data(learnt: Learnt) -> dict[str, Any]:
    return {"key_type": learnt.key_type, "fingerprint": learnt.fingerprint, "new": _is_new(learnt)}
