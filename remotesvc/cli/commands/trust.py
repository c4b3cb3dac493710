"""`remotesvc trust`: learn the keys of hosts, with their fingerprints shown, before anything else is done there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .. import exitcodes
from ..options import (
    hosts_argument,
    pacing_options,
    plain_output_options,
    reaching_options,
)
from ..problems import BadUsage
from ..settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member
    from remotesvc.fleet.outcome import Outcome
    from remotesvc.ssh.trusting import Learnt

    from ..show.collected import Collected
    from ..show.console import Console
    from ..show.report import Reporter


@click.command("trust", epilog="Example:  remotesvc trust -i inventory web --yes")
@hosts_argument
@click.option("--yes", is_flag=True, help="Note new keys without asking anybody.")
@reaching_options
@pacing_options
@plain_output_options
@click.pass_context
def trust(ctx: click.Context, /, hosts: str, yes: bool, **shared: Any) -> int:
    """Ask each host for its key, show the fingerprint, and note it in known_hosts if it is new and you agree.

    Nobody is logged in. A key that changed is refused, never replaced: the error says how to remove the old one. Jump
    hosts on the way have to be trusted already, and are logged in to.

    Where there is nobody to ask, and with --json or --jsonl, only keys that are known are trusted, unless --yes notes
    new ones unseen.

    Exit code: 0 all are trusted now, 4 one is not.
    """
    from remotesvc.ssh import terminal
    from remotesvc.ssh.configuration.options import SSHOptions
    from remotesvc.ssh.jump_hosts import JumpHosts
    from remotesvc.ssh.login.keyring import KeyRing
    from remotesvc.ssh.trusting import Agreeing, Nobody, learn

    from ..fanout import Session
    from ..hosts import connection_arguments
    from ..selection import select_hosts
    from ..show.report import AsJson

    settings = Settings.take(shared)
    members = select_hosts(hosts, settings)
    local = [member.label for member in members if member.spec.kind != "ssh"]
    if local:
        raise BadUsage(f"{local[0]} is not reached over SSH, and has no key")
    as_json = settings.json or settings.jsonl
    session = Session.create(settings, members, ctx.obj)
    found = None if settings.no_stdin or as_json else terminal.find(session.console.asked)
    jump_hosts, keys = JumpHosts(), KeyRing(Agreeing(None if yes else found or Nobody()))

    def work(member: Member, attempt: Attempt) -> Learnt:
        options = SSHOptions.parse(member.spec.host, **member.ssh_arguments(connection_arguments(settings)))
        return learn(options, member.text, jump_hosts, keys)

    shown = _ForPrograms(AsJson(session.console, settings.jsonl)) if as_json else _ForPeople(session.console)
    try:
        return session.gather(work, shown, _exit_code)
    finally:
        jump_hosts.close()


class _ForPeople:
    """A line for each key, and what was done about it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        from remotesvc.fleet.member import shown_host

        from ..show.render import below, failure_text

        label = shown_host(outcome.host)
        if outcome.ok:
            learnt: Learnt = outcome.value
            what = "new" if learnt.new else "known"
            self._console.labelled_result(label, f"{learnt.key_type} {learnt.fingerprint} ({what})")
            for notice in learnt.notices:
                self._console.note(f"{label}: {notice}")
        else:
            self._console.error(label, below(failure_text(outcome, self._console.verbose)))

    def end(self) -> None:
        pass


class _ForPrograms:
    """Keys as plain data, in JSON."""

    def __init__(self, then: Reporter) -> None:
        self._then = then

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        if outcome.ok:
            learnt: Learnt = outcome.value
            value = {"key_type": learnt.key_type, "fingerprint": learnt.fingerprint, "new": learnt.new}
            outcome = replace(outcome, value=value)
        self._then.outcome(outcome, kept)

    def end(self) -> None:
        self._then.end()


def _exit_code(outcomes: list[Outcome]) -> int:
    return exitcodes.OK if all(outcome.ok for outcome in outcomes) else exitcodes.UNREACHABLE
