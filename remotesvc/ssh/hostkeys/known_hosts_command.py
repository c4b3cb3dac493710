"""KnownHostsCommand: a program of the user's that says, besides the files, which keys a host has.

It is started without a shell, once for the order of algorithms to ask for and once for the key that the server
shows, as ssh does (ssh_config(5) of OpenSSH 9.9).
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Mapping

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import HostKeyError
from remotesvc.escape import one_line

from .. import programs
from ..configuration.configfile import split
from . import known_hosts

LIMIT = 10.0
"""Seconds for one run, if the whole connection has as many left."""

_LATER = "HIKtf"
"""Tokens whose values are known only when it is run."""


def words_of(text: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
    """The program, as it stands, and its arguments, with ${VARIABLES} and all tokens replaced but those of a run.
    UsageError for what is wrong."""

    def replaced(match: re.Match[str]) -> str:
        token, variable = match.groups()
        if variable is None and (token in _LATER or token == "%"):
            return match.group()
        value = os.environ.get(variable) if variable is not None else tokens.get(token)
        if value is None:
            raise UsageError(f"{match.group()} in KnownHostsCommand {text!r} has no meaning")
        return value.replace("%", "%%")

    words = split(text, f"KnownHostsCommand {text!r}", comments=False)
    if not words or not os.path.isabs(words[0]):
        raise UsageError(f"KnownHostsCommand {text!r} does not begin with an absolute path")
    return (words[0], *(re.sub(r"%(.?)|\$\{(\w+)\}", replaced, word) for word in words[1:]))


class Command:
    """The command of one host, asked until `deadline` (monotonic)."""

    def __init__(self, words: tuple[str, ...], host: str, deadline: float) -> None:
        self._words = words
        self._host = host
        self._deadline = deadline

    @property
    def label(self) -> str:
        """What stands for the name of a file in messages."""
        return f"KnownHostsCommand {self._words[0]}"

    def ask(self, reason: str, name: str, key_type: str = "", key: bytes = b"") -> known_hosts.Table:
        """What it says of a name: "ORDER" without a key, "HOSTNAME" with the one that was shown.

        HostKeyError if it fails.
        """
        values = {
            "%": "%",
            "H": name,
            "I": reason,
            "t": key_type or "NONE",
            "K": base64.b64encode(key).decode() or "NONE",
            "f": known_hosts.fingerprint(key) if key else "NONE",
        }
        program, *arguments = self._words
        words = [re.sub(r"%(.?)", lambda match: values[match.group(1)], word) for word in arguments]
        return known_hosts.parse(self._run([program, *words]), self.label)

    def _run(self, words: list[str]) -> bytes:
        left = min(self._deadline - time.monotonic(), LIMIT)
        try:
            done = programs.run(words, left)
        except OSError as error:
            raise self._failed(f"cannot be run: {error.strerror or error}") from None
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {left:.1f} s") from None
        if done.returncode:
            raise self._failed(programs.ended(done.returncode), done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def _failed(self, what: str, complaint: str = "") -> HostKeyError:
        said = f": {one_line(complaint)[:500]}" if complaint.strip() else ""
        hint = "It must print lines of known_hosts and end with status 0; -o KnownHostsCommand=none does without."
        return HostKeyError(f"{self.label} {what}{said}", host=self._host, stage="hostkey", hint=hint)
