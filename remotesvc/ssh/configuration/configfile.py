"""ssh_config read by ourselves, for machines without OpenSSH's client: Host, Match, Include, quotes, first wins.

What only OpenSSH can decide (Match exec, canonicalised names) is an error, never ignored. Source: ssh_config(5).
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remotesvc.bootstrap.errors import UsageError

from .localuser import local_user

if TYPE_CHECKING:
    from .options import SSHOptions

SYSTEM_CONFIG = "/etc/ssh/ssh_config"
USER_CONFIG = "~/.ssh/config"

Values = dict[str, list[str]]
"""Keyword in lower case -> its values in the order in which they were given."""

# Of these all values count; of all others the first one.
_SEVERAL = frozenset(
    ["certificatefile", "dynamicforward", "identityfile", "localforward", "remoteforward", "sendenv", "setenv"]
)
# ssh's own limit.
DEEPEST = 16
# Not what Python takes for one: ssh knows no other spaces, and a line ends at a newline only.
_SPACE = " \t\r\n"
_KEYWORD = re.compile(rf'"?([A-Za-z][A-Za-z0-9]*)"?(?:[{_SPACE}]*=[{_SPACE}]*|[{_SPACE}]+|$)')


class Unreadable(Exception):
    """A file cannot be read, or means something that we cannot find out; the text says which and why."""


@dataclass
class Reader:
    """Collects what the files say of one host. `user` is the one asked for, if any."""

    host: str
    user: str | None
    values: Values = field(default_factory=dict)

    def options(self, options: Iterable[str]) -> None:
        """Take "Key=value" texts, as of ssh's -o; they win over everything read later."""
        for option in options:
            self._line(option, True, "-o", None, 0)

    def file(self, path: str, base: str) -> None:
        """Read a file; relative Includes are relative to `base`. Raises Unreadable."""
        self._read(os.path.expanduser(path), base, True, 0)

    def _read(self, path: str, base: str, active: bool, depth: int) -> None:
        if depth > DEEPEST:
            raise Unreadable(f"{path}: Include is nested too deeply")
        try:
            lines = lines_of(path)
        except OSError as error:
            raise Unreadable(f"cannot read {path}: {error.strerror}") from error
        here = active
        for count, line in enumerate(lines, 1):
            changed = self._line(line, here, f"{path}:{count}", base, depth)
            if changed is not None:
                here = active and changed

    def _line(self, line: str, active: bool, place: str, base: str | None, depth: int) -> bool | None:
        """Take one line; for Host and Match, whether the lines that follow are for this host."""
        said = setting(line, place)
        if said is None:
            return None
        key, words = said
        if key == "host":
            return matches(words, self.host)
        if key == "match":
            return self._match(words, place)
        if key == "include":
            self._include(words, place, base, active, depth)
        elif active:
            self._set(key, words, place)
        return None

    def _set(self, key: str, words: Sequence[str], place: str) -> None:
        if key in ("canonicalizehostname",) and words[0].lower() not in ("no", "false"):
            raise Unreadable(f"{place}: {key} needs OpenSSH's client, ssh, installed here")
        if key == "proxycommand" and self.values.get("proxyjump", ["none"])[0].lower() != "none":
            return  # whichever comes first is the way
        if key == "proxyjump" and "proxycommand" in self.values:
            return
        if key == "sendenv":
            for word in words:
                names = self.values.setdefault(key, [])
                if word.startswith("-"):  # takes back what was said so before
                    names[:] = [name for name in names if not fnmatch.fnmatchcase(name, word[1:])]
                else:
                    names.append(word)
        elif key == "setenv":
            self.values.setdefault(key, []).extend(words)
        elif key in ("userknownhostsfile", "globalknownhostsfile"):
            self.values.setdefault(key, list(words))  # each a file, whatever spaces it has
        elif key in _SEVERAL:
            self.values.setdefault(key, []).append(" ".join(words))
        else:
            self.values.setdefault(key, [" ".join(words)])

    def _include(self, names: Sequence[str], place: str, base: str | None, active: bool, depth: int) -> None:
        if base is None:
            raise UsageError(f"{place}: Include stands in files only")
        for name in names:
            path = os.path.join(base, os.path.expanduser(name))
            for each in sorted(glob.glob(path)):
                if os.path.isfile(each):
                    self._read(each, base, active, depth + 1)

    def _match(self, words: Sequence[str], place: str) -> bool:
        result, rest = True, list(words)
        while rest:
            word = rest.pop(0)
            criterion, equals, value = word.partition("=")
            negated, criterion = criterion.startswith("!"), criterion.lstrip("!").lower()
            if criterion == "all":
                outcome = True
            else:
                if criterion not in ("host", "originalhost", "user", "localuser"):
                    raise Unreadable(f"{place}: Match {criterion} needs OpenSSH's client, ssh, installed here")
                if not equals:
                    if not rest:
                        raise UsageError(f"{place}: Match {criterion} lacks a pattern")
                    value = rest.pop(0)
                if criterion in ("host", "originalhost"):
                    value = value.lower()
                outcome = matches(value.split(","), self._subject(criterion))
            result = result and outcome != negated
        return result

    def _subject(self, criterion: str) -> str:
        if criterion == "host":
            return self.values.get("hostname", [self.host])[0].replace("%h", self.host).lower()
        if criterion == "originalhost":
            return self.host.lower()
        local = local_user()
        return local if criterion == "localuser" else self.user or self.values.get("user", [local])[0]


def read_files(options: SSHOptions) -> Values:
    """The table that `ssh -G` would print, but for lists of files, which are those here. Raises UsageError and
    Unreadable."""
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


def lines_of(path: str) -> list[str]:
    """The lines of a file. Raises OSError."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read().split("\n")


def setting(line: str, place: str) -> tuple[str, list[str]] | None:
    """The keyword of a line, in lower case, and its words; None for a comment. Raises UsageError."""
    text = line.lstrip(_SPACE).rstrip(_SPACE + "\f")
    if not text or text.startswith("#"):
        return None
    found = _KEYWORD.match(text)
    if not found:
        raise UsageError(f"{place}: not a setting: {text!r}")
    key, rest = found.group(1).lower(), text[found.end() :]
    if key in ("proxycommand", "remotecommand", "localcommand", "knownhostscommand"):
        words = [rest]  # the whole line is the command
    else:
        words = split(rest, place)
    if not words or words == [""]:
        raise UsageError(f"{place}: {found.group(1)} has no value")
    return key, words


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns (with * and ?) fits and none of those with "!" does."""
    found = False
    for pattern in patterns:
        # Brackets have no meaning in ssh's patterns.
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name, plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def split(text: str, place: str, comments: bool = True) -> list[str]:
    """The words of a line, as ssh finds them. Raises UsageError.

    Quotes of either kind keep spaces together, also in the middle of a word; # begins a comment where a word could
    begin, unless `comments` says otherwise; a backslash stands before a quote, another one, or, outside of quotes, a
    space, and is itself elsewhere.
    """
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    position = 0
    while position < len(text):
        sign, escaped = text[position], text[position + 1 : position + 2]
        position += 1
        if not quote and sign in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        if word is None:
            if sign == "#" and comments:
                break
            word = []
        if sign == "\\" and escaped and escaped in ("'", '"', "\\", "" if quote else " "):
            word.append(escaped)
            position += 1
        elif quote and sign == quote:
            quote = ""
        elif not quote and sign in "'\"":
            quote = sign
        else:
            word.append(sign)
    if quote:
        raise UsageError(f"{place}: a quote is not closed")
    return words if word is None else [*words, "".join(word)]
