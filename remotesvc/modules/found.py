"""What was found under a module's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .distributions import Distribution

Kind = Literal["source", "namespace", "native", "builtin", "unreadable"]


@dataclass(frozen=True)
class Found:
    """What was found under a module's name; a snapshot that is never read again.

    kind: "source"; "namespace" (a package without ``__init__.py``); "native" (an extension module without a
    ``.py`` beside it); "builtin" (inside the interpreter); "unreadable" (it exists, but without source).
    origin: file name, None for namespace packages. modified: in seconds, of that file when it was read.
    directories: of a package, where its parts are looked for.
    entry: the path entry it was found under, None if a finder of its own (an editable install) knew it.
    installed: of a namespace package, which may belong to many distributions: whether all its directories lie
    where distributions are installed.
    """

    name: str
    kind: Kind
    is_pkg: bool = False
    source: bytes = field(default=b"", repr=False)
    origin: str | None = None
    directories: tuple[str, ...] = ()
    entry: str | None = None
    stdlib: bool = False
    distribution: Distribution | None = None
    installed: bool = False
    modified: int | None = None

    @property
    def own(self) -> bool:
        """Whether it is part of this package, which every child gets from its parent."""
        return is_own(self.name)

    @property
    def first_party(self) -> bool:
        """Whether it is the user's own code: of no installed distribution, or of an editable one."""
        return not self.stdlib and not self.own and self.distribution is None and not self.installed


def is_own(name: str) -> bool:
    """Whether a module of this name is part of this package."""
    return name.partition(".")[0] == "remotesvc"
