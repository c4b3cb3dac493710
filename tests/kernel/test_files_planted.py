"""Directories that others may write to: what they put under the names that a transfer uses does no harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import Context
from remotesvc.files.marker import MARKER
from remotesvc.files.naming import identity_of, part_name
from remotesvc.files.records import CHUNK
from tests.kernel.filetrees import content, described, digest
from tests.kernel.ways import BOTH, Way

pytest_plugins = ("tests.kernel.call_fixtures",)

STRANGER = 12345
"""A user who is not us."""


def of_another(path: Path, victim: Path) -> None:
    path.write_bytes(content(CHUNK))
    path.chmod(0o666)
    os.chown(path, STRANGER, STRANGER)


def a_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def a_second_name(path: Path, victim: Path) -> None:
    os.link(victim, path)


def a_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path, 0o666)


def a_directory(path: Path, victim: Path) -> None:
    path.mkdir()


PLANTED = pytest.mark.parametrize("plant", [
    pytest.param(of_another, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")),
    a_link, a_second_name, a_fifo, a_directory])


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    (tmp_path / "victim").write_bytes(b"precious")
    return tmp_path / "shared"


@BOTH
@PLANTED
def test_what_is_planted_under_the_name_of_a_part_of_a_file_does_no_harm(
    context: Context, shared: Path, tmp_path: Path, way: Way, plant: Callable[[Path, Path], None]
) -> None:
    source, target, victim = tmp_path / "s", shared / "t", tmp_path / "victim"
    source.write_bytes(content(2 * CHUNK))
    planted = shared / os.fsdecode(part_name(b"t", identity_of(source.stat())))
    plant(planted, victim)
    way(context, source, target)
    assert digest(target) == digest(source)
    info = target.lstat()
    assert (info.st_uid, info.st_nlink) == (os.geteuid(), 1)
    assert victim.read_bytes() == b"precious"
    assert planted.is_symlink() or planted.exists(), "it is not ours to remove"
    assert {path.name for path in shared.iterdir()} == {"t", planted.name}


@BOTH
@PLANTED
def test_what_is_planted_under_the_name_of_a_trees_marker_does_no_harm(
    context: Context, shared: Path, tmp_path: Path, way: Way, plant: Callable[[Path, Path], None]
) -> None:
    source, victim = tmp_path / "s", tmp_path / "victim"
    (source / "d").mkdir(parents=True)
    for name in ("a", "d/b"):
        (source / name).write_bytes(content(CHUNK + 1, len(name)))
    (shared / "s").mkdir()
    (shared / "s").chmod(0o1777)
    planted = shared / "s" / os.fsdecode(MARKER)
    plant(planted, victim)
    way(context, f"{source}/", shared / "s")
    assert victim.read_bytes() == b"precious"
    planted.rmdir() if plant is a_directory else planted.unlink()
    assert described(shared / "s") == described(source)
