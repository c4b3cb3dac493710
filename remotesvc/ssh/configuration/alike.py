"""Which hosts ssh_config does not tell apart: what `ssh -G` says of one of them it says of all, but for the name.

Hundreds of hosts are mostly meant by a few Host blocks, and to run `ssh` for one costs more than to log in there.
Where anything but Host decides, or a host's name is part of what is said of it, each is asked for itself, and so it is
wherever we do not understand a line. Source: ssh_config(5).
"""

from __future__ import annotations

import glob
import os
import pwd
import threading
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError

from .configfile import DEEPEST, SYSTEM_CONFIG, matches, setting
from .options import SSHOptions

# A build from elsewhere may read another system-wide file, which we would not know.
USUAL_PROGRAM = "/usr/bin/ssh"
# In these `ssh -G` leaves the tokens as they are, or nobody here looks at what it makes of them.
_LEFT_ALONE = frozenset(
    ["certificatefile", "controlpath", "dynamicforward", "identityfile", "knownhostscommand", "localcommand",
     "localforward", "proxycommand", "remoteforward", "revokedhostkeys", "setenv"]
)  # fmt: skip
# Criteria of Match that hold for every host, or for none.
_CONSTANT = (["all"], ["final", "all"], ["canonical", "all"])


class _Distinct(Exception):
    """Only ssh itself can tell what is said of this host."""


@dataclass(frozen=True)
class _File:
    """The settings of a file, in order, and what tells its state from others."""

    state: tuple[int, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]


class Alike:
    """Compares hosts by the files that say something of them. Thread-safe; a file is read once a state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}

    def key(self, program: str, options: SSHOptions) -> Hashable | None:
        """What is equal for two hosts of which `ssh` says the same, if the words of the command are; None where it has
        to be asked."""
        given = options.ssh_config
        if any("%" in option or "hostname" in option.lower() for option in options.extra_options):
            return None
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir  # as ssh, which does not look at HOME
            if given is None and os.path.realpath(program) != USUAL_PROGRAM:
                return None
            own, system = f"{home}/.ssh", (SYSTEM_CONFIG, "/etc/ssh")
            usual = [start for start in ((f"{own}/config", own), system) if os.path.exists(start[0])]
            starts = usual if given is None else [] if given == "none" else [(given, own)]
            # A second look, as Match final makes ssh take, is at the name in lower case.
            names = [options.host, options.host.lower()]
            return tuple(tuple(self._facts(*start, name, home, True, 0)) for start in starts for name in names)
        except (_Distinct, UsageError, OSError, KeyError):
            return None

    def _facts(self, path: str, base: str, host: str, home: str, active: bool, depth: int) -> Iterator[Hashable]:
        """The state of each file that is read, and which Host lines are for this host."""
        if depth > DEEPEST:
            raise _Distinct
        file = self._file(path)
        yield path, file.state
        here = active
        for key, words in file.settings:
            if key == "host":
                here = active and matches(words, host)
                yield here
            elif key == "match":
                if [word.lower() for word in words] not in _CONSTANT:
                    raise _Distinct
                here = active
            elif key == "include":
                for included in self._included(words, base, home):
                    yield from self._facts(included, base, host, home, here, depth + 1)
            elif here and (key in ("hostname", "canonicalizehostname")
                           or key not in _LEFT_ALONE and any("%" in word for word in words)):
                raise _Distinct

    def _included(self, words: tuple[str, ...], base: str, home: str) -> Iterator[str]:
        for word in words:
            if "$" in word or "%" in word or word.startswith("~") and not word.startswith("~/"):
                raise _Distinct
            path = os.path.join(base, home + word[1:] if word.startswith("~/") else word)
            yield from sorted(each for each in glob.glob(path) if os.path.isfile(each))

    def _file(self, path: str) -> _File:
        """What a file says. Raises OSError and UsageError."""
        found = os.stat(path)
        state = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        with self._lock:
            known = self._files.get(path)
        if known is None or known.state != state:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [setting(line, path) for line in file]
            known = _File(state, tuple((key, tuple(words)) for key, words in filter(None, lines)))
            with self._lock:
                self._files[path] = known
        return known
