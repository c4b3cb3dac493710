"""What becomes of the messages of a transfer on a disk: whole files, odd trees, modes and links."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotesvc.files import directories
from remotesvc.files.errors import SourceChanged, TransferRefused
from remotesvc.files.origin import AHEAD, FileOrigin, TreeOrigin, open_path
from remotesvc.files.records import CHUNK
from remotesvc.files.source import Sending
from tests.kernel.filetrees import SIZES, TREES, content, described, digest, leftovers, make
from tests.kernel.landings import NOTHING, file_into, tree_into
from tests.stopwatch import Stopwatch

RARELY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def test_what_is_read_ahead_comes_first_and_once(tmp_path: Path) -> None:
    source = tmp_path / "s"
    (source / "d").mkdir(parents=True)
    for number in range(300):
        (source / "d" / str(number)).write_bytes(b"%05d" % number * 8000)
    with contextlib.closing(TreeOrigin(str(source), "keep", NOTHING)) as origin:
        plain = [bytes(message) for message in origin.messages(Sending("off"))]
    for over, begun in ((lambda: True, 2), (lambda: False, AHEAD // CHUNK + 2)):
        with contextlib.closing(TreeOrigin(str(source), "keep", NOTHING)) as origin:
            sending = Sending("zlib")
            origin.read_ahead(sending, over)
            assert 0 < sending.read <= begun * CHUNK < sum(map(len, plain))
            assert [zlib.decompress(message[1:]) for message in origin.messages(sending)] == [
                message[1:] for message in plain]
    with contextlib.closing(TreeOrigin(str(source), "keep", NOTHING)) as origin:
        origin.read_ahead(Sending(), lambda: True)  # its directories are closed all the same


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", [CHUNK, 4096, 70000])
def test_files_of_every_size_and_cut(tmp_path: Path, size: int, chunk: int) -> None:
    (tmp_path / "a").write_bytes(content(size))
    sink = file_into(tmp_path / "a", tmp_path / "b", chunk)
    assert digest(tmp_path / "b") == digest(tmp_path / "a")
    assert (sink.files, sink.bytes) == (1, size)
    assert leftovers(tmp_path) == []


@RARELY
@given(TREES)
def test_trees_with_odd_names(node: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source, target = os.fsencode(directory) + b"/s", os.fsencode(directory) + b"/t"
        make(node, source)
        tree_into(source, os.fsdecode(target), times=True, durable=False)
        assert described(target, times=True) == described(source, times=True)
        assert leftovers(Path(directory)) == []


@RARELY
@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 70000))
def test_sparse_files_stay_sparse(layout: list[int], tail: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "s"), Path(directory, "t")
        with open(source, "wb") as file:
            for pieces in layout:
                file.seek(pieces * 1000000, os.SEEK_CUR)
                file.write(b"data" * 5000)
            file.truncate(file.tell() + tail)
        file_into(source, target, durable=False)
        assert digest(target) == digest(source)
        assert target.stat().st_blocks <= source.stat().st_blocks + 136


def test_a_huge_hole_costs_no_room(tmp_path: Path) -> None:
    with open(tmp_path / "s", "wb") as file:
        file.write(b"begin")
        file.truncate(3 << 30)
    with contextlib.closing(FileOrigin(str(tmp_path / "s"))) as origin:
        messages = sum(len(message) for message in origin.messages(Sending()))
    assert messages < 200 * 1024
    file_into(tmp_path / "s", tmp_path / "t", durable=False)
    assert (tmp_path / "t").stat().st_size == 3 << 30
    assert (tmp_path / "t").stat().st_blocks * 512 < 1 << 20
    (tmp_path / "t").unlink()


def test_modes_owners_and_times(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x")
    source.chmod(0o6755)
    os.utime(source, ns=(1, 1234567890123456789))
    file_into(source, tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o755, "suid and sgid are not taken over"
    file_into(source, tmp_path / "b", special=True, times=True)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o6755
    assert (tmp_path / "b").stat().st_mtime_ns == 1234567890123456789
    file_into(source, tmp_path / "b", mode=0o600, mtime=5 * 10**9, owner=f"{os.getuid()}:{os.getgid()}")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert (tmp_path / "b").stat().st_mtime == 5
    for name in ("nobody-of-that-name", "\u00b2", "a\0b", "9" * 5000):
        with pytest.raises(TransferRefused, match=f"no user or group {name[:80]}"):
            file_into(source, tmp_path / "b", owner=name)
    for number in (2**32 - 1, 2**32, 2**70):
        for said in (f"{number}", f":{number}"):
            with pytest.raises(TransferRefused, match=f"{number} is not the number of a user or group"):
                file_into(source, tmp_path / "b", owner=said)


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_made_is_durable_with_its_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """After the last change of each file and directory comes an fsync of it."""
    source, flushed = tmp_path / "s", {}
    for name in ("a/b", "c"):
        (source / name).mkdir(parents=True)
    (source / "a" / "b" / "file").write_bytes(b"content")
    fsync = os.fsync

    def noted(fd: int) -> None:
        fsync(fd)
        found = os.fstat(fd)
        flushed[found.st_ino] = found.st_ctime_ns

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.chdir(tmp_path)
    tree_into(source, "new/tree", times=True, durable=durable)
    for name in ("new", "new/tree/a", "new/tree/a/b", "new/tree/c"):
        found = os.stat(name)
        assert flushed.get(found.st_ino) == (found.st_ctime_ns if durable else None), name
    for name in (".", "new/tree", "new/tree/a/b/file"):  # a name, not what it stands for, has changed since
        assert (os.stat(name).st_ino in flushed) is durable, name


def test_a_mirror_flushes_only_the_directories_that_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target, flushed = tmp_path / "s", tmp_path / "t", []
    for number in range(20):
        (source / str(number)).mkdir(parents=True)
    (source / "7" / "file").write_bytes(b"content")
    tree_into(source, target)
    fsync = os.fsync

    def noted(fd: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    (source / "7" / "file").write_bytes(b"changed")
    tree_into(source, target, basis=True)
    assert sorted(each for each in flushed if "remotesvc" not in each) == [str(target / "7")]


def test_directories_above_that_cannot_be_read_are_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a drop box, which only takes: their names are as durable as its owner has them."""

    def refused(path: str) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(directories, "open_directory", refused)
    directories.make(str(tmp_path / "a" / "b"), True)
    assert (tmp_path / "a" / "b").is_dir()


