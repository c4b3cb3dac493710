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
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from remotesvc.bootstrap.errors import UsageError

from .configfile import DEEPEST, SYSTEM_CONFIG, lines_of, matches, setting
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


@dataclass(frozen=True)
class Likeness:
    """`facts` are equal for two hosts of which `ssh` says the same, if the words of the command are, but for the name
    where to go."""

    facts: Hashable
    hostname: str


class Alike:
    """Compares hosts by the files that say something of them. Thread-safe; a file is read once a state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}

    def of(self, program: str, options: SSHOptions) -> Likeness | None:
        """What the files make of a host; None where ssh has to be asked."""
        given = options.ssh_config
        if any("%" in option or "hostname" in option.lower() for option in options.extra_options):
            return None
        if given is None and os.path.realpath(program) != USUAL_PROGRAM:
            return None
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir  # as ssh, which does not look at HOME
            own, system = "~/.ssh", (SYSTEM_CONFIG, "/etc/ssh")
            usual = [start for start in ((f"{home}/.ssh/config", own), system) if os.path.exists(start[0])]
            starts = usual if given is None else [] if given == "none" else [(given, own)]
            # What is included is found by glob(3), which does look at it.
            home = os.environ.get("HOME") or home
            first = _Look(options.host, home, self._file)
            for start in starts:
                first.read(*start, True, 0)
            hostname = (first.hostname or "%h").replace("%h", options.host).lower()
            # Match final makes ssh look a second time, at where it leads.
            second = _Look(hostname, home, self._file)
            for start in starts:
                second.read(*start, True, 0)
            return Likeness((first.hostname, *first.facts, *second.facts), hostname)
        except (_Distinct, UsageError, OSError, KeyError):
            return None

    def _file(self, path: str) -> _File:
        """What a file says. Raises OSError and UsageError."""
        found = os.stat(path)
        state = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        with self._lock:
            known = self._files.get(path)
        if known is None or known.state != state:
            lines = [setting(line, path) for line in lines_of(path)]
            known = _File(state, tuple((key, tuple(words)) for key, words in filter(None, lines)))
            with self._lock:
                self._files[path] = known
        return known


@dataclass
class _Look:
    """One look at the files for a host. `facts`: the state of each, and which Host lines are for this host; `hostname`:
    where it leads, as the files say it."""

    host: str
    home: str
    file: Callable[[str], _File]
    facts: list[Hashable] = field(default_factory=list)
    hostname: str = ""

    def read(self, path: str, base: str, active: bool, depth: int) -> None:
        """Read a file; raises _Distinct, OSError and UsageError."""
        if depth > DEEPEST:
            raise _Distinct
        file = self.file(path)
        self.facts += path, file.state
        here = active
        for key, words in file.settings:
            if key == "host":
                here = active and matches(words, self.host)
                self.facts.append(here)
            elif key == "match":
                if [word.lower() for word in words] not in _CONSTANT:
                    raise _Distinct
                here = active
            elif key == "include":
                for included in self._included(words, base):
                    self.read(included, base, here, depth + 1)
            elif here:
                self._take(key, words)

    def _take(self, key: str, words: tuple[str, ...]) -> None:
        if key == "hostname":
            if "%" in words[0].replace("%h", ""):
                raise _Distinct
            self.hostname = self.hostname or words[0]
        elif key == "canonicalizehostname" or key not in _LEFT_ALONE and any("%" in word for word in words):
            raise _Distinct

    def _included(self, words: tuple[str, ...], base: str) -> Iterator[str]:
        for word in words:
            # Brackets and backslashes mean more to glob(3) than to Python's.
            if set("$%[\\") & set(word) or word.startswith("~") and not word.startswith("~/"):
                raise _Distinct
            path = word if word.startswith(("/", "~")) else f"{base}/{word}"
            if path.startswith("~"):
                path = glob.escape(self.home) + path[1:]
            yield from sorted(each for each in glob.glob(path) if os.path.isfile(each))
