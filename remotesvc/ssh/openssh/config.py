"""ssh_config as OpenSSH's own client reads it: `ssh -G`, once a host."""

from __future__ import annotations

import functools
import subprocess

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout

from ..configuration.configfile import Values
from ..configuration.localuser import has_entry
from ..configuration.options import SSHOptions


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
        done = subprocess.run(
            [program, "-G", "-T", *arguments(options), "--", options.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=max(timeout, 0.001),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConnectTimeout(
            f"ssh -G did not answer within {timeout:.0f} s",
            host=options.host,
            stage="config",
            hint="a Match exec or Include in ssh_config may hang; --ssh-config FILE names another one",
        ) from None
    except OSError as error:
        raise ConnectError(f"cannot run {program}: {error}", host=options.host, stage="config") from error
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
        done = subprocess.run(
            [program, "-G", "-T", "-F", "none", "--", "localhost"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {key: " ".join(given) for key, given in parse(done.stdout).items()}
