"""What ssh_config says of one host, keyword by keyword, each as a value of its type. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..hostkeys import algorithms
from .configfile import Unreadable, Values
from .tokens import expand, number


class Settings:
    """The table that OpenSSH or our own reader made of the files. The methods take keywords in lower case.

    A value "none" is like no value to all but `each`. UsageError if a value is not of the type asked for.
    """

    def __init__(self, values: Values) -> None:
        self._values = values

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

    def files(self, key: str, default: tuple[str, ...], tokens: Mapping[str, str]) -> tuple[str, ...]:
        """Paths, with ~ and tokens expanded, none twice."""
        if key not in self._values:
            found = list(default)
        elif key in ("identityfile", "certificatefile"):  # one for each time that the keyword stands there
            found = self._values[key]
        else:
            found = self._values[key][0].split()
        return tuple(dict.fromkeys(expand(name, tokens) for name in found if name.lower() != "none"))
