"""What a PATTERN says: Ansible's algebra with ClusterShell's node sets, as terms.

    web1,web2   web:db   web:&prod   all:!web3   web*   ~web[0-9]+\\.eu   web[0:3]   web[01-20,25]   @group   @./file

Terms are joined by `,` or `:` outside brackets, and may have a sign, `&` or `!`. `matcher` says which hosts each
stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError
from remotesvc.ssh.configuration.hostspec import CONTAINERS, check_scheme

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*\Z")
_PORTED = re.compile(r"[^:]+:[0-9]{1,5}\Z")


@dataclass(frozen=True)
class Term:
    """One part of a pattern. `sign` is "", "&" or "!"."""

    sign: str
    text: str


def split(pattern: str) -> list[Term]:
    """The terms of a pattern. Raises UsageError for an empty one."""
    terms: list[Term] = []
    for part in outside_brackets(pattern, ","):
        for text in [part] if whole(part) else outside_brackets(part, ":"):
            text = text.strip()
            sign = text[0] if text[:1] in ("&", "!") else ""
            text = text[len(sign) :].strip()
            if text:
                terms.append(Term(sign, text))
            elif sign:
                raise UsageError(f"there is nothing behind {sign!r} in the pattern {pattern!r}")
    if not terms:
        raise UsageError(f"the pattern {pattern!r} names no host")
    return terms


def whole(part: str) -> bool:
    """Whether this is one term whatever colons it has: a host string."""
    text = part.strip().lstrip("&!")
    if text.startswith("~"):
        return False
    if text == "local:" or text.startswith(("ssh://", *(f"{kind}:" for kind in CONTAINERS))):
        return True
    check_scheme(text)
    place = text.rpartition("@")[2]
    if place.startswith("[") or place.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]+(%.+)?", place):
        return True  # an IPv6 address
    return bool(_PORTED.match(place)) and "[" not in place


def outside_brackets(text: str, separator: str) -> Iterator[str]:
    """The parts of a text between separators that stand in no brackets."""
    depth, begin = 0, 0
    for index, character in enumerate(text):
        if character in "[({":
            depth += 1
        elif character in "])}":
            depth = max(0, depth - 1)
        elif character == separator and depth == 0:
            yield text[begin:index]
            begin = index + 1
    yield text[begin:]


def without_port(pattern: str) -> Iterator[tuple[str, str, str]]:
    """Of parts such as `web1:ssh`, two plain words with a colon between: (the part, first, second)."""
    for part in outside_brackets(pattern, ","):
        first, colon, second = part.strip().partition(":")
        if colon and not whole(part) and _PLAIN.match(first) and _PLAIN.match(second):
            yield part.strip(), first, second
