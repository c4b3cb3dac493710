"""One host from the first look at ssh_config to the answer of a call: each step, its time, and where it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import indent
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost, OutcomeError
from remotesvc.bootstrap.unreachable import ConnectError, headline, with_diagnostics

from .hosts import ContextLike, RouterLike, open_context, peer_of, python_version
from .settings import Settings
from .show.told import Told

if TYPE_CHECKING:
    from remotesvc.fleet.member import Member

STEPS = ("config", "jump", "tcp", "kex", "hostkey", "auth", "open", "exec", "boot", "call")
"""In the order in which they are taken; "jump" only where there is a jump host."""

_LOCAL = ("exec", "boot", "call")

# For errors that bring no advice of their own.
_REMEDIES = {
    "config": "See what `ssh -G HOST` makes of your ssh_config; -F none leaves it out.",
    "jump": "Try the jump host by itself: remotesvc doctor JUMPHOST.",
    "tcp": "Is that the host's name and port? Does `ssh HOST` get any further?",
    "kex": "Is it an SSH server, and a recent one? `ssh -v HOST` shows what the two agree on.",
    "hostkey": "Compare the fingerprint with one that you trust, then add the key to known_hosts.",
    "auth": "Name a key with --private-key, load it into ssh-agent, or give a password with -k.",
    "open": "The server's sshd_config limits sessions: MaxSessions, or a key that may only forward.",
    "exec": "The account may not run programs: look at its shell, ForceCommand and authorized_keys.",
    "boot": "Log in with `ssh HOST` and run python3 there; --python PATH names another one.",
    "call": "Python came up and then failed a simple call; the host may be out of memory or processes.",
}


@dataclass(frozen=True)
class Step:
    """One step: its name, how it ended ("ok", "failed" or "not reached"), seconds, and what was learnt."""

    name: str
    state: str
    seconds: float = 0.0
    found: str = ""


@dataclass
class Checkup:
    """What came of one host. `problem` and `remedy` are empty if all went well."""

    host: str
    steps: list[Step] = field(default_factory=list)
    problem: str = ""
    remedy: str = ""

    @property
    def failed(self) -> str:
        """The name of the step that failed; "" if none did."""
        return next((step.name for step in self.steps if step.state == "failed"), "")

    @property
    def status(self) -> str:
        """"ok", "failed", or "not_run" for a host that was not examined to its end."""
        return "failed" if self.problem or self.failed else "ok" if self.steps else "not_run"

    def as_json(self) -> dict[str, Any]:
        """Plain data, times in milliseconds."""
        steps = [
            {"step": step.name, "state": step.state, "ms": round(1000 * step.seconds, 3), "found": step.found}
            for step in self.steps
        ]
        failed = self.failed or None
        return {
            "host": self.host, "status": self.status, "failed": failed, "problem": self.problem, "remedy": self.remedy,
            "steps": steps,
        }  # fmt: skip


def examine(router: RouterLike, host: Member, settings: Settings) -> Checkup:
    """Take every step towards a host until one fails. Raises UsageError."""
    begun = time.monotonic()
    context: ContextLike | None = None
    phases: Mapping[str, float] = {}
    found: dict[str, str] = {}
    try:
        context = open_context(router, host, settings)
        phases = context.phases
        found.update(_of_connection(context))
        info = context.info
        found["boot"] = f"Python {python_version(info)}, {info.get('executable')}, on {info.get('hostname')}"
        called = time.monotonic()
        pid = context.options(timeout=settings.timeout or settings.connect_timeout or 30.0).submit("os:getpid").result()
        spent = time.monotonic() - called
        found["call"] = f"process {pid}, round trip {1000 * context.ping():.2f} ms"
    except (ConnectError, OutcomeError) as error:
        stage = error.stage if isinstance(error, ConnectError) else "call" if "boot" in phases else "boot"
        passed = dict(phases) or (error.phases if isinstance(error, ConnectError) else {})
        seconds = passed.get(stage, time.monotonic() - begun - sum(passed.values()))
        remedy = (error.hint if isinstance(error, ConnectError) else "") or _REMEDIES.get(stage, "")
        return Checkup(host.text, _steps(host, passed, found, (stage, seconds)), _problem(error), remedy)
    return Checkup(host.text, _steps(host, {**phases, "call": spent}, found, None))


def _steps(
    host: Member, passed: Mapping[str, float], found: Mapping[str, str], failed: tuple[str, float] | None
) -> list[Step]:
    steps = []
    over = False
    for name in STEPS if host.spec.kind == "ssh" else _LOCAL:
        if failed is not None and name == failed[0]:
            steps.append(Step(name, "failed", max(failed[1], 0.0)))
            over = True
        elif over:
            if name != "jump":
                steps.append(Step(name, "not reached"))
        elif name in passed:
            steps.append(Step(name, "ok", passed[name], found.get(name, "")))
    return steps


def _problem(error: ConnectError | OutcomeError) -> str:
    """The error's own text without its advice, which stands by itself; marked, what the target said."""
    if not isinstance(error, (ConnectError, Lost)):
        return str(error)
    text, said = with_diagnostics(headline(error), ""), with_diagnostics("", error.diagnostics)
    return f"{text}\n{Told.of(error).speaker} said:\n{indent(said, '  ')}" if said else text


def _of_connection(context: ContextLike) -> dict[str, str]:
    """What was learnt on the way, by step. Empty for a process of this machine."""
    peer = peer_of(context)
    if peer is None:
        return {}
    host = peer.host
    found = {
        "config": str(host),
        "tcp": f"by the command {host.proxy_command}" if host.proxy_command else "",
        "kex": peer.version,
        "hostkey": f"{peer.host_key_type} {peer.fingerprint}",
        "auth": f"as {host.user}",
    }
    if host.jump is not None:
        found["jump"] = f"through {host.jump.host}"
    return found
