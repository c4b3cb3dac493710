"""`remotesvc demo`: the main job on a target that needs nothing but this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..hosts import MakeRouter, python_version, settle

if TYPE_CHECKING:
    from remotesvc.output import OutputEvent
    from remotesvc.testing.sshd import EmbeddedServer

    from ..hosts import ContextLike, RouterLike
    from ..show.console import Console

_TASKS = "demo_tasks"
"""A module beside `remotesvc.testing.sshd`, found by --path as one of the user's own would be."""
_PATIENCE = 0.5
"""Seconds the demo waits for a call that takes longer."""


@click.command("demo")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default=None, help="Colour. Default: auto.")
@click.pass_context
def demo(ctx: click.Context, color: str | None) -> int:
    """Start an SSH server inside this process and run functions on it, over real SSH.

    Nothing outside this machine is contacted, nothing is left behind. Shows what each step returned and how
    long each phase took. Exit code 0 if everything went as it should, 1 if not.
    """
    from remotesvc.testing import sshd

    from ..fanout import make_console
    from ..settings import Settings

    make_router: MakeRouter = ctx.obj
    console = make_console(Settings(color=color))
    began = time.monotonic()
    with sshd.EmbeddedServer() as server:
        show = _Show(console)
        show.line(f"An SSH server of our own listens on {server.host}:{server.port}; its key was made for this run.")
        router = make_router(
            path=[os.path.dirname(sshd.__file__)],
            log_level=30,
            on_output=show.output,
            on_log=lambda event: None,
            interactive=False,
        )
        try:
            context, seconds = _connect(router, server)
            show.connected(context, seconds)
            for step in _STEPS:
                show.step(step, context, lambda: settle(router, context))
        finally:
            router.close()
    show.line(f"\n{show.good} of {len(_STEPS)} calls did as they should, {time.monotonic() - began:.2f} s in all.")
    show.line("Now on a machine of yours:  remotesvc run HOST platform:node")
    console.check_results()
    return 0 if show.good == len(_STEPS) else 1


def _connect(router: RouterLike, server: EmbeddedServer) -> tuple[ContextLike, float]:
    """The context, and the seconds it took until Python answered there."""
    began = time.monotonic()
    context = router.ssh(
        server.host,
        user=server.user,
        port=server.port,
        key_filename=str(server.key_file),
        known_hosts=str(server.known_hosts_file),
        host_keys="yes",
        ssh_config=os.devnull,  # the user's own configuration has no say in a demonstration
    )
    python_version(context.info)  # `info` waits until the target is up
    return context, time.monotonic() - began


@dataclass(frozen=True)
class Step:
    """One call: what it shows, and which error it should end with, if any."""

    title: str
    call: str
    args: tuple[Any, ...] = ()
    timeout: float | None = None
    expected: str | None = None


_STEPS = (
    Step("A function of the standard library", "platform:node"),
    Step("Once more, now that the way is open", "os:getpid"),
    Step(
        "A module the target does not have; it prints, and returns a namedtuple",
        f"{_TASKS}:inventory",
        ("/",),
    ),
    Step("A function that fails there", f"{_TASKS}:broken", ("settings.ini",), expected="FileNotFoundError"),
    Step("A function that takes too long", f"{_TASKS}:slow", (30.0,), timeout=_PATIENCE, expected="CallTimeout"),
    Step("The target is as good as before", "os:getpid"),
)


class _Show:
    """Tells the story on stdout."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.good = 0

    def line(self, text: str) -> None:
        self._console.result(text + "\n")

    def output(self, event: OutputEvent) -> None:
        self._console.result("".join(f"     target's {event.stream}: {line}\n" for line in event.data.splitlines()))

    def connected(self, context: ContextLike, seconds: float) -> None:
        python = python_version(context.info)
        stages = ", ".join(f"{stage} {1000 * spent:.1f}" for stage, spent in context.phases.items())
        self.line(f"Connected, Python {python} started there: {1000 * seconds:.0f} ms (ms by phase: {stages}).")

    def step(self, step: Step, context: ContextLike, settle: Callable[[], None]) -> None:
        shown = ", ".join(map(repr, step.args))
        limit = f"   with timeout={step.timeout}" if step.timeout else ""
        self.line(f"\n  {step.title}:\n     {step.call}({shown}){limit}")
        began = time.monotonic()
        ending, text = _end_of(lambda: _call(context, step))
        spent = 1000 * (time.monotonic() - began)
        settle()
        good = ending == step.expected
        self.good += good
        self.line("".join(f"     {line}\n" for line in text.splitlines()) + f"     {spent:.1f} ms")
        if not good:
            self.line(f"     NOT as it should be: expected {step.expected or 'a value'}")


def _call(context: ContextLike, step: Step) -> Any:
    options = {"timeout": step.timeout} if step.timeout else {}
    return context.options(**options).submit(step.call, *step.args).result()


def _end_of(call: Callable[[], Any]) -> tuple[str | None, str]:
    """(None, the value as text) or (the name of the error, its text)."""
    from remotesvc.bootstrap.errors import Error
    from remotesvc.bootstrap.failures.callerror import CallError

    from ..show.render import pretty
    from ..show.told import Told

    try:
        return None, f"-> {pretty(call())}"
    except Error as error:
        told = Told.of(error)
        trace = f"\n{error.render()}" if isinstance(error, CallError) else ""
        return told.type, f"!! {told.type}: {told.message}{trace}"
