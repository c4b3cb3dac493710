"""From what the user asked and what ssh_config says to everything a connection needs to know.

OpenSSH itself is asked (`ssh -G`) where it is installed, so `Include`, `Match` and every rule of precedence
work as the user knows them. Elsewhere `configfile` reads the same files. What would change the meaning of a
connection and cannot be honoured is an error, never ignored: `keywords` has the tables.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import socket
from collections.abc import Mapping

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError

from ..hostkeys import known_hosts_command
from . import hostspec, keywords, ssh_says
from .configfile import Unreadable, Values, read_files
from .hops import last_hop
from .localuser import has_entry, local_user, tilde
from .options import SSHOptions, host_key_mode
from .resolved import OTHER_TRANSPORT, PREFERRED_AUTHENTICATIONS, ResolvedHost
from .settings import Settings
from .tokens import expand_command

IDENTITY_FILES = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")


def resolve(
    options: SSHOptions, timeout: float = 10.0, answers: ssh_says.Answers | None = None
) -> ResolvedHost:
    """Find out all about `options.host`; runs `ssh -G` for at most `timeout` seconds, unless `answers` knows.

    Raises UsageError (a key file that is not there), ConnectError (stage "config") and ConnectTimeout.
    """
    options.check_files()
    program = shutil.which("ssh") if has_entry() else None
    try:
        ask = ssh_says.ask if answers is None else answers.ask
        values = ask(program, options, timeout) if program else read_files(options)
        _check(values, options, program)
        return _build(Settings(values, program is not None, lambda: read_files(options)), options)
    except UsageError as error:
        raise _error(options, f"ssh_config does not make sense: {error}") from error
    except Unreadable as error:
        raise _error(options, str(error), OTHER_TRANSPORT if "needs OpenSSH" not in str(error) else "") from error


def _check(values: Values, options: SSHOptions, program: str | None) -> None:
    def default_of(key: str) -> str | None:
        return ssh_says.defaults(program).get(key) if program else None

    problems = keywords.unsupported(values, default_of)
    if problems:
        raise _error(options, f"ssh_config asks for what is not supported here: {'; '.join(problems)}", OTHER_TRANSPORT)


def _build(settings: Settings, options: SSHOptions) -> ResolvedHost:
    hostname = hostspec.check_host(settings.text("hostname", options.host).replace("%h", options.host).lower())
    user = hostspec.check_user(options.user or settings.text("user") or local_user())
    port = hostspec.check_port(options.port or settings.number("port", 22))
    alias = settings.text("hostkeyalias") or None
    tokens = _tokens(options.host, hostname, port, user, alias)
    jump = last_hop(options, expand_command("ProxyJump", settings.text("proxyjump"), tokens))
    tokens.update(_way_tokens(tokens, jump))
    given = options.known_hosts
    if given is None:
        user_known_hosts = settings.known_hosts("userknownhostsfile", tokens)
        global_known_hosts = settings.known_hosts("globalknownhostsfile", tokens)
    else:
        user_known_hosts, global_known_hosts = tuple(os.path.expanduser(path) for path in given), ()
    certificates = (
        *map(os.path.expanduser, options.certificates), *settings.files("certificatefile", (), tokens)
    )
    keys_command = settings.text("knownhostscommand")
    batch_mode = settings.yes("batchmode")
    strict = options.host_keys or host_key_mode(settings.text("stricthostkeychecking", "ask"))
    command = settings.text("proxycommand") if options.jump is None and jump is None else ""
    return ResolvedHost(
        name=options.host,
        hostname=hostname,
        port=port,
        user=user,
        options=options,
        identity_files=settings.files("identityfile", IDENTITY_FILES, tokens, options.key_filenames),
        certificate_files=tuple(dict.fromkeys(certificates)),
        identities_only=settings.yes("identitiesonly"),
        identity_agent=_agent(settings, tokens),
        # It has more values than yes and no, all of which switch it on.
        public_keys=settings.text("pubkeyauthentication").lower() not in ("no", "false") or bool(options.key_filenames),
        passwords=settings.yes("passwordauthentication", True),
        keyboard_interactive=settings.yes("kbdinteractiveauthentication", True),
        preferred_authentications=settings.names("preferredauthentications") or PREFERRED_AUTHENTICATIONS,
        password_prompts=settings.number("numberofpasswordprompts", 3),
        batch_mode=batch_mode,
        user_known_hosts=user_known_hosts,
        global_known_hosts=global_known_hosts,
        revoked_host_keys=next(iter(settings.files("revokedhostkeys", (), tokens)), None),
        known_hosts_command=known_hosts_command.words_of(keys_command, tokens) if keys_command else (),
        host_key_alias=alias,
        hash_known_hosts=settings.yes("hashknownhosts"),
        strict="yes" if strict == "ask" and batch_mode else strict,
        ciphers=settings.algorithms("ciphers"),
        macs=settings.algorithms("macs"),
        kex_algorithms=settings.algorithms("kexalgorithms"),
        host_key_algorithms=settings.algorithms("hostkeyalgorithms"),
        public_key_algorithms=settings.algorithms("pubkeyacceptedalgorithms"),
        ca_signature_algorithms=settings.algorithms("casignaturealgorithms"),
        required_rsa_size=settings.number("requiredrsasize", 1024),
        address_family=_family(settings.text("addressfamily", "any").lower()),
        bind_address=settings.text("bindaddress") or None,
        bind_interface=settings.text("bindinterface") or None,
        connect_timeout=settings.seconds("connecttimeout"),
        connection_attempts=max(settings.number("connectionattempts", 1), 1),
        alive_interval=settings.seconds("serveraliveinterval"),
        alive_count=max(settings.number("serveralivecountmax", 3), 1),
        compression=settings.yes("compression"),
        rekey_limit=keywords.rekey_limit(settings.text("rekeylimit", "0")) or (0, 0),
        environment=_environment(settings, os.environ),
        jump=jump,
        proxy_command=expand_command("ProxyCommand", command, tokens) if command else None,
    )


def _tokens(name: str, hostname: str, port: int, user: str, alias: str | None) -> dict[str, str]:
    """What the %-tokens of ssh_config(5) stand for; `name` is the host as the user wrote it."""
    return {
        "%": "%",
        "d": tilde("~"),
        "h": hostname,
        "i": str(os.getuid()),
        "k": alias or name,
        "L": socket.gethostname().partition(".")[0],
        "l": socket.gethostname(),
        "n": name,
        "p": str(port),
        "r": user,
        "u": local_user(),
    }


def _way_tokens(tokens: Mapping[str, str], jump: SSHOptions | None) -> dict[str, str]:
    """The tokens that tell of the jump host, too: %j, and %C, a digest of %l%h%p%r%j. Before OpenSSH 9.4 there was no
    %j, and none in %C."""
    gate = jump.host if jump is not None else ""
    way = "".join(tokens[token] for token in "lhpr") + gate
    return {"j": gate, "C": hashlib.sha1(way.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()}


def _environment(settings: Settings, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What SendEnv and SetEnv come to."""
    chosen: dict[str, str] = {}
    for pattern in settings.each("sendenv"):
        chosen.update((name, text) for name, text in environment.items() if fnmatch.fnmatchcase(name, pattern))
    for setting in settings.each("setenv"):
        name, equals, text = setting.partition("=")
        if equals:
            chosen[name] = text
    return tuple(sorted(chosen.items()))


def _agent(settings: Settings, tokens: Mapping[str, str]) -> str | None:
    """The path of the agent's socket."""
    where = next(iter(settings.each("identityagent")), "SSH_AUTH_SOCK")
    if where == "none":
        return None
    if where == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if where.startswith("$") and not where.startswith("${"):
        return os.environ.get(where[1:]) or None
    return settings.expanded(where, tokens)


def _family(value: str) -> str:
    if value not in ("any", "inet", "inet6"):
        raise UsageError(f"not an address family: {value!r}")
    return value


def _error(options: SSHOptions, message: str, hint: str = "") -> ConnectError:
    return ConnectError(message, host=options.host, stage="config", hint=hint)
