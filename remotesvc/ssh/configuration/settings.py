"""What ssh_config says of one host, keyword by keyword, each as a value of its type. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from remotesvc.bootstrap.errors import UsageError

from ..hostkeys import algorithms
from .configfile import Unreadable, Values
from .localuser import tilde
from .tokens import expand, number

KNOWN_HOSTS = {
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}
"""Keyword -> the files where none is named."""


class Settings:
    """The table that OpenSSH or our own reader made of the files. The methods take keywords in lower case.

    A value "none" is like no value to all but `each`. UsageError if a value is not of the type asked for. `ssh_says`:
    it was `ssh -G` that made it, which has replaced the tokens of some; `read` makes it of the files, then.
    """

    def __init__(self, values: Values, ssh_says: bool, read: Callable[[], Values] = dict) -> None:
        self._values = values
        self._ssh_says = ssh_says
        self._read = read

    def text(self, key: str, default: str = "") -> str:
        """The value that counts: the first."""
        found = self._values.get(key)
        return found[0] if found and found[0].lower() != "none" else default

    def each(self, key: str) -> list[str]:
        """The values of a keyword that may stand in the files several times."""
        return self._values.get(key, [])

    def yes(self, key: str, default: bool = False) -> bool:
        """Whether it is switched on."""
        found = self.text(key)
        return found.lower() in ("yes", "true") if found else default

    def number(self, key: str, default: int) -> int:
        """A count, a port, or a time in seconds."""
        found = self.text(key)
        return number(found) if found else default

    def seconds(self, key: str) -> float | None:
        """A time; None where there is none, and for 0, which means the same."""
        return float(self.number(key, 0)) or None

    def names(self, key: str) -> tuple[str, ...]:
        """What stands between the commas."""
        return tuple(filter(None, self.text(key).split(",")))

    def algorithms(self, key: str) -> tuple[str, ...]:
        """Those of a list that are supported here, ours where there is no list. Raises Unreadable if none is left."""
        # Such a value changes OpenSSH's own list, and only OpenSSH knows that.
        if self.text(key)[:1] in ("+", "-", "^"):
            raise Unreadable(f"{key} {self.text(key)} needs OpenSSH's client, ssh, installed here")
        left = algorithms.left_of(key, self.names(key))
        if not left:
            raise Unreadable(f"{key} {self.text(key)} leaves none that is supported here")
        return left

    def files(
        self, key: str, default: tuple[str, ...], tokens: Mapping[str, str], given: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Paths, with ~ and tokens expanded, none twice. Those `given` by the user have no tokens, and a shell's ~."""
        names = [name for name in self._values.get(key, default) if name.lower() != "none"]
        return tuple(
            dict.fromkeys(os.path.expanduser(name) if name in given else expand(name, tokens) for name in names)
        )

    def known_hosts(self, key: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
        """The paths of a list of files, with ~ and tokens expanded, none twice."""
        listed = self._values.get(key, KNOWN_HOSTS[key])
        if self._ssh_says:
            return several(key, " ".join(listed), self._read)
        words = (word for word in listed if word.lower() != "none")
        if key == "globalknownhostsfile":  # ssh knows no tokens there
            return tuple(dict.fromkeys(map(tilde, words)))
        return tuple(dict.fromkeys(expand(word, tokens) for word in words))

    def expanded(self, path: str, tokens: Mapping[str, str]) -> str:
        """A path of those in which `ssh -G` replaces the tokens."""
        return tilde(path) if self._ssh_says else expand(path, tokens)


def several(key: str, text: str, read: Callable[[], Values]) -> tuple[str, ...]:
    """The files of a list as `ssh -G` prints it, without the quotes around those with a space in their names.

    Words that are the path of a file together are one. Where that does not tell, the words that we find in the files
    ourselves (`read`) do, if they come to the same text. Else UsageError: a file that is not found refuses no key.
    """
    usual = tuple(map(tilde, KNOWN_HOSTS[key]))
    if text == " ".join(usual):  # a home may have spaces in its name
        return usual
    files: list[str] = []
    words = [word for word in text.split(" ") if word.lower() != "none"]
    certain = True
    while words:
        counts = range(len(words), 0, -1)
        count = next((count for count in counts if _is_file(tilde(" ".join(words[:count])))), 0)
        if files and words[0][:1] not in ("/", "~") and not (certain and count):
            named = _named(key, read)
            if " ".join(named) == text:
                return named
            raise UsageError(
                f"{key} {text} may be one file or several, as ssh -G tells no quotes: make the file, if only an empty"
                " one, or use names without spaces"
            )
        certain = count > 0
        files.append(tilde(" ".join(words[: count or 1])))
        del words[: count or 1]
    return tuple(dict.fromkeys(files))


def _named(key: str, read: Callable[[], Values]) -> tuple[str, ...]:
    """The files of a list as we find them ourselves; none where only ssh can."""
    try:
        return tuple(map(tilde, read().get(key, ())))
    except (Unreadable, UsageError):
        return ()


def _is_file(path: str) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)
