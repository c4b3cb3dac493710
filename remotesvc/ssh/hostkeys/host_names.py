"""Names of hosts as known_hosts files have them: plain, with port, as patterns, hashed (pure)."""

from __future__ import annotations

import base64
import binascii
import hmac

DEFAULT_PORT = 22


def names_of(hostname: str, port: int, alias: str | None = None) -> tuple[str, ...]:
    """Under which names a host may stand in a file, most specific first. An alias replaces name and port."""
    if alias:
        return (alias.lower(),)
    host = hostname.lower()
    return (host,) if port == DEFAULT_PORT else (f"[{host}]:{port}", host)


def matches(names: str, name: str) -> bool:
    """Tell whether the first word of a line (a hash, or a comma-separated list of patterns) means `name`."""
    if names.startswith("|1|"):
        _, _, salt, digest = names.split("|")
        wanted = hmac.digest(decode(salt) or b"", name.encode("utf-8"), "sha1")
        return hmac.compare_digest(wanted, decode(digest) or b"")
    found = False
    for pattern in names.lower().split(","):
        negated = pattern.startswith("!")
        if _glob(pattern[1:] if negated else pattern, name):
            if negated:
                return False
            found = True
    return found


def _glob(pattern: str, name: str) -> bool:
    """`*` and `?` only: brackets are part of a name here. Takes at most pattern x name steps."""
    here = mark = resume = 0
    star = -1
    while mark < len(name):
        if here < len(pattern) and pattern[here] == "*":
            star, resume = here, mark
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", name[mark]):
            here += 1
            mark += 1
        elif star >= 0:
            resume += 1
            here, mark = star + 1, resume
        else:
            return False
    return not pattern[here:].strip("*")


def hashed(name: str, salt: bytes) -> str:
    """The form in which HashKnownHosts stores `name`; `salt` is 20 random bytes."""
    digest = hmac.digest(salt, name.encode("utf-8"), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def decode(text: str) -> bytes | None:
    """Bytes of strict base64; None for anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
