"""A context through a shell of one's own, and what was printed on the way."""

from __future__ import annotations

import shutil
from pathlib import Path

from remotesvc import Context, Router
from remotesvc.launch.connection import Connection
from remotesvc.launch.process import ProcessPath
from remotesvc.launch.tree import process_name
from tests.kernel.contexts import LIMIT

EVERY_SHELL = list(filter(shutil.which, ("sh", "dash", "bash", "zsh", "fish", "csh", "tcsh", "ksh", "mksh")))
"""Those found here, by name."""

SHELLS = [path for path in map(shutil.which, ("sh", "dash", "bash", "ksh", "zsh")) if path]
"""The paths of those that are like Bourne's."""


def through(router: Router, argv: list[str], python: str | None = None, budget: float = LIMIT) -> Context:
    """A context behind a command that is given what a login shell gets over SSH as its last argument."""
    tree = router._tree
    command = tree.bundle.shell_command(process_name(), python)
    return tree.adopt(Connection(ProcessPath([*argv, command], "there"), "there", budget))


def noise_of(context: Context) -> str:
    noise: str = context.tree.ledger.start_of(context.id).noise
    return noise


def hostile_lines(owned: Path) -> str:
    """An argument of a call: whatever quote the bytes before it have opened, one of its lines is a command."""
    shell, python = f"echo owned >>'{owned}'", f"open({str(owned)!r}, 'w').close()"
    quotes = ["", "'", '"', "`", ")", "}", "'", '"', "EOF", ")", "'''", '"""']
    return "x\n" + "".join(f"{quote}\n{shell}\n{python}\n\n" for quote in quotes * 3)
