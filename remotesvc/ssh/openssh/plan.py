"""Pure: from options, and what `ssh -G` says of a host, to the command line of `ssh`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError

from ..configuration import hostspec
from ..configuration.configfile import Values, read_files
from ..configuration.hostspec import HostSpec
from ..configuration.localuser import local_user
from ..configuration.options import STAGE_TIMEOUT, SSHOptions, host_key_mode
from ..configuration.settings import Settings, several
from ..hostkeys import host_names
from ..hostkeys.known_hosts import KnownHosts

GCM = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Ciphers that are several times as fast as the one OpenSSH likes best."""

# Options that would keep ssh from being a plain pipe to one program, with the value that does not. The oldest ssh that
# we meet does not know them, so they are given only where `ssh -G` does.
_PLAIN = {"RemoteCommand": "none", "SessionType": "default", "ForkAfterAuthentication": "no", "StdinNull": "no"}


@dataclass(frozen=True)
class OpenSSHHost:
    """What ssh will do for a host, as far as we have to know."""

    name: str
    """As the user wrote it: the word for errors and output."""
    hostname: str
    port: int
    user: str
    alias: str | None
    jump: HostSpec | None
    """The last host on the way."""
    proxy_command: str | None
    strict: str
    """StrictHostKeyChecking as it is passed on: "yes", "ask" or "accept-new"."""
    known_hosts: tuple[str, ...]
    alive_interval: float | None
    alive_count: int
    agent: str = ""
    """The socket of the ssh-agent; empty if there is none."""
    control_path: str = ""
    """The socket of a master that may be there; empty if none is asked."""

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}" + (f":{self.port}" if self.port != 22 else "")

    @property
    def direct(self) -> bool:
        """Is nothing between us and the host?"""
        return self.jump is None and self.proxy_command is None

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called in known_hosts files."""
        return host_names.names_of(self.hostname, self.port, self.alias)


def describe(options: SSHOptions, values: Values) -> OpenSSHHost:
    """Make sense of what `ssh -G` printed. Raises UsageError."""
    said = Settings(values, True)
    hostname = hostspec.check_host(said.text("hostname", options.host))
    port = hostspec.check_port(said.number("port", 22))
    user = hostspec.check_user(said.text("user") or local_user())
    alias = said.text("hostkeyalias") or None
    if options.jump:
        jump = _last(str(options.jump[-1]))
    else:
        jump = _last(said.text("proxyjump").rpartition(",")[2]) if options.jump is None else None
    command = said.text("proxycommand") or None
    files = options.known_hosts or _files(options, values)
    mode = options.host_keys or host_key_mode(said.text("stricthostkeychecking", "ask"))
    return OpenSSHHost(
        name=options.host, hostname=hostname, port=port, user=user, alias=alias, jump=jump,
        proxy_command=command if options.jump is None and jump is None else None,
        # "no" would let a changed key pass, which nothing here does.
        strict="accept-new" if mode == "no" else mode,
        known_hosts=tuple(os.path.expanduser(file) for file in files),
        alive_interval=said.seconds("serveraliveinterval"), alive_count=said.number("serveralivecountmax", 3),
        agent=_agent(values), control_path=said.text("controlpath"),
    )


def stricter(host: OpenSSHHost, known: KnownHosts) -> str:
    """The mode for ssh: a host that is known by any key is never new, whatever type of key it shows today."""
    return "yes" if any(not entry.marker for entry in known.named(host.names[0])) else host.strict


def marks_questions(values: Values) -> bool:
    """Does this ssh put "(user@host)" in front of what a server asks? From 8.5 on, which gave this keyword its name."""
    return "pubkeyacceptedalgorithms" in values


def command_line(
    program: str, options: SSHOptions, values: Values, strict: str, log: str, asks: bool, command: str
) -> list[str]:
    """The arguments of `ssh`, which run `command` there with nothing but pipes. They hold no secret.

    `strict` is the mode for host keys (see `stricter`), `log` the file for ssh's messages, `asks` whether there is
    somebody, or a secret, to answer questions. Raises UsageError for what this transport cannot take.
    """

    def value(key: str) -> str:
        return values.get(key, ["none"])[0].lower()

    words = [program, "-T", "-x", "-a", "-E", log]
    ours = {
        "LogLevel": "DEBUG1",  # how far it came
        "ClearAllForwardings": "yes",
        "EscapeChar": "none",
        "PermitLocalCommand": "no",
        "Tunnel": "no",
        "StrictHostKeyChecking": strict,
    }
    for key, plain in _PLAIN.items():
        if key.lower() in values and value(key.lower()) != plain:
            ours[key] = plain
    if value("controlmaster") not in ("none", "no", "false") and value("controlpersist") in ("none", "no", "false"):
        # This process must not become the master of other connections of the user: it could not end before they do. A
        # master that is there already is used.
        ours["ControlMaster"] = "no"
    if options.known_hosts is not None:
        ours["UserKnownHostsFile"] = " ".join(_quoted(path) for path in options.known_hosts)
        ours["GlobalKnownHostsFile"] = "/dev/null"
    if value("connecttimeout") in ("none", "0"):
        ours["ConnectTimeout"] = str(max(1, round(min(STAGE_TIMEOUT, options.connect_timeout))))
    if not asks:
        ours["BatchMode"] = "yes"
    elif options.password is not None or options.passphrase is not None:
        ours["BatchMode"] = "no"  # which would not let us answer, either
    if options.password is not None:
        ours["NumberOfPasswordPrompts"] = "1"
    ciphers = value("ciphers")
    if ciphers.startswith("chacha20"):  # nobody has chosen
        ours["Ciphers"] = ",".join([*GCM, *(name for name in ciphers.split(",") if name not in GCM)])
    if options.jump == ():
        ours.update(ProxyJump="none", ProxyCommand="none")
    for key, setting in ours.items():
        words += ["-o", f"{key}={setting}"]
    for path in options.certificates:
        words += ["-o", f"CertificateFile={_quoted(path)}"]
    for option in options.extra_options:
        words += ["-o", option]
    if options.ssh_config is not None:
        words += ["-F", options.ssh_config]
    if options.jump:
        words += ["-J", ",".join(map(_hop, options.jump))]
    if options.port is not None:
        words += ["-p", str(options.port)]
    if options.user is not None:
        words += ["-l", options.user]
    for path in options.key_filenames:
        # -i is for a name that is looked for as it stands, with a % that is doubled, too.
        words += ["-o", f"IdentityFile={_quoted(path)}"] if "%" in path else ["-i", _plain(path)]
    return [*words, "--", options.host, command]


def _agent(values: Values) -> str:
    where = values.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    if where == "SSH_AUTH_SOCK" or (where.startswith("$") and not where.startswith("${")):
        return os.environ.get(where.removeprefix("$"), "")
    return "" if where.lower() == "none" else os.path.expanduser(where)


def _hop(hop: str | SSHOptions) -> str:
    if isinstance(hop, SSHOptions):
        if hop != SSHOptions(host=hop.host, user=hop.user, port=hop.port):
            raise UsageError(f"the openssh transport takes jump hosts by name: put the options of {hop.host} into "
                             "ssh_config, or use the paramiko transport")
        spec = HostSpec(hop.user, hop.host, hop.port)
    else:
        spec = hostspec.parse(hop)
    if spec.user is not None and "\\" in spec.user:  # ssh starts another one, by a shell
        raise UsageError(f"ssh -J loses the backslash of {spec.user}: make it the User of {spec.host} in ssh_config, or"
                         " use the paramiko transport")
    return str(spec)


def _last(text: str) -> HostSpec | None:
    if not text:
        return None
    try:
        return hostspec.parse(text)
    except UsageError:  # ssh knows better
        return HostSpec(None, text, None)


def _files(options: SSHOptions, values: Values) -> list[str]:
    keys = ("userknownhostsfile", "globalknownhostsfile")
    return [path for key in keys for path in several(key, values.get(key, ["none"])[0], lambda: read_files(options))]


def _plain(path: str) -> str:
    """A path that ssh takes as it is."""
    if "${" in path:
        raise UsageError(f"ssh would take {path!r} for a variable's value")
    return os.path.expanduser(path).replace("%", "%%")


def _quoted(path: str) -> str:
    """A path as one word of an option's value."""
    if '"' in path or "\\" in path:
        raise UsageError(f"ssh cannot be told a path with quotes or backslashes: {path!r}")
    return f'"{_plain(path)}"'
