"""The Python interpreters of this machine, for tests of code that runs in whatever Python a target has.

`python -m tests.interpreters` prints those that the master's own code should be tried with besides that one, each as
tox calls it and with its path; on stderr it says which of the promised ones are not here.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

OLDEST = 6
OLDEST_MASTER = 10
# What a complete run covers: the versions named in the promises. Newer ones are used where they are found.
EXPECTED = range(OLDEST, 14)
_SOUGHT = range(OLDEST, 20)

_ASK = (
    "import sys; "
    "print(sys.implementation.name, sys.version_info[0], sys.version_info[1],"
    " getattr(sys, '_base_executable', None) or sys.executable)"
)


class Interpreter(NamedTuple):
    """A CPython on this machine: its version as (major, minor), and the path of its executable."""

    version: tuple[int, int]
    path: str

    def __str__(self) -> str:
        return "{}.{}".format(*self.version)


def _candidates() -> Iterator[str]:
    """Paths that may be interpreters, or may turn out not to be; those that cost least to try come first."""
    for minor in _SOUGHT:
        for directory in ("/usr/bin", "/usr/local/bin"):
            yield f"{directory}/python3.{minor}"
    yield "/usr/bin/python3"
    for root in _pyenv_roots():
        yield from sorted(str(path) for path in root.glob("versions/3.*/bin/python3"))
    for name in [f"python3.{minor}" for minor in _SOUGHT] + ["python3"]:
        # A pyenv shim of a version that is not switched on is found here too, and fails when asked.
        yield shutil.which(name) or ""


def _pyenv_roots() -> Iterator[Path]:
    named = os.environ.get("PYENV_ROOT")
    if named:
        yield Path(named)
    if shutil.which("pyenv"):
        answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, timeout=30, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    yield Path.home() / ".pyenv"


def _examine(path: str) -> Interpreter | None:
    """The interpreter behind a path; None if there is none, if it is not CPython, or if it is too old."""
    try:
        command = [path, "-I", "-c", _ASK]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stdout.strip().split(" ", 3)
    if answer.returncode != 0 or len(words) != 4 or words[0] != "cpython":
        return None
    version = (int(words[1]), int(words[2]))
    return Interpreter(version, words[3]) if version >= (3, OLDEST) else None


# Stands in the environment of the processes of a run: what was found. To ask all of them takes more than a second.
FOUND_VARIABLE = "REMOTESVC_TEST_PYTHONS"


@functools.cache
def found() -> tuple[Interpreter, ...]:
    """Every CPython from 3.6 on that this machine has, one for each minor version, oldest first."""
    handed_down = os.environ.get(FOUND_VARIABLE)
    if handed_down is not None:
        return tuple(Interpreter((major, minor), path) for major, minor, path in json.loads(handed_down))
    return _search()


def hand_down() -> None:
    """Processes that are started from now on need not search."""
    os.environ[FOUND_VARIABLE] = json.dumps([(*each.version, each.path) for each in found()])


def _search() -> tuple[Interpreter, ...]:
    known: dict[tuple[int, int], Interpreter] = {}
    examined: set[str] = set()
    for path in _candidates():
        real = os.path.realpath(path) if path else ""
        if real in examined or not os.access(real, os.X_OK):
            continue
        examined.add(real)
        interpreter = _examine(path)
        if interpreter is not None:
            known.setdefault(interpreter.version, interpreter)
    return tuple(known[version] for version in sorted(known))


def outer() -> tuple[Interpreter, ...]:
    """The oldest, the newest, and that of the master's version: for what is the same in all between them."""
    here = sys.version_info[:2]
    return tuple(each for each in found() if each in (found()[0], found()[-1]) or each.version == here)


def missing() -> list[str]:
    """The versions a complete run needs and this machine lacks, such as ``["3.6", "3.13"]``."""
    versions = {interpreter.version for interpreter in found()}
    return [f"3.{minor}" for minor in EXPECTED if (3, minor) not in versions]


def is_whole(interpreter: Interpreter) -> bool:
    """Whether it has all of its standard library. Debian's python3-minimal has not: it does for a target."""
    command = [interpreter.path, "-I", "-c", "import concurrent.futures, ctypes, ssl"]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def masters(here: tuple[int, int], known: Collection[Interpreter]) -> list[Interpreter]:
    """The oldest and the newest of those that a master may run on, but for the version that runs here."""
    may = sorted(each for each in known if each.version >= (3, OLDEST_MASTER))
    return [each for each in dict.fromkeys(may[:1] + may[-1:]) if each.version != here]


def masters_missing(here: tuple[int, int], known: Collection[Interpreter]) -> list[str]:
    """Of the oldest and the newest version promised for masters those that are not there."""
    versions = {here, *(each.version for each in known)}
    return [f"3.{minor}" for minor in (OLDEST_MASTER, EXPECTED[-1]) if (3, minor) not in versions]


def main() -> None:
    here, whole = sys.version_info[:2], list(filter(is_whole, found()))
    for each in masters(here, whole):
        print("py{}{} {}".format(*each.version, each.path))
    absent = masters_missing(here, whole)
    if absent:
        print(f"NOT TESTED, no such Python here: the master on {' and '.join(absent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
