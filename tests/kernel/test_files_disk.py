"""What becomes of the messages of a transfer on a disk: whole files, odd trees, attacks, leftovers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotesvc.files import directories, disk, naming
from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.errors import DigestMismatch, SourceChanged, TransferError, TransferRefused
from remotesvc.files.filters import Filter
from remotesvc.files.flusher import Flusher
from remotesvc.files.leftovers import KEEP_PART, sweep
from remotesvc.files.origin import AHEAD, FileOrigin, TreeOrigin, open_path
from remotesvc.files.records import (
    CHUNK,
    DATA,
    DIRECTORY,
    DIRECTORY_HEAD,
    DONE,
    DONE_HEAD,
    END,
    FILE,
    LINK,
    LINK_HEAD,
    SMALL,
    SMALL_HEAD,
    UP,
    Packer,
    file_head,
)
from remotesvc.files.source import Sending
from tests.kernel.filetrees import SIZES, TREES, content, described, digest, leftovers, make
from tests.stopwatch import Stopwatch

RARELY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOTHING = Filter()


def tree_into(
    source: Path | bytes, target: Path | str, symlinks: str = "keep", inside: bool = False, **finish: Any
) -> Any:
    """Copy a tree through the engine; returns the sink."""
    origin = TreeOrigin(os.fsdecode(source), symlinks, NOTHING)
    sink = tree_sink(os.fspath(target), b"", finish_of(finish), inside, 10**6)
    try:
        for message in origin.messages(Sending()):
            sink.take(bytes(message))
        sink.complete()
    finally:
        sink.close(False)
        origin.close()
    return sink


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


def file_into(source: Path, target: Path, chunk: int = CHUNK, **finish: Any) -> Any:
    with contextlib.closing(FileOrigin(str(source))) as origin:
        sink = file_sink(str(target), b"", None, finish_of(finish))
        try:
            for message in origin.messages(Sending(chunk=chunk)):
                sink.take(bytes(message))
            sink.complete()
        finally:
            sink.close(False)
    return sink


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
    with pytest.raises(TransferRefused, match="no user or group nobody-of-that-name"):
        file_into(source, tmp_path / "b", owner="nobody-of-that-name")


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


def head(name: bytes, size: int) -> tuple[int, bytes]:
    return FILE, file_head(0o644, 0, size, 0) + name


def small(name: bytes, data: bytes, digest: bytes | None = None) -> tuple[int, bytes]:
    return SMALL, SMALL_HEAD.pack(0o644, 0, digest or hashlib.sha256(data).digest(), len(name)) + name + data


EMPTY = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
DIR = DIRECTORY_HEAD.pack(0o755, 0)
FINISHED = (DONE, DONE_HEAD.pack(0, 0))


@pytest.mark.parametrize(
    "sent",
    [
        [head(b"../../.profile", 0)],
        [head(b"/etc/cron.d/x", 0)],
        [head(b"x" * 300, 0)],
        [(DIRECTORY, DIR + b".."), head(b"x", 0)],
        [(DIRECTORY, DIR + b"a/b")],
        [(DIRECTORY, b"\0")],
        [(UP, b"")],
        [(DATA, b"x")],
        [head(b"a", 1), head(b"b", 1)],
        [head(b"a", 1), (DIRECTORY, DIR + b"d")],
        [head(b"a", 1), (DATA, b"xy")],
        [head(b"a", 0), (END, b"short")],
        [head(b"a", 0), (END, bytes(32))],
        [head(b"a", 1 << 63), (END, EMPTY)],
        [head(b"a", 3), (END, EMPTY)],
        [small(b"..", b"x")],
        [small(b"/etc/cron.d/x", b"x")],
        [small(b"a", b"x"), small(b"b", b"y", EMPTY)],
        [small(b"a", b"x"), head(b"b", 1), small(b"c", b"x")],
        [small(b"a", b"x"), (SMALL, b"\0")],
        [(SMALL, SMALL_HEAD.pack(0o644, 0, EMPTY, 300) + b"a")],
        [small(b"%d" % number, b"x") for number in range(51)],
        [small(b"a", b"x"), FINISHED],
        [(LINK, b"\0")],
        [(LINK, LINK_HEAD.pack(4) + b"../x" + b"target")],
        [(DIRECTORY, DIR + b"d")] * 120,
        [(DIRECTORY, DIR + b"d"), FINISHED],
        [(DONE, DONE_HEAD.pack(5, 5))],
        [FINISHED, head(b"late", 0)],
        [(99, b"")],
        [(DIRECTORY, DIR + b"d%d" % number) if even else (UP, b"") for number in range(60) for even in (True, False)],
    ],
)
def test_hostile_trees_are_refused_and_leave_nothing(tmp_path: Path, sent: list[tuple[int, bytes]]) -> None:
    target = tmp_path / "t"
    sink = tree_sink(str(target), b"", finish_of({}), True, 50)
    packer = Packer()
    for kind, payload in sent:
        packer.add(kind, payload)
    packer.flush()
    with pytest.raises(TransferError):
        for message in packer.take():
            sink.take(message)
        sink.complete()
    sink.close(True)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert {path.name for path in tmp_path.iterdir()} == {"t"}


def test_a_stream_that_just_stops_gives_no_file(tmp_path: Path) -> None:
    sink = tree_sink(str(tmp_path / "t"), b"", finish_of({}), True, 50)
    packer = Packer()
    packer.add(*head(b"a", 0))
    packer.add(END, EMPTY)
    packer.flush()
    for message in packer.take():
        sink.take(message)
    with pytest.raises(SourceChanged):
        sink.complete()
    sink.close(False)
    assert list((tmp_path / "t").iterdir()) == []


def test_a_link_swapped_in_during_a_transfer_is_not_followed(tmp_path: Path) -> None:
    """A directory of the tree is replaced by a link while the tree is received."""
    outside = tmp_path / "outside"
    outside.mkdir()
    sink = tree_sink(str(tmp_path / "t"), b"", finish_of({"durable": False}), True, 50)
    packer = Packer()
    packer.add(DIRECTORY, DIR + b"d")
    packer.add(*head(b"a", 0))
    packer.add(END, EMPTY)
    packer.add(UP)
    packer.add(DONE, DONE_HEAD.pack(1, 0))
    packer.flush()
    for message in packer.take():
        sink.take(message)
    (tmp_path / "t" / "d").rename(tmp_path / "t" / "was")
    (tmp_path / "t" / "d").symlink_to(outside)
    with pytest.raises(OSError, match="d"):
        sink.complete()
    sink.close(False)
    assert list(outside.iterdir()) == []


@pytest.fixture
def swapper(tmp_path: Path) -> Iterator[Path]:
    """A tree in which another thread swaps directories and files for links that lead out, all the time."""
    top = tmp_path / "s"
    (top / "d").mkdir(parents=True)
    (top / "d" / "f").write_bytes(b"inside")
    secret = tmp_path / "secret"
    (secret / "sub").mkdir(parents=True)
    (secret / "f").write_bytes(b"SECRET")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                (top / "d").rename(top / "e")
                (top / "d").symlink_to(secret)
                (top / "d").unlink()
                (top / "e").rename(top / "d")
                (top / "d" / "f").unlink()
                (top / "d" / "f").symlink_to(secret / "f")
                (top / "d" / "f").unlink()
                (top / "d" / "f").write_bytes(b"inside")

    thread = threading.Thread(target=swap)
    thread.start()
    yield top
    over.set()
    thread.join()


@pytest.mark.slow
def test_a_race_of_links_never_lets_a_walk_out(swapper: Path) -> None:
    walks, end = 0, time.monotonic() + 5
    while time.monotonic() < end or walks <= 100:
        sent = bytearray()
        with contextlib.closing(TreeOrigin(str(swapper), "keep", NOTHING)) as origin:
            try:
                for message in origin.messages(Sending("off")):
                    sent += message
            except (OSError, TransferError):
                pass
        assert b"SECRET" not in sent
        walks += 1
    assert walks > 100


def test_what_was_reserved_and_not_needed_is_given_back(tmp_path: Path) -> None:
    mib = 1 << 20
    for name, layout in (("end", [(0, 21)]), ("hole", [(0, 18), (120, 19), (160, 1)])):
        source, target = tmp_path / name, tmp_path / f"{name} there"
        with open(source, "wb") as file:
            for start, size in layout:
                file.seek(start * mib)
                file.write(os.urandom(size * mib))
        sink = file_sink(str(target), b"", None, finish_of({}))
        with contextlib.closing(FileOrigin(str(source))) as origin:
            for message in origin.messages(Sending("off")):
                sink.take(message)
        sink.complete()
        sink.close(False)
        assert digest(target) == digest(source)
        assert target.stat().st_blocks * 512 <= sum(size for _start, size in layout) * mib + 64 * 1024


def test_reserving_leaves_a_file_as_large_as_it_is(tmp_path: Path) -> None:
    with open(tmp_path / "f", "w+b", buffering=0) as file:
        file.write(b"x" * 100)
        disk.reserve(file.fileno(), 100, 1 << 20)
        assert os.fstat(file.fileno()).st_size == 100
    with open(os.devnull, "wb") as nothing:
        assert not disk.reserve(nothing.fileno(), 0, 1 << 20)


def test_a_source_that_grows_shrinks_or_changes_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "s"

    def resize(chunks: int) -> None:
        os.truncate(source, chunks * CHUNK)

    def rewrite() -> None:
        with open(source, "r+b") as file:
            file.write(b"other")

    for change in (partial(resize, 4), partial(resize, 10), rewrite):
        source.write_bytes(content(6 * CHUNK))
        (tmp_path / "t").write_bytes(b"old")
        with contextlib.closing(FileOrigin(str(source))) as origin:
            sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}))
            with pytest.raises(SourceChanged):
                for number, message in enumerate(origin.messages(Sending())):
                    sink.take(bytes(message))
                    if number == 2:
                        change()
            sink.close(False)
        assert (tmp_path / "t").read_bytes() == b"old"
        assert leftovers(tmp_path) == []


def test_what_a_small_file_of_a_tree_became_since_its_directory_was_read(tmp_path: Path) -> None:
    source, small = tmp_path / "s", tmp_path / "s" / "small"

    def other() -> None:
        (tmp_path / "other").write_bytes(b"other")
        (tmp_path / "other").rename(small)

    def link() -> None:
        small.unlink()
        small.symlink_to("large")

    def fifo() -> None:
        small.unlink()
        os.mkfifo(small)

    def into(target: Path, change: Callable[[], object]) -> None:
        with contextlib.closing(TreeOrigin(str(source), "keep", NOTHING)) as origin:
            sink = tree_sink(str(target), b"", finish_of({}), True, 50)
            try:
                for number, message in enumerate(origin.messages(Sending("off"))):
                    sink.take(bytes(message))
                    if not number:
                        small.write_bytes(b"what is there")
                        change()
                sink.complete()
            finally:
                sink.close(False)

    source.mkdir()
    (source / "large").write_bytes(content(3 * CHUNK))
    changes: list[tuple[Callable[[], object], bytes]] = [
        (partial(small.write_bytes, b"longer than what was there"), b"longer than what was there"),
        (partial(small.write_bytes, b"as long as it"), b"as long as it"), (partial(small.write_bytes, b""), b""),
        (partial(os.truncate, small, 5), b"what "), (other, b"other"),
        (partial(os.truncate, small, 5 * CHUNK), b"what is there" + bytes(5 * CHUNK - 13))]
    for number, (change, found) in enumerate(changes):
        small.write_bytes(b"what was here")
        into(tmp_path / f"t{number}", change)
        assert (tmp_path / f"t{number}" / "small").read_bytes() == found
    for becomes, error in ((link, OSError), (fifo, TransferRefused)):
        small.write_bytes(b"what was here")
        with pytest.raises(error, match="small"):
            into(tmp_path / becomes.__name__, becomes)
        small.unlink()
    small.write_bytes(b"what was here")
    into(tmp_path / "gone", small.unlink)
    assert [path.name for path in (tmp_path / "gone").iterdir()] == ["large"]
    assert leftovers(tmp_path) == []


def test_a_source_that_is_replaced_is_read_as_it_was(tmp_path: Path) -> None:
    source, data = tmp_path / "s", content(6 * CHUNK)
    source.write_bytes(data)
    found = bytearray()
    with contextlib.closing(FileOrigin(str(source))) as origin:
        sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}))
        for number, message in enumerate(origin.messages(Sending())):
            found += message
            sink.take(bytes(message))
            if number == 2:
                (tmp_path / "new").write_bytes(b"new")
                (tmp_path / "new").rename(source)
                break
        sink.close(False)
    assert source.read_bytes() == b"new"
    assert data[:CHUNK] in found


def test_a_broken_byte_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(3 * CHUNK))
    sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}))
    with contextlib.closing(FileOrigin(str(tmp_path / "s"))) as origin, pytest.raises(DigestMismatch):
        for number, message in enumerate(origin.messages(Sending("off"))):
            body = bytearray(message)
            if number == 1:
                body[1000] ^= 1
            sink.take(body)
    sink.close(True)
    assert {path.name for path in tmp_path.iterdir()} == {"s"}


def left_by(directory: Path, kind: bytes) -> Path:
    """A leftover of a transfer whose process was killed."""
    name = naming.temporary_name(kind)
    (directory / os.fsdecode(name)).write_bytes(b"half")
    return directory / os.fsdecode(name)


def test_leftovers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"x")
    left_by(tmp_path, naming.SINGLE)
    of_a_tree = left_by(tmp_path, naming.TREE)
    own = tmp_path / os.fsdecode(naming.part_name(b"t", b"0" * 16))
    other = tmp_path / os.fsdecode(naming.part_name(b"u", b"0" * 16))
    alike = tmp_path / ".remotesvc-s123.part"
    for path in (own, other, alike):
        path.write_bytes(b"half")
    busy = left_by(tmp_path, naming.SINGLE)
    script = f"import fcntl, sys; f = open({str(busy)!r}, 'r+'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        file_into(tmp_path / "s", tmp_path / "t")
        assert {path.name for path in tmp_path.iterdir()} == {
            "s", "t", of_a_tree.name, other.name, alike.name, busy.name}  # fmt: skip
        assert writer.stdin is not None
        writer.stdin.close()
    directory = directories.open_directory(str(tmp_path))
    swept = sweep(directory, b"t", b"", time.time() + KEEP_PART + 60)
    os.close(directory)
    assert set(swept) == {os.fsencode(path.name) for path in (of_a_tree, other, busy)}


@pytest.mark.parametrize("durable", [True, False])
def test_a_flusher_closes_all_it_was_given(tmp_path: Path, durable: bool) -> None:
    flusher = Flusher(durable)
    fds = []
    for number in range(100):
        fd = os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY)
        fds.append(fd)
        flusher.put(fd)
    flusher.wait()
    flusher.close()


def test_a_flusher_tells_of_the_first_error(tmp_path: Path) -> None:
    flusher = Flusher(True)
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        flusher.put(reading)  # a pipe cannot be made durable
        flusher.wait()
    flusher.close()
    os.close(writing)
