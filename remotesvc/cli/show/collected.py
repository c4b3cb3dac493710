"""What a host prints, put aside until it is done: its beginning in memory, for what is shown then, and all of it in
files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from remotesvc.fleet.member import file_name
from remotesvc.fleet.printed import Kept

from ..problems import OurError
from ..settings import Settings

_AT_ONCE = 64 * 1024
"""Bytes that wait to be written together: most hosts print less, and cost no file beside the one they end in."""


class Arriving:
    """A file that is written as its bytes come, and has its name once all are there.

    It is open only while it is written: many hosts at once must not need many descriptors.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # No host's file begins with a dot; and another run may be writing to the same directory, or another user, who
        # must not know the name before it is ours.
        self._part = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
        self._waiting = bytearray()
        self._how = os.O_CREAT | os.O_EXCL
        self._failure: OSError | None = None

    def add(self, data: bytes) -> None:
        """Raises nothing: what fails is told by `finish`, and nothing more is written."""
        if len(self._waiting) + len(data) < _AT_ONCE:
            self._waiting += data
        else:
            self._write(data)

    def finish(self) -> None:
        """All is there. Raises OurError if it could not be written."""
        self._write(b"")
        if self._failure is None:
            try:
                self._part.replace(self._path)
                return
            except OSError as error:
                self._failure = error
        self.discard()
        if self._path.is_file():  # what an earlier run wrote must not pass for this one's answer
            self._path.unlink(missing_ok=True)
        raise OurError(f"cannot write {self._path}: {self._failure.strerror}")

    def discard(self) -> None:
        """Leave nothing of what is not finished."""
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        if self._failure is not None:
            return
        try:
            fd = os.open(self._part, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | self._how, 0o666)
            with open(fd, "wb") as file:
                self._how = 0
                file.write(self._waiting)
                file.write(data)
        except OSError as error:
            self._failure = error
            self.discard()
        self._waiting.clear()


class Collected(Kept):
    """What one host printed. in_memory: the beginning of it, too, and not only in `files`, which are by stream."""

    def __init__(self, files: Mapping[str, Arriving] | None = None, in_memory: bool = True) -> None:
        super().__init__()
        self.files = files or {}
        self._in_memory = in_memory
        self._beyond = {"stdout": sha256(), "stderr": sha256()}
        self._cut: set[str] = set()

    def add(self, stream: str, data: bytes) -> bytes:
        file = self.files.get(stream)
        if file is not None:
            file.add(data)
        rest = super().add(stream, data) if self._in_memory else b""
        if rest:
            self._cut.add(stream)
            self._beyond[stream].update(rest)
        return rest

    def beyond(self, stream: str) -> bytes:
        """What tells apart what is not in memory, b"" where all is: two hosts may differ in nothing else."""
        return self._beyond[stream].digest() if stream in self._cut else b""

    def discard(self) -> None:
        """Nobody wants it: leave no parts of files."""
        for file in self.files.values():
            file.discard()


def collecting(settings: Settings) -> Callable[[str], Collected]:
    """What makes a Collected for a host as the output options want it."""
    given = (("stdout", settings.outdir), ("stderr", settings.errdir))
    directories = {stream: Path(directory) for stream, directory in given if directory is not None}

    def collect(host: str) -> Collected:
        name = file_name(host)
        files = {stream: Arriving(directory / name) for stream, directory in directories.items()}
        return Collected(files, settings.shows_later)

    return collect
