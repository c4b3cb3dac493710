"""Placeholders in the values of ssh_config, and what they stand for: %-tokens, ${VARIABLES}, ~, units of time. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from remotesvc.bootstrap.errors import UsageError

from .localuser import tilde

_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}")
_TIME = re.compile(r"(\d+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """Replace a leading ~, %-tokens and ${VARIABLES} as ssh does in paths; UsageError for what is not defined."""

    def replaced(match: re.Match[str]) -> str:
        token, variable = match.group(1), match.group(2)
        value = tokens.get(token) if token else os.environ.get(variable)
        if value is None:
            raise UsageError(f"{match.group()} in {text!r} has no value")
        return value

    return tilde(_TOKEN.sub(replaced, text))


def expand_command(key: str, text: str, tokens: Mapping[str, str]) -> str:
    """Replace the tokens of a ProxyCommand or ProxyJump, as `key` says (%%, %h, %n, %p, %r), nothing else: of a command
    a shell reads the rest.

    The values hold no character that a shell treats specially: `hostspec` lets none through but a user's backslash,
    which is an error in a command: the shell would take it away. UsageError for a token that ssh does not know there,
    too.
    """

    def replaced(match: re.Match[str]) -> str:
        if match.group(1) not in ("%", "h", "n", "p", "r"):
            raise UsageError(f"{match.group()} in {key} {text!r} has no meaning")
        value = tokens[match.group(1)]
        if "\\" in value and key == "ProxyCommand":
            raise UsageError(f"a shell would take the backslash of {value} away: write the name in place of %r in"
                             f" ProxyCommand {text!r}")
        return value

    return re.sub(r"%(.?)", replaced, text)


def number(text: str) -> int:
    """Ports, counts and times. Times may have units ("1m30s")."""
    if text.isascii() and text.isdigit():
        return int(text)
    parts = _TIME.findall(text.lower()) if text.isascii() else []
    if not parts or "".join(count + unit for count, unit in parts) != text.lower():
        raise UsageError(f"not a number: {text!r}")
    return sum(int(count) * _SECONDS[unit] for count, unit in parts)
