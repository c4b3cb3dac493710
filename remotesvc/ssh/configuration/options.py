"""What the user asked of one SSH connection, checked, before any configuration file is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import TYPE_CHECKING

from remotesvc.bootstrap.errors import UsageError

from . import hostspec

if TYPE_CHECKING:
    from remotesvc.bootstrap.data.secret import Secret

HOST_KEY_MODES = ("yes", "ask", "accept-new", "no")
"""What to do with the key of a host that no known_hosts file names: refuse, ask, note it, note it. A key that
differs from the noted one is refused in every mode."""

_WORDS = {"true": "yes", "false": "no", "off": "no"}

TRANSPORTS = ("paramiko", "openssh")
"""Who speaks SSH: this process, or the ssh program."""

CONNECT_TIMEOUT = 30.0
"""Seconds for everything from the first packet to a kernel that is ready."""

STAGE_TIMEOUT = 10.0
"""Seconds for TCP, and again for greeting and key exchange, unless ssh_config has a ConnectTimeout. The ssh program
has them for each address of a host, greeting included."""

LONGEST_TIMEOUT = 1e6
"""Seconds that stand for no limit at all: the system's own calls take little more."""

_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9]*\s*[=\s]\s*\S[^\x00-\x1f\x7f]*\Z")

Path = str | PathLike[str]

MOST_HOPS = 16
"""Jump hosts in a row. Nobody has that many; a loop that no rule catches ends there."""


@dataclass(frozen=True)
class SSHOptions:
    """One host and how to reach it. None, or an empty tuple, means: as ssh_config or the defaults say.

    `jump` are the hosts to go through, nearest first, as host strings or as options of their own; an empty tuple
    is the direct way whatever ssh_config says. A hop that is a string gets `ssh_config`, `known_hosts` and
    `host_keys` from here, all else from ssh_config.

    `known_hosts` replaces the configured files, the user's and the system's; new keys go into its first.
    `extra_options` are "Key=value" texts with ssh's `-o` meaning. `connect_timeout` is in seconds. `passphrase`
    opens the encrypted ones of the key files. `password` and `passphrase` are never part of a repr, a log or an
    error.
    """

    host: str
    user: str | None = None
    port: int | None = None
    key_filenames: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    password: Secret | None = field(default=None, repr=False, hash=False)
    passphrase: Secret | None = field(default=None, repr=False, hash=False)
    known_hosts: tuple[str, ...] | None = None
    host_keys: str | None = None
    ssh_config: str | None = None
    extra_options: tuple[str, ...] = ()
    python: str | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    jump: tuple[str | SSHOptions, ...] | None = None
    transport: str = "paramiko"

    def __post_init__(self) -> None:
        hostspec.check_host(self.host)
        if self.user is not None:
            object.__setattr__(self, "user", hostspec.check_user(self.user))
        if self.port is not None:
            hostspec.check_port(self.port)
        if self.host_keys is not None and self.host_keys not in HOST_KEY_MODES:
            raise UsageError(f"host_keys is one of {', '.join(HOST_KEY_MODES)}, not {self.host_keys!r}")
        if self.known_hosts is not None and not self.known_hosts:
            raise UsageError("known_hosts names no file; None means the configured ones")
        for option in self.extra_options:
            if not _OPTION.match(option):
                raise UsageError(f"not an ssh option (Key=value): {option!r}")
        for hop in self.jump or ():
            if not isinstance(hop, SSHOptions) and hostspec.parse(hop).kind != "ssh":
                raise UsageError(f"{hop} is not a host to jump through")
        if len(self.jump or ()) > MOST_HOPS:
            raise UsageError(f"more than {MOST_HOPS} jump hosts in a row")
        if self.transport not in TRANSPORTS:
            raise UsageError(f"transport is one of {', '.join(TRANSPORTS)}, not {self.transport!r}")
        if not self.connect_timeout > 0:
            raise UsageError(f"connect_timeout is a positive number of seconds, not {self.connect_timeout!r}")
        object.__setattr__(self, "connect_timeout", min(self.connect_timeout, LONGEST_TIMEOUT))

    def check_files(self) -> None:
        """Raises UsageError for a key or a certificate that is named and not there."""
        for what, paths in (("key", self.key_filenames), ("certificate", self.certificates)):
            for path in paths:
                if not os.path.exists(os.path.expanduser(path)):
                    raise UsageError(f"{what} file not found: {path}")

    @classmethod
    def parse(
        cls,
        host: str,
        *,
        user: str | None = None,
        port: int | None = None,
        key_filename: Path | Sequence[Path] | None = None,
        certificate: Path | Sequence[Path] | None = None,
        password: Secret | str | None = None,
        passphrase: Secret | str | None = None,
        known_hosts: Path | Sequence[Path] | None = None,
        host_keys: str | None = None,
        ssh_config: Path | None = None,
        extra_options: Iterable[str] = (),
        python: str | None = None,
        connect_timeout: float | None = None,
        jump: Jump = None,
        transport: str | None = None,
    ) -> SSHOptions:
        """Make options of what `Router.ssh` was given: `host` is a host string, paths may be one or many.

        `jump` is one host, several separated by commas, "none", or a sequence of host strings and SSHOptions.

        `user` and `port` win over the host string's own, as ssh's `-l` and `-p` do. Raises UsageError.
        """
        spec = hostspec.parse(host)
        if spec.kind != "ssh":
            raise UsageError(f"{host} is not reached over SSH; Router.connect takes any host")
        return cls(
            host=spec.host,
            user=spec.user if user is None else user,
            port=spec.port if port is None else port,
            key_filenames=_paths(key_filename) or (),
            certificates=_paths(certificate) or (),
            password=_secret(password, "password"),
            passphrase=_secret(passphrase, "passphrase"),
            known_hosts=_paths(known_hosts),
            host_keys=host_keys,
            ssh_config=None if ssh_config is None else fspath(ssh_config),
            extra_options=tuple(extra_options),
            python=python,
            connect_timeout=CONNECT_TIMEOUT if connect_timeout is None else connect_timeout,
            jump=_hops(jump),
            transport=transport or "paramiko",
        )


Jump = str | SSHOptions | Sequence[str | SSHOptions] | None


def _hops(jump: Jump) -> tuple[str | SSHOptions, ...] | None:
    """Hops, nearest first. None is what ssh_config says, "none" the direct way."""
    if jump is None:
        return None
    if isinstance(jump, SSHOptions):
        return (jump,)
    if not isinstance(jump, str):
        return tuple(jump)
    if jump.strip().lower() == "none":
        return ()
    hops = tuple(hop.strip() for hop in jump.split(","))
    if not all(hops):
        raise UsageError(f"not a list of jump hosts: {jump!r}")
    return hops


def _secret(value: Secret | str | None, what: str) -> Secret | None:
    if value is None:
        return None
    from remotesvc.bootstrap.data.secret import Secret

    secret = Secret(value) if isinstance(value, str) else value
    if not isinstance(secret, Secret) or not isinstance(secret.reveal(), str):
        raise UsageError(f"the {what} is a str, or a Secret that holds one, not a {type(value).__name__}")
    return secret


def _paths(value: Path | Sequence[Path] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, (str, PathLike)):
        return (fspath(value),)
    return tuple(fspath(path) for path in value)


def host_key_mode(word: str) -> str:
    """The mode that a StrictHostKeyChecking of ssh_config stands for. A word that ssh does not know is "yes"."""
    mode = _WORDS.get(word.lower(), word.lower())
    return mode if mode in HOST_KEY_MODES else "yes"
