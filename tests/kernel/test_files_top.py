"""The directory that a tree becomes, where it was not there before: its mode, time and owner."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Cancelled, Context
from remotesvc.files import directories
from remotesvc.files.shared import share
from tests.kernel.filetrees import content, described, leftovers, make

pytest_plugins = ("tests.kernel.call_fixtures",)
WAYS = pytest.mark.parametrize("way", ["push", "pull", "sync", "share"])
OLD = 10**18


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory that is nobody else's business, though what is in it has the modes of all files."""
    make({b"file": b"x", b"large": content(9 << 20), b"below": {b"z": b"z"}}, bytes(tmp_path / "s"))
    (tmp_path / "s").chmod(0o2700)
    os.utime(tmp_path / "s", ns=(OLD, OLD))
    return tmp_path / "s"


def transfer(context: Context, way: str, source: Path, target: Path | str, **options: Any) -> None:
    if way == "share":
        with share(source) as shared:
            context.push(shared, target, **options)
    else:
        getattr(context, way)(source, target, **options)


@WAYS
def test_a_directory_that_was_not_there_becomes_what_the_source_is(
    context: Context, source: Path, tmp_path: Path, way: str
) -> None:
    transfer(context, way, source, tmp_path / "new" / "t", times=True)
    found = (tmp_path / "new" / "t").stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o700, OLD)
    assert (tmp_path / "new").stat().st_mode & 0o077  # those above are of the receiver
    assert described(tmp_path / "new" / "t") == described(source)
    transfer(context, way, source, tmp_path / "special", special=True)
    assert (tmp_path / "special").stat().st_mode & 0o7777 == 0o2700


@WAYS
def test_one_that_was_there_stays_what_it_is(context: Context, source: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t").chmod(0o751)
    transfer(context, way, source, f"{tmp_path}/t" if way == "sync" else f"{tmp_path}/t/")
    assert (tmp_path / "t").stat().st_mode & 0o7777 == 0o751


@WAYS
def test_nobody_looks_into_it_meanwhile(context: Context, source: Path, tmp_path: Path, way: str) -> None:
    """Nor after an interruption; the mode comes also with what goes on."""
    source.chmod(0o500)
    stop, target = threading.Event(), tmp_path / "t"

    def progress(done: int, total: int | None) -> None:
        if done > 4 << 20:
            stop.set()

    with pytest.raises(Cancelled):
        transfer(context, way, source, target, stop=stop, progress=progress, limit=40e6)
    assert target.stat().st_mode & 0o7777 == 0o700
    transfer(context, way, source, target)
    assert target.stat().st_mode & 0o7777 == 0o500
    assert described(target) == described(source)
    assert leftovers(tmp_path) == []


def test_two_who_make_a_directory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = os.mkdir

    def faster(path: str, mode: int = 0o777) -> None:
        mkdir(path, mode)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", faster)
    directories.make(str(tmp_path / "t"), True)
    assert (tmp_path / "t").is_dir()
