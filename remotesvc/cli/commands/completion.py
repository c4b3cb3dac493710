"""`remotesvc completion`: the script that teaches a shell our options, commands and hosts."""

from __future__ import annotations

import click

from remotesvc.cli.problems import OurError


@click.command("completion", epilog="Example:  eval \"$(remotesvc completion bash)\"   in ~/.bashrc")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the completion script for SHELL."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    root = ctx.find_root()
    if found is None:
        raise OurError(f"there is no completion for {shell}")
    click.echo(found(root.command, {}, "remotesvc", "_REMOTESVC_COMPLETE").source())
    return 0


def complete_hosts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names for a PATTERN that begins so: the inventory's hosts and groups, else the aliases of ssh_config."""
    before, separator, last = incomplete.rpartition(",")
    try:
        names = _names(ctx)
    except Exception:  # at a shell's prompt there is nobody to tell
        return []
    return [before + separator + name for name in names if name.startswith(last)]


def _names(ctx: click.Context) -> list[str]:
    from remotesvc.fleet.inventory import load

    sources = ctx.params.get("inventory") or ()
    if sources:
        inventory = load(sources)
        return ["all", *inventory.groups, *inventory]
    from remotesvc.ssh.configuration.aliases import aliases

    return aliases()
