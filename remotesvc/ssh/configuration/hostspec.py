"""Host strings: what a user may write to name a host, and what it means.

    web1   user@web1   web1:2222   user@web1:2222
    2001:db8::1   [2001:db8::1]:2222   user@[fe80::1%eth0]
    ssh://user@web1:2222
    local:   docker:NAME   incus:REMOTE:NAME   kubectl:CONTEXT:NAMESPACE/POD/CONTAINER   (all kinds: `launch.engines`)

Only characters that no shell, log or option parser treats specially are accepted: what leaves this module
never begins with a dash and is the same after `shlex.quote`, but for the one backslash that a user may hold, and a
user's letters and digits beyond ASCII.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError
from remotesvc.launch.engines import ENGINES

# 255 is more than any host or user name may have; the limit keeps a pasted file out of error messages.
_LONGEST = 255
# Directory services name people user@domain, or DOMAIN\user.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]*(?:\\[A-Za-z0-9_][A-Za-z0-9_.+@-]*)?\Z")
_IN_USER = re.compile(r"[A-Za-z0-9_.+@\\-]")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_SCOPE = re.compile(r"[A-Za-z0-9_.-]+\Z")
CONTAINERS = tuple(ENGINES)
_PORT = re.compile(r"[0-9]{1,5}\Z")


@dataclass(frozen=True)
class HostSpec:
    """A parsed host string. `kind` is "ssh", "local", or one of CONTAINERS (then `host` is the text that names the
    container); `user` and `port` are None where none is named."""

    user: str | None
    host: str
    port: int | None
    kind: str = "ssh"

    def __str__(self) -> str:
        if self.kind != "ssh":
            return "local:" if self.kind == "local" else f"{self.kind}:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        text = f"{self.user}@{host}" if self.user else host
        return text if self.port is None else f"{text}:{self.port}"


def parse(text: str) -> HostSpec:
    """Return what a host string means; UsageError, which says what is wrong, for anything else."""
    if text == "local:":
        return HostSpec(None, "local", None, "local")
    kind, colon, name = text.partition(":")
    if colon and kind in CONTAINERS and not _PORT.match(name):
        ENGINES[kind].place(name, {})
        return HostSpec(None, name, None, kind)
    if len(text) > 3 * _LONGEST:
        raise UsageError(f"a host of {len(text)} characters is too long")
    check_scheme(text)
    if text.startswith("ssh://"):
        return _parse_url(text[len("ssh://") :])
    check_user_place(text)
    user, at, place = text.rpartition("@")
    host, port = _split_port(place, text)
    return HostSpec(check_user(user) if at else None, host, port)


def check_scheme(text: str) -> None:
    """UsageError if `text` is an address of anything but SSH."""
    scheme, found, _ = text.partition("://")
    if found and scheme != "ssh" and _SCHEME.match(scheme):
        raise UsageError(f"hosts have no {_shown(scheme + '://')} address; write user@host:port or ssh://user@host:port")


def check_user_place(text: str) -> None:
    """UsageError if `text` has a user ahead of a host that is not reached over SSH."""
    _, at, place = text.partition("@")  # what stands ahead is not quoted: it may have a password in it
    kind, colon, name = place.partition(":")
    if not at or not colon or _PORT.match(name):
        return
    if place == "local:":
        raise UsageError("nobody logs in to local:; to work as another user, see --become-user (Router.sudo)")
    if kind in CONTAINERS:
        raise UsageError(f"the user of a container is no part of the host: write {_shown(place)}, and"
                         " the user with -u (user=)")


def check_user(user: str) -> str:
    """Return `user`, with letters composed (NFC), if it is a user name we pass on; UsageError otherwise."""
    user = unicodedata.normalize("NFC", user) if len(user) <= _LONGEST else user
    plain = "".join(map(_in_ascii, user))
    if len(user) > _LONGEST or not _USER.match(plain):
        wrong = next((char for char, folded in zip(user, plain, strict=True) if not _IN_USER.match(folded)), "")
        raise UsageError(f"not a user name: {_shown(user)}" + (f": {ascii(wrong)} may not be in it" if wrong else ""))
    return user


def _in_ascii(char: str) -> str:
    """What stands for a character when a user's name is checked: letters, digits and accents may be of any script."""
    if char.isascii():
        return char
    return {"L": "a", "N": "0", "M": "-"}.get(unicodedata.category(char)[0], " ")


def check_host(host: str) -> str:
    """Return `host` if it is a host name or an address; UsageError otherwise."""
    if ":" in host:
        address, percent, scope = host.partition("%")
        if (not percent or _SCOPE.match(scope)) and len(scope) <= _LONGEST and _is_ipv6(address):
            return host
    elif len(host) <= _LONGEST and _HOST.match(host):
        return host
    raise UsageError(f"not a host name or address: {_shown(host)}")


def check_port(port: int) -> int:
    """Return `port` if it is a TCP port; UsageError otherwise."""
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        raise UsageError(f"not a TCP port: {port!r}")
    return port


def _parse_url(rest: str) -> HostSpec:
    rest = rest.removesuffix("/")
    user, at, place = rest.rpartition("@")
    # Not quoted in the error: what follows the colon is most likely a password.
    if ":" in user:
        raise UsageError("a password in an ssh:// address would be seen by everybody; use a key or password=")
    if "/" in place or "?" in place or "#" in place:
        raise UsageError(f"an ssh:// address names a host, not a path: {_shown(rest)}")
    host, port = _split_port(place, rest)
    return HostSpec(check_user(user) if at else None, host, port)


def _split_port(place: str, text: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, bracket, after = place[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise UsageError(f"expected [address] or [address]:port: {_shown(text)}")
        if ":" not in host:
            raise UsageError(f"brackets are for IPv6 addresses: {_shown(text)}")
        return check_host(host), _port(after[1:]) if after else None
    if place.count(":") == 1:
        host, _, port = place.partition(":")
        return check_host(host), _port(port)
    return check_host(place), None


def _port(text: str) -> int:
    if not _PORT.match(text):
        raise UsageError(f"not a TCP port: {_shown(text)}")
    return check_port(int(text))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """`ascii` leaves nothing in it that a terminal obeys."""
    return ascii(text if len(text) <= 80 else text[:80] + "...")
