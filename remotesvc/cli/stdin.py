"""Standard input of a command, which only one thing can have: what read it second would find nothing, and say so to
nobody."""

from __future__ import annotations

import click

from remotesvc.cli.problems import BadUsage

_TAKEN = "remotesvc.stdin"


def take_stdin(what: str, whole: bool = True) -> None:
    """Say that `what` reads standard input: to its end, or with `whole` false only lines in front of the rest.

    Raises BadUsage if something else has read it to its end.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    taken = context.meta.get(_TAKEN, what)
    if taken != what:
        raise BadUsage(f"standard input cannot be both {taken} and {what}")
    if whole:
        context.meta[_TAKEN] = what
