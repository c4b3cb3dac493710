"""A source that is written to while what the receiver has of it is compared: never is mixed content sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc.files.errors import SourceChanged
from remotesvc.files.origin import RESUME_FROM, FileOrigin
from remotesvc.files.source import Sending

SIZE = 2 * RESUME_FROM


def earlier(path: Path) -> None:
    """Change a byte of what was compared."""
    with open(path, "r+b") as file:
        file.seek(100)
        file.write(b"!")


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [earlier, touch])
def test_a_change_after_the_comparison_is_seen(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    os.utime(path, ns=(5, 5))
    with contextlib.closing(FileOrigin(str(path))) as origin:
        compared = origin.agrees(RESUME_FROM, _digest(path, RESUME_FROM))
        agreed = [found for found in compared if found is not None]
        assert agreed
        change(path)
        with pytest.raises(SourceChanged):
            list(origin.messages(Sending(), RESUME_FROM, agreed[-1]))


def test_a_source_sent_from_its_beginning_is_sent_as_it_is_then(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    with contextlib.closing(FileOrigin(str(path))) as origin:
        earlier(path)
        sending = Sending()
        list(origin.messages(sending))
        assert sending.digest == _digest(path, SIZE)


def _digest(path: Path, size: int) -> bytes:
    return hashlib.sha256(path.read_bytes()[:size]).digest()
