"""What is known of the Pythons of hosts: within a router, and, where a file is named, from one run to the next.

What a file says is never trusted with more than speed: a magic number that is not true any more costs a few bytes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import threading
from typing import Any

# What a target says of its interpreter becomes part of a command for that target: nothing else than this.
_INTERPRETER = re.compile(r"/[A-Za-z0-9_./+-]{1,255}\Z")

MAGIC_SIZE = 4
"""Bytes of a bytecode magic number: `importlib.util.MAGIC_NUMBER`."""

MOST_LINES = 20_000
"""Lines that a file is cut to, the latest, when it has twice as many: enough for two of the largest fleets."""

_LINE = re.compile(r"([0-9a-f]{32}) ([0-9a-f]{8})")
_LINE_SIZE = 32 + 1 + 2 * MAGIC_SIZE + 1

Place = tuple[str, str]
"""What a host is known by, its key as a rule, and the user there."""


class Pythons:
    """Interpreters and magic numbers by host. Thread-safe.

    file: where magic numbers are kept for later runs, a line each; what stands for a host and a user there is a digest.
    One that cannot be read or written is no error: then less is known.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        self._file = None if file is None else os.path.expanduser(os.fspath(file))
        self._interpreters: dict[Place, str] = {}
        self._magics: dict[tuple[Place, str | None], bytes] = {}
        self._kept: dict[str, str] | None = None
        self._lock = threading.Lock()

    def interpreter(self, place: Place) -> str | None:
        """The interpreter that was found there."""
        return self._interpreters.get(place)

    def magic(self, place: Place, python: str | None) -> bytes:
        """The magic number of `python` there, None for the one that is found; empty if it is not known."""
        known = self._magics.get((place, python))
        if known is None:
            with self._lock:
                known = bytes.fromhex(self._load().get(_digest(place, python), ""))
        return known

    def learn(self, place: Place, python: str | None, info: dict[str, Any]) -> bool:
        """Take what a kernel there said of itself in its HELLO; returns whether that is worth a `keep`. No I/O."""
        executable, magic = info.get("executable"), info.get("magic")
        if python is None and type(executable) is str and _INTERPRETER.match(executable):
            self._interpreters[place] = executable
        if type(magic) is bytes and len(magic) == MAGIC_SIZE:
            self._magics[place, python] = magic
            return self._file is not None
        return False

    def keep(self, place: Place, python: str | None) -> None:
        """Write to the file what was learnt, if it says anything else."""
        key, magic = _digest(place, python), self._magics[place, python].hex()
        with self._lock:
            kept = self._load()
            if self._file is None or kept.get(key) == magic:
                return
            kept.pop(key, None)
            kept[key] = magic
            with contextlib.suppress(OSError):
                self._append(self._file, f"{key} {magic}\n")

    def forget(self) -> None:
        """Know nothing any more, until somebody is there again. The file stays."""
        with self._lock:
            self._kept = {}
        self._interpreters.clear()
        self._magics.clear()

    def _load(self) -> dict[str, str]:
        """What the file says, read once; the lock is held."""
        if self._kept is None:
            self._kept = {}
            if self._file is not None:
                with (contextlib.suppress(OSError),
                      open(self._file, encoding="ascii", errors="replace", opener=_open_regular) as file):
                    self._kept = dict(_LINE.findall(file.read(4 * MOST_LINES * _LINE_SIZE)))  # the last one counts
        return self._kept

    def _append(self, path: str, line: str) -> None:
        """Add a line, in one write, so that runs at once do not mix theirs."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = _open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(fd, line.encode())
            full = os.fstat(fd).st_size > 2 * MOST_LINES * _LINE_SIZE
        finally:
            os.close(fd)
        if full:
            self._shorten(path)

    def _shorten(self, path: str) -> None:
        """Leave the latest lines; what another run adds just now may be lost, which costs it nothing but speed."""
        latest = list(self._load().items())[-MOST_LINES:]
        beside = f"{path}.{os.getpid()}"
        with open(beside, "x", encoding="ascii") as file:
            file.writelines(f"{key} {magic}\n" for key, magic in latest)
        os.replace(beside, path)


def _open_regular(path: str, flags: int) -> int:
    """Open a plain file, and wait for nobody: a FIFO, say, would hold up a connection. Raises OSError."""
    fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "no plain file", path)
    return fd


def _digest(place: Place, python: str | None) -> str:
    return hashlib.sha256("\0".join([*place, python or ""]).encode("utf-8", "surrogateescape")).hexdigest()[:32]
