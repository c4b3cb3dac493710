"""`remotesvc completion`: the script that teaches a shell our options, commands and hosts."""

from __future__ import annotations

import click

from ..problems import OurError


@click.command("completion", epilog="Example:  eval \"$(remotesvc completion bash)\"   in ~/.bashrc")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the completion script for SHELL."""
    from click.shell_completion import get_completion_class

    from .. import completing  # noqa: F401  # which has a bash of its own

    found = get_completion_class(shell)
    root = ctx.find_root()
    if found is None:
        raise OurError(f"there is no completion for {shell}")
    click.echo(found(root.command, {}, "remotesvc", "_REMOTESVC_COMPLETE").source())
    return 0
