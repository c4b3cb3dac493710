"""What hosts answer and print as files: one a host, `--outdir` and `--errdir`, or one alone, `--write-result`."""

from __future__ import annotations

import os
from pathlib import Path

from remotesvc.fleet.outcome import Outcome

from ..problems import BadUsage, OurError
from .collected import Collected
from .render import whole_text
from .report import Reporter, Text
from .stream import encoded


class Filed:
    """Finishes DIR/HOST of each host, then passes the outcome on to the reporter that tells of it."""

    def __init__(self, then: Reporter, outdir: str | None, errdir: str | None, text: Text) -> None:
        self._then = then
        directories = _directory(outdir), _directory(errdir)
        if directories[0] is not None and directories[1] is not None and directories[0].samefile(directories[1]):
            raise BadUsage("--outdir and --errdir are one directory: a host has a file of the same name in each")
        self._text = text

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        answers = kept.files.get("stdout")
        if answers is not None:
            value = (self._text(outcome) or "") if outcome.ok else whole_text(outcome.items) if outcome.items else ""
            if value and not value.endswith("\n"):
                value += "\n"
            answers.add(encoded(value))
        try:
            for file in kept.files.values():
                file.finish()
        finally:
            kept.discard()
        self._then.outcome(outcome, kept)

    def end(self) -> None:
        self._then.end()


class Written:
    """Writes the value of the one host to a file, bytes as they are, then passes the outcome on. Until then the file is
    empty: what an earlier run wrote must not pass for this one's answer, however this one ends.
    """

    def __init__(self, then: Reporter, path: str, text: Text) -> None:
        self._then = then
        self._path = Path(path)
        self._text = text
        if self._path.is_file():
            _write(self._path, b"")

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        if outcome.ok and isinstance(outcome.value, (bytes, bytearray, memoryview)):
            _write(self._path, outcome.value)
        elif outcome.ok:
            _write(self._path, encoded(self._text(outcome) or ""))
        self._then.outcome(outcome, kept)

    def end(self) -> None:
        self._then.end()


def _directory(path: str | None) -> Path | None:
    if path is None:
        return None
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OurError(f"cannot make the directory {path}: {error.strerror}") from None
    return Path(path)


def _write(path: Path, content: bytes | bytearray | memoryview) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        if path.is_file():  # no part of an answer stays that could be taken for all of it
            path.unlink(missing_ok=True)
        raise OurError(f"cannot write {path}: {error.strerror}") from None
