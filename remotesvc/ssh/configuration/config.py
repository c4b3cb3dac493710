"""From what the user asked and what ssh_config says to everything a connection needs to know.

OpenSSH itself is asked (`ssh -G`) where it is installed, so `Include`, `Match` and every rule of precedence
work as the user knows them. Elsewhere `configfile` reads the same files. What would change the meaning of a
connection and cannot be honoured is an error, never ignored: `keywords` has the tables.
"""

from __future__ import annotations

import fnmatch
import getpass
import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError

from ..hostkeys import algorithms, known_hosts_command
from ..openssh import config as openssh_config
from . import hostspec, keywords
from .configfile import SYSTEM_CONFIG, USER_CONFIG, Reader, Unreadable, Values
from .options import CONNECT_TIMEOUT, HOST_KEY_MODES, SSHOptions
from .tokens import expand, expand_command, number

USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
IDENTITY_FILES = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")

PREFERRED_AUTHENTICATIONS = ("publickey", "keyboard-interactive", "password")
"""The order in which they are tried: OpenSSH's, without those that need its own binary."""

OTHER_TRANSPORT = "--transport openssh (transport=\"openssh\") leaves the connection to the ssh program."


@dataclass(frozen=True)
class ResolvedHost:
    """Where and how to connect. In all paths and commands ~ and tokens are expanded."""

    name: str
    """As the user wrote it: the word for errors and output."""
    hostname: str
    port: int
    user: str
    options: SSHOptions
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None
    """Path of the agent's socket; None means no agent."""
    public_keys: bool = True
    passwords: bool = True
    keyboard_interactive: bool = True
    preferred_authentications: tuple[str, ...] = PREFERRED_AUTHENTICATIONS
    password_prompts: int = 3
    batch_mode: bool = False
    """Nobody may be asked anything."""
    user_known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    revoked_host_keys: str | None = None
    """A file of keys that no host may show."""
    known_hosts_command: tuple[str, ...] = ()
    """A program that names more keys, with the tokens that are known only when it is run."""
    host_key_alias: str | None = None
    hash_known_hosts: bool = False
    strict: str = "yes"
    """One of `options.HOST_KEY_MODES`."""
    ciphers: tuple[str, ...] = algorithms.CIPHERS
    macs: tuple[str, ...] = algorithms.MACS
    kex_algorithms: tuple[str, ...] = algorithms.KEY_EXCHANGES
    host_key_algorithms: tuple[str, ...] = algorithms.CERTIFICATES + algorithms.SIGNATURES
    public_key_algorithms: tuple[str, ...] = algorithms.USER_KEYS
    ca_signature_algorithms: tuple[str, ...] = algorithms.SIGNATURES
    required_rsa_size: int = 1024
    """Bits of the smallest RSA key that counts."""
    address_family: str = "any"
    """"any", "inet" or "inet6"."""
    bind_address: str | None = None
    bind_interface: str | None = None
    connect_timeout: float | None = None
    """Seconds for TCP, and again for the key exchange; None means the default."""
    connection_attempts: int = 1
    alive_interval: float | None = None
    """Seconds of silence after which the target is asked for a sign of life; None means the default."""
    alive_count: int = 3
    """How many such questions may go unanswered."""
    compression: bool = False
    rekey_bytes: int = 0
    """Bytes after which keys are exchanged anew; 0 means paramiko's own limit."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables to set for the program, if the server lets us."""
    jump: SSHOptions | None = None
    """The host to go through; its own options name those in front of it."""
    proxy_command: str | None = None
    """A line for the shell: the connection is that program's input and output."""

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}" + (f":{self.port}" if self.port != 22 else "")


def resolve(options: SSHOptions, timeout: float = 10.0) -> ResolvedHost:
    """Find out all about `options.host`; runs `ssh -G` for at most `timeout` seconds.

    Raises UsageError (a key file that is not there), ConnectError (stage "config") and ConnectTimeout.
    """
    for what, paths in (("key", options.key_filenames), ("certificate", options.certificates)):
        for path in paths:
            if not os.path.exists(os.path.expanduser(path)):
                raise UsageError(f"{what} file not found: {path}")
    program = shutil.which("ssh")
    try:
        values = openssh_config.ask(program, options, timeout) if program else _read_files(options)
        _check(values, options, program)
        return _build(values, options)
    except UsageError as error:
        raise _error(options, f"ssh_config does not make sense: {error}") from error
    except Unreadable as error:
        raise _error(options, str(error), OTHER_TRANSPORT if "needs OpenSSH" not in str(error) else "") from error


