"""A context through a shell of one's own, and what was printed on the way."""

from __future__ import annotations

import shutil

from remotesvc import Context, Router
from remotesvc.launch.process import ProcessPath
from remotesvc.launch.tree import process_name
from tests.kernel.contexts import LIMIT

SHELLS = [path for path in map(shutil.which, ("sh", "dash", "bash", "ksh", "zsh")) if path]


def through(router: Router, argv: list[str], python: str | None = None, budget: float = LIMIT) -> Context:
    """A context behind a command that is given what a login shell gets over SSH as its last argument."""
    tree = router._tree
    command = tree.bundle.shell_command(process_name(), python)
    return tree.adopt(ProcessPath([*argv, command], "there"), "there", budget, {})


def noise_of(context: Context) -> str:
    noise: str = context.tree.start_of(context.id).noise
    return noise
