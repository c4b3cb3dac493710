"""ssh_config as OpenSSH's own client reads it: `ssh -G`, once for all hosts that it does not tell apart."""

from __future__ import annotations

import functools
import subprocess
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout

from .. import programs
from .alike import Alike
from .configfile import Values
from .localuser import has_entry
from .options import SSHOptions

MOST_KNOWN = 256
"""Answers that are kept; each is 10 KiB, and a fleet needs a few."""


def arguments(options: SSHOptions) -> list[str]:
    """The options of the ssh command that say what `options` say."""
    words = []
    if options.ssh_config is not None:
        words += ["-F", options.ssh_config]
    if options.port is not None:
        words += ["-p", str(options.port)]
    if options.user is not None:
        words += ["-l", options.user]
    if options.jump == () or (options.jump and options.transport == "paramiko"):
        # Our own list of hops stands for whatever the files say of the way.
        words += ["-o", "ProxyJump=none"]
    for option in options.extra_options:
        words += ["-o", option]
    for path in options.key_filenames:
        words += ["-i", path]
    return words


def ask(program: str, options: SSHOptions, timeout: float) -> Values:
    """What ssh says of `options.host` within `timeout` seconds. Raises ConnectError and ConnectTimeout."""
    try:
        done = programs.run([program, "-G", "-T", *arguments(options), "--", options.host], timeout)
    except subprocess.TimeoutExpired:
        raise ConnectTimeout(
            "ssh -G did not answer within the time allowed",
            host=options.host,
            stage="config",
            hint="A Match exec or Include in ssh_config may hang; --ssh-config FILE names another one.",
        ) from None
    except OSError as error:
        raise ConnectError(f"cannot run {program}: {error}", host=options.host, stage="config") from error
    if done.returncode < 0:
        raise ConnectError(f"ssh -G {programs.ended(done.returncode)}", host=options.host, stage="config")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").replace("\r\n", "\n").strip()
        raise ConnectError(
            "ssh does not accept this configuration",
            host=options.host,
            stage="config",
            hint="The line named is wrong, or for a newer ssh; -F FILE reads another file, -F none no file."
            if has_entry() else "ssh runs for users of this system only; --transport paramiko does without it.",
            diagnostics=said,
        )
    return parse(done.stdout)


class Answers:
    """What ssh says of hosts, asked once for all that are alike. Thread-safe."""

    def __init__(self) -> None:
        self._alike = Alike()
        self._lock = threading.Lock()
        self._known: dict[Hashable, _Answer] = {}

    def ask(self, program: str, options: SSHOptions, timeout: float) -> Values:
        """What `ask` returns or raises; another host that is alike may have been asked for it."""
        alike = self._alike.of(program, options)
        if alike is None:
            return ask(program, options, timeout)
        key = program, *arguments(options), alike.facts
        with self._lock:
            if key not in self._known and len(self._known) >= MOST_KNOWN:
                self._known.clear()
            answer = self._known.setdefault(key, _Answer())
        started = time.monotonic()
        if not answer.asking.acquire(timeout=max(timeout, 0.001)):
            raise ConnectTimeout(
                f"ssh -G did not answer for another host within {timeout:.0f} s", options.host, "config"
            )
        try:
            if answer.values is None:
                values = ask(program, options, timeout - (time.monotonic() - started))
                if values.get("hostname") != [alike.hostname]:
                    return values  # it is not as we think: then it is asked for each
                answer.values = values
        finally:
            answer.asking.release()
        return {**answer.values, "host": [options.host], "hostname": [alike.hostname]}


@dataclass(eq=False)
class _Answer:
    """What ssh says of hosts that are alike; `values` once it has been asked, by whoever holds `asking`."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    values: Values | None = None


def parse(output: bytes) -> Values:
    """The table that `ssh -G` printed."""
    values: Values = {}
    for line in output.decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        if value:
            values.setdefault(key.lower(), []).append(value)
    return values


@functools.lru_cache(maxsize=4)
def defaults(program: str) -> dict[str, str]:
    """What this ssh says where no file says anything. Empty if it says nothing."""
    try:
        values = ask(program, SSHOptions("localhost", ssh_config="none"), 10)
    except ConnectError:
        return {}
    return {key: " ".join(given) for key, given in values.items()}