def test_a_link_at_the_destination_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"old")
    (tmp_path / "b").symlink_to("victim")
    file_into(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "victim").read_bytes() == b"old"
    assert not (tmp_path / "b").is_symlink()
    assert (tmp_path / "b").read_bytes() == b"new"


def test_links_in_the_way_of_a_tree_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "s" / "sub").mkdir(parents=True)
    (tmp_path / "s" / "sub" / "f").write_bytes(b"new")
    (tmp_path / "s" / "top").write_bytes(b"new")
    (tmp_path / "outside").mkdir()
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "sub").symlink_to(tmp_path / "outside")
    (tmp_path / "t" / "top").symlink_to(tmp_path / "outside" / "top")
    tree_into(tmp_path / "s", tmp_path / "t")
    assert list((tmp_path / "outside").iterdir()) == []
    assert described(tmp_path / "t") == described(tmp_path / "s")


@pytest.mark.parametrize("symlinks", ["keep", "follow", "skip"])
def test_links_in_a_tree(tmp_path: Path, symlinks: str) -> None:
    source = tmp_path / "s"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_bytes(b"content")
    (source / "inside").symlink_to("d/f")
    (source / "d" / "up").symlink_to("../inside")
    (source / "absolute").symlink_to(source / "d" / "f")
    (source / "escape").symlink_to("../../etc/passwd")
    (source / "dangling").symlink_to("nowhere")
    sink = tree_into(source, tmp_path / "t", symlinks, inside=True)
    found = {os.fsdecode(name) for name in described(tmp_path / "t")}
    if symlinks == "skip":
        assert found == {"d", "d/f"}
    elif symlinks == "keep":
        assert found == {"d", "d/f", "inside", "d/up", "dangling"}
        assert (tmp_path / "t" / "d" / "up").read_bytes() == b"content"
        assert sink.skipped_count == 2
        assert any(b"escape -> ../../etc/passwd" in name for name in sink.skipped)
    else:
        assert {"d", "d/f", "inside", "d/up", "absolute"} <= found
        assert (tmp_path / "t" / "absolute").read_bytes() == b"content"
        assert not (tmp_path / "t" / "inside").is_symlink()


def test_links_that_lead_back_are_an_error_when_followed(tmp_path: Path) -> None:
    (tmp_path / "s" / "d").mkdir(parents=True)
    (tmp_path / "s" / "d" / "loop").symlink_to("..")
    with pytest.raises(TransferRefused, match="leads back"):
        tree_into(tmp_path / "s", tmp_path / "t", "follow")
    assert leftovers(tmp_path) == []


def test_what_is_no_file_is_refused_at_once_or_skipped(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    os.mkfifo(tmp_path / "s" / "fifo")
    for path in (tmp_path / "s" / "fifo", Path("/dev/null")):
        watch = Stopwatch()
        with pytest.raises(TransferRefused):
            open_path(str(path), "keep", NOTHING)
        assert watch.seconds < 5
    sink = tree_into(tmp_path / "s", tmp_path / "t")
    assert sink.skipped == [b"fifo"]
    with pytest.raises(SourceChanged):
        file_into(Path("/proc/sys/kernel/random/uuid"), tmp_path / "status")
    assert not (tmp_path / "status").exists()
