"""How a host is reached, as far as its inventory says: Ansible's connection variables as plain data. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import UsageError
from remotesvc.ssh.configuration.hostspec import CONTAINERS, check_user
from remotesvc.ssh.configuration.options import TRANSPORTS

from .container_variables import KINDS, container_of

_SSH = {"ssh", "smart", "paramiko", "paramiko_ssh", "ansible.netcommon.paramiko", "openssh"}
_TRUE = {"true", "yes", "on", "1", "y", "t"}
DEFAULT_METHOD = "sudo"


@dataclass(frozen=True)
class Become:
    """Whether, and how, to work as another user; None where nobody says. `user` defaults to root, `method` to sudo."""

    wanted: bool | None = None
    user: str | None = None
    method: str | None = None
    password: Secret | None = field(default=None, repr=False)

    def over(self, other: Become) -> Become:
        """What this one says, and where it says nothing the other."""
        return Become(
            other.wanted if self.wanted is None else self.wanted,
            other.user if self.user is None else self.user,  # an empty name is a mistake, and nobody else's name
            self.method or other.method, self.password or other.password,
        )  # fmt: skip

    def check(self, host: str) -> None:
        """Raises UsageError for a method there is not, or what cannot be a user."""
        if not self.wanted:
            return
        from remotesvc.launch.become import METHODS  # with all that starts children

        method = METHODS.get(self.method or DEFAULT_METHOD)
        if method is None:
            raise UsageError(f"become_method of host {host} must be {' or '.join(METHODS)}, not {self.method!r}")
        if self.user is not None:
            method().check_user(self.user)


@dataclass(frozen=True)
class Connection:
    """What an inventory says of one host; None where it says nothing.

    transport is "local" or a container engine (None: ssh), and options are the engine's. ssh_options are "Key=value"
    texts with the meaning of ssh's `-o`. Passwords are in no repr.
    """

    address: str | None = None
    port: int | None = None
    user: str | None = None
    private_key: str | None = None
    python: str | None = None
    transport: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    jump: str | None = None
    ssh_transport: str | None = None
    """Who speaks SSH: "paramiko" or "openssh"."""
    ssh_config: str | None = None
    ssh_options: tuple[str, ...] = ()
    password: Secret | None = field(default=None, repr=False)
    become: Become = Become()

    @classmethod
    def of(cls, host: str, variables: Mapping[str, Any]) -> Connection:
        """What the variables of a host say. Raises UsageError that names host and variable."""
        read = _Reader(host, variables)
        jump, config, ssh_options = _ssh_arguments(read)
        transport = _transport(read)
        container, options = container_of(transport, read) if transport in CONTAINERS else (None, {})
        return cls(
            address=container or read.text("ansible_host", "ansible_ssh_host"),
            port=read.port("ansible_port", "ansible_ssh_port"),
            user=(read.user if transport is None else read.text)("ansible_user", "ansible_ssh_user"),
            private_key=read.text("ansible_ssh_private_key_file", "ansible_private_key_file"),
            python=_python(read),
            transport=transport,
            options=options,
            jump=read.text("remotesvc_jump") or jump,
            ssh_transport=_ssh_transport(read),
            ssh_config=config,
            ssh_options=ssh_options,
            password=read.secret("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
            become=Become(
                read.flag("ansible_become"), read.text("ansible_become_user"), read.text("ansible_become_method"),
                read.secret("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
            ),
        )


class WrongVariable(UsageError):
    """A variable of a host cannot be what it is. `shown` is what of its value may be shown, perhaps nothing."""

    def __init__(self, message: str, variable: str, shown: str) -> None:
        super().__init__(message)
        self.variable = variable
        self.shown = shown


class _Reader:
    """The variables of one host, by any of their names; says which one is wrong."""

    def __init__(self, host: str, variables: Mapping[str, Any]) -> None:
        self._host = host
        self._variables = variables

    def wrong(self, name: str, expected: str, shown: str = "") -> UsageError:
        tail = f", not {shown}" if shown else ""
        return WrongVariable(f"{name} of host {self._host} must be {expected}{tail}", name, shown.strip("'\""))

    def names(self) -> Iterable[str]:
        return self._variables

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            value = self._variables.get(name)
            if value is not None:
                if isinstance(value, str) and ("{{" in value or "{%" in value):
                    # Of its value, which may be a password, only that is looked for.
                    raise WrongVariable(
                        f"{name} of host {self._host} must be a plain value; templates are Ansible's own",
                        name, "{{" if "{{" in value else "{%",
                    )  # fmt: skip
                return name, value
        return names[0], None

    def text(self, *names: str) -> str | None:
        name, value = self._find(names)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self.wrong(name, "text", type(value).__name__)
        return str(value)

    def user(self, *names: str) -> str | None:
        value = self.text(*names)
        if value is not None:
            try:
                check_user(value)
            except UsageError as error:
                name, _ = self._find(names)
                raise WrongVariable(f"{name} of host {self._host}: {error}", name, value) from None
        return value

    def secret(self, *names: str) -> Secret | None:
        name, value = self._find(names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self.wrong(name, "text")  # never quoted: it is somebody's password
        return Secret(str(value))

    def port(self, *names: str) -> int | None:
        name, value = self._find(names)
        if value is None or value == "":
            return None
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = 0
        if isinstance(value, bool) or not 1 <= number <= 65535:
            raise self.wrong(name, "a TCP port", repr(value)[:80])
        return number

    def flag(self, *names: str) -> bool | None:
        _, value = self._find(names)
        return None if value is None else str(value).lower() in _TRUE


def _python(read: _Reader) -> str | None:
    value = read.text("ansible_python_interpreter")
    # Ansible's words for finding one, which is what we do anyway.
    return None if value is None or value.startswith("auto") else value


def _transport(read: _Reader) -> str | None:
    value = read.text("ansible_connection")
    if value is None or value in _SSH:
        return None
    value = KINDS.get(value, value)
    if value in ("local", *CONTAINERS):
        return value
    kinds = f"ssh, local, {', '.join(CONTAINERS[:-1])} or {CONTAINERS[-1]}"
    raise read.wrong("ansible_connection", kinds, repr(value)[:80])


def _ssh_transport(read: _Reader) -> str | None:
    value = read.text("remotesvc_transport")
    if value is None and read.text("ansible_connection") == "openssh":
        return "openssh"
    if value is None or value in TRANSPORTS:
        return value
    raise read.wrong("remotesvc_transport", " or ".join(TRANSPORTS), repr(value)[:80])


def _ssh_arguments(read: _Reader) -> tuple[str | None, str | None, tuple[str, ...]]:
    """(jump, ssh_config, options) of the arguments for `ssh` that Ansible's users keep in variables."""
    jump, config, options = None, None, []
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"):
        try:
            words = iter(shlex.split(read.text(name) or ""))
        except ValueError as error:
            raise read.wrong(name, f"arguments of ssh ({error})") from None
        for word in words:
            letter, rest = word[:2], word[2:]
            if letter not in ("-o", "-J", "-F", "-C"):
                raise read.wrong(name, "made of -o, -J, -F and -C", repr(word)[:80])
            if letter == "-C":
                options.append("Compression=yes")
                continue
            value = rest or next(words, "")
            if not value:
                raise read.wrong(name, f"complete: there is nothing behind {letter}")
            if letter == "-o":
                options.append(value)
            elif letter == "-J":
                jump = value
            else:
                config = value
    return jump, config, tuple(options)