def _read_files(options: SSHOptions) -> Values:
    """The same table, for machines without OpenSSH's client."""
    reader = Reader(options.host, options.user)
    if options.jump is not None:
        reader.options(["ProxyJump=none"])
    if options.key_filenames:
        reader.values["identityfile"] = list(options.key_filenames)
    reader.options(options.extra_options)
    given = options.ssh_config
    if given is None:
        for name, base in ((USER_CONFIG, os.path.expanduser("~/.ssh")), (SYSTEM_CONFIG, "/etc/ssh")):
            if os.path.exists(os.path.expanduser(name)):
                reader.file(name, base)
    elif given != "none":
        reader.file(given, os.path.expanduser("~/.ssh"))
    return reader.values


def _check(values: Values, options: SSHOptions, program: str | None) -> None:
    def default_of(key: str) -> str | None:
        return openssh_config.defaults(program).get(key) if program else None

    problems = keywords.unsupported(values, default_of)
    if problems:
        raise _error(options, f"ssh_config asks for what is not supported here: {'; '.join(problems)}", OTHER_TRANSPORT)


def _build(values: Values, options: SSHOptions) -> ResolvedHost:
    def one(key: str, default: str = "") -> str:
        found = values.get(key)
        return found[0] if found and found[0].lower() != "none" else default

    def yes(key: str, default: bool = False) -> bool:
        found = one(key)
        return found.lower() in ("yes", "true") if found else default

    def names(key: str) -> tuple[str, ...]:
        return tuple(filter(None, one(key).split(",")))

    def allowed(key: str) -> tuple[str, ...]:
        # Only OpenSSH knows what its own list is that such a value changes.
        if one(key)[:1] in ("+", "-", "^"):
            raise Unreadable(f"{key} {one(key)} needs OpenSSH's client, ssh, installed here")
        left = algorithms.left_of(key, names(key))
        if not left:
            raise Unreadable(f"{key} {one(key)} leaves none that is supported here")
        return left

    hostname = hostspec.check_host(one("hostname", options.host).replace("%h", options.host))
    user = hostspec.check_user(options.user or one("user") or getpass.getuser())
    port = hostspec.check_port(options.port or number(one("port", "22")))
    alias = one("hostkeyalias") or None
    tokens = {
        "%": "%",
        "d": os.path.expanduser("~"),
        "h": hostname,
        "i": str(os.getuid()),
        "k": alias or options.host,
        "L": socket.gethostname().partition(".")[0],
        "l": socket.gethostname(),
        "n": options.host,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }

    def files(key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        if key not in values:
            found = list(default)
        elif key in ("identityfile", "certificatefile"):
            found = values[key]
        else:
            found = values[key][0].split()
        return tuple(dict.fromkeys(expand(name, tokens) for name in found if name.lower() != "none"))

    given = options.known_hosts
    batch_mode = yes("batchmode")
    strict = options.host_keys or _strict(one("stricthostkeychecking", "ask").lower())
    timeout, interval = one("connecttimeout"), number(one("serveraliveinterval", "0"))
    jump = _last_hop(options, one("proxyjump"))
    command = one("proxycommand") if options.jump is None and jump is None else ""
    return ResolvedHost(
        name=options.host,
        hostname=hostname,
        port=port,
        user=user,
        options=options,
        identity_files=files("identityfile", IDENTITY_FILES),
        identities_only=yes("identitiesonly"),
        identity_agent=_agent(values, tokens),
        certificate_files=tuple(
            dict.fromkeys([*map(os.path.expanduser, options.certificates), *files("certificatefile", ())])
        ),
        public_keys=yes("pubkeyauthentication", True) or bool(options.key_filenames),
        passwords=yes("passwordauthentication", True),
        keyboard_interactive=yes("kbdinteractiveauthentication", True),
        preferred_authentications=names("preferredauthentications") or PREFERRED_AUTHENTICATIONS,
        password_prompts=number(one("numberofpasswordprompts", "3")),
        batch_mode=batch_mode,
        user_known_hosts=files("userknownhostsfile", USER_KNOWN_HOSTS)
        if given is None
        else tuple(os.path.expanduser(path) for path in given),
        global_known_hosts=files("globalknownhostsfile", GLOBAL_KNOWN_HOSTS) if given is None else (),
        revoked_host_keys=next(iter(files("revokedhostkeys", ())), None),
        known_hosts_command=known_hosts_command.words_of(one("knownhostscommand"), tokens)
        if one("knownhostscommand")
        else (),
        host_key_alias=alias,
        hash_known_hosts=yes("hashknownhosts"),
        strict="yes" if strict == "ask" and batch_mode else strict,
        ciphers=allowed("ciphers"),
        macs=allowed("macs"),
        kex_algorithms=allowed("kexalgorithms"),
        host_key_algorithms=allowed("hostkeyalgorithms"),
        public_key_algorithms=allowed("pubkeyacceptedalgorithms"),
        ca_signature_algorithms=allowed("casignaturealgorithms"),
        required_rsa_size=number(one("requiredrsasize", "1024")),
        address_family=_family(one("addressfamily", "any").lower()),
        bind_address=one("bindaddress") or None,
        bind_interface=one("bindinterface") or None,
        connect_timeout=float(number(timeout)) if timeout and number(timeout) else None,
        connection_attempts=max(number(one("connectionattempts", "1")), 1),
        alive_interval=float(interval) if interval else None,
        alive_count=max(number(one("serveralivecountmax", "3")), 1),
        compression=yes("compression"),
        rekey_bytes=keywords.rekey_bytes(one("rekeylimit", "0")) or 0,
        environment=_environment(values, os.environ),
        jump=jump,
        proxy_command=expand_command(command, tokens) if command else None,
    )


def _last_hop(options: SSHOptions, configured: str) -> SSHOptions | None:
    """The host in front of this one, which knows of those in front of it; None if we go there directly.

    As with ssh, flags for keys and -o are the last host's alone: a hop is looked up in ssh_config by its own
    name, and the first of several there also by its own ProxyJump.
    """
    hops = options.jump if options.jump is not None else tuple(filter(None, configured.split(",")))
    if not hops:
        return None
    last, before = hops[-1], tuple(hops[:-1])
    if isinstance(last, SSHOptions):
        return replace(last, jump=before) if before else last
    # ssh -G also puts IPv4 addresses into brackets.
    spec = hostspec.parse(re.sub(r"\[([0-9.]+)\]", r"\1", last.strip()))
    if spec.kind != "ssh":
        raise UsageError(f"{last} is not a host to jump through")
    return SSHOptions(
        host=spec.host,
        user=spec.user,
        port=spec.port,
        jump=before or None,
        known_hosts=options.known_hosts,
        host_keys=options.host_keys,
        ssh_config=options.ssh_config,
        connect_timeout=CONNECT_TIMEOUT,
    )


def _environment(values: Values, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What SendEnv and SetEnv come to."""
    chosen: dict[str, str] = {}
    for pattern in values.get("sendenv", ()):
        chosen.update((name, text) for name, text in environment.items() if fnmatch.fnmatchcase(name, pattern))
    for setting in values.get("setenv", ()):
        name, equals, text = setting.partition("=")
        if equals:
            chosen[name] = text
    return tuple(sorted(chosen.items()))


def _agent(values: Values, tokens: dict[str, str]) -> str | None:
    where = values.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    if where == "none":
        return None
    if where == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if where.startswith("$") and not where.startswith("${"):
        return os.environ.get(where[1:]) or None
    return expand(where, tokens)


def _strict(value: str) -> str:
    """What is none of the words ssh knows is read as the strictest of them."""
    mode = {"true": "yes", "false": "no", "off": "no"}.get(value, value)
    return mode if mode in HOST_KEY_MODES else "yes"


def _family(value: str) -> str:
    if value not in ("any", "inet", "inet6"):
        raise UsageError(f"not an address family: {value!r}")
    return value


def _error(options: SSHOptions, message: str, hint: str = "") -> ConnectError:
    return ConnectError(message, host=options.host, stage="config", hint=hint)
