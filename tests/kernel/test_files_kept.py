"""What a transfer of a tree keeps on a disk, in one process: names, locks, ages, and peers that lie."""

from __future__ import annotations

import contextlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc.files import directories, disk, kept
from remotesvc.files import leftovers as leftovers_of_ours
from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.errors import DigestMismatch, SourceChanged, TransferError, TransferRefused
from remotesvc.files.filters import Filter
from remotesvc.files.marker import MARKER
from remotesvc.files.offers import Offers
from remotesvc.files.origin import TreeOrigin
from remotesvc.files.records import (
    CHUNK,
    DATA,
    DIRECTORY,
    DIRECTORY_HEAD,
    END,
    FILE,
    LINK,
    LINK_HEAD,
    SMALL,
    SMALL_HEAD,
    Packer,
    file_head,
)
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending
from tests.kernel.filetrees import content, described, leftovers, make

FILES: dict[bytes, object] = {b"a": {b"%d" % number: b"content %d" % number for number in range(40)},
                              b"large": content(5 * CHUNK)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make(FILES, os.fsencode(tmp_path / "s"))
    return tmp_path / "s"


def sink_of(target: Path, resume: bool = True, **finish: Any) -> Any:
    return tree_sink(str(target), b"", finish_of(dict({"durable": False}, **finish)), True, Bounds(max_files=10**6),
                     resume)


@contextlib.contextmanager
def sent(source: Path, sink: Any, sending: Sending | None = None) -> Iterator[Iterator[Any]]:
    """The messages of a tree for what a sink offers."""
    offers, sending = sink.offers(), sending or Sending("off")
    if offers:
        sending.go_on(Offers(offers))
    with contextlib.closing(TreeOrigin(str(source), "keep", Filter())) as origin:
        yield (bytes(message) for message in origin.messages(sending))


def interrupted(source: Path, target: Path, messages: int = 3, **finish: Any) -> None:
    sink = sink_of(target, **finish)
    with sent(source, sink) as all_of_them:
        for message, _ in zip(all_of_them, range(messages), strict=False):
            sink.take(message)
    sink.close(True)
    assert leftovers(target)


def completed(source: Path, target: Path, **finish: Any) -> Any:
    sink = sink_of(target, **finish)
    with sent(source, sink) as messages:
        for message in messages:
            sink.take(message)
    sink.complete()
    sink.close(False)
    return sink


def test_a_tree_interrupted_a_week_ago_begins_anew(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(source, tmp_path / "t")
    monkeypatch.setattr(leftovers_of_ours, "KEEP_PART", -60.0)
    sink = sink_of(tmp_path / "t")
    assert sink.offers() == b""
    sink.close(False)
    assert leftovers(tmp_path) == []


def test_a_single_file_sweeps_what_is_old(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def push_file() -> None:
        sink = file_sink(str(tmp_path / "t" / "file"), b"", None, finish_of({}), Bounds())
        sink.close(False)

    interrupted(source, tmp_path / "t")
    before = leftovers(tmp_path)
    push_file()
    assert leftovers(tmp_path) == before
    busy = sink_of(tmp_path / "t")
    monkeypatch.setattr(leftovers_of_ours, "KEEP_PART", -60.0)
    directory = directories.open_directory(str(tmp_path / "t"))
    kept.sweep(directory, 0.0)
    os.close(directory)
    assert leftovers(tmp_path) == before, "another transfer is at work with it"
    busy.close(True)
    push_file()
    assert leftovers(tmp_path) == [], "in directories below, too"


def test_a_second_transfer_completes_while_a_first_is_open(source: Path, tmp_path: Path) -> None:
    first = sink_of(tmp_path / "t")
    second = completed(source, tmp_path / "t")
    assert second.resumed == 0
    assert os.path.lexists(tmp_path / "t" / os.fsdecode(MARKER))
    first.close(True)
    assert leftovers(tmp_path) == [], "it had nothing to keep"


@pytest.mark.parametrize("lock", [None, False])
def test_without_locks_nothing_is_kept(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: bool | None
) -> None:
    monkeypatch.setattr(disk, "lock", lambda fd: lock)
    sink = sink_of(tmp_path / "t")
    with sent(source, sink) as messages:
        sink.take(next(messages))
    sink.close(True)
    monkeypatch.undo()
    if lock is None:
        assert leftovers(tmp_path) == []
    assert completed(source, tmp_path / "t").resumed == 0
    assert described(tmp_path / "t") == described(source)


def test_a_top_that_takes_no_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: int, name: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk, "create_and_lock", refuse)
    completed(source, tmp_path / "t")
    assert described(tmp_path / "t") == described(source)


def test_modes_and_owners_that_keep_us_out(source: Path, tmp_path: Path) -> None:
    for path in (source / "a").iterdir():
        path.chmod(0o444)
    (source / "a").chmod(0o555)
    owner = "12345:12345" if os.getuid() == 0 else ""
    interrupted(source, tmp_path / "t", owner=owner)
    sink = completed(source, tmp_path / "t", owner=owner)
    assert sink.resumed > sum(path.stat().st_size for path in (source / "a").iterdir())
    assert described(tmp_path / "t") == described(source)
    if owner:
        assert {path.stat().st_uid for path in (tmp_path / "t").rglob("*")} == {12345}
    assert leftovers(tmp_path) == []
    (source / "a").chmod(0o755)
    (tmp_path / "t" / "a").chmod(0o755)


def test_a_directory_that_was_there_keeps_its_mode(source: Path, tmp_path: Path) -> None:
    (tmp_path / "t" / "a").mkdir(parents=True)
    (tmp_path / "t" / "a").chmod(0o711)
    (source / "a").chmod(0o750)
    (source / "b").mkdir(mode=0o705)
    interrupted(source, tmp_path / "t")
    completed(source, tmp_path / "t")
    modes = {name: (tmp_path / "t" / name).stat().st_mode & 0o777 for name in ("a", "b")}
    assert modes == {"a": 0o711, "b": 0o705}


def test_an_error_leaves_nothing(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "t")
    sink = sink_of(tmp_path / "t")
    with sent(source, sink) as messages:
        sink.take(next(messages))
    with pytest.raises(SourceChanged):
        sink.complete()
    sink.close(False)
    assert os.listdir(tmp_path) == ["s"]


def test_an_error_leaves_what_others_have_put_into_its_directories(source: Path, tmp_path: Path) -> None:
    make({b"x": {b"y": {b"file": b"1"}, b"z": {}}}, bytes(source))
    (tmp_path / "t").mkdir()
    sink = sink_of(tmp_path / "t")
    with sent(source, sink) as messages:
        for message in messages:
            sink.take(message)
    (tmp_path / "t" / "x" / "mine").touch()
    assert (tmp_path / "t" / "x" / "y").exists() and (tmp_path / "t" / "x" / "z").exists()
    sink.close(False)
    assert sorted(described(tmp_path / "t")) == [b"x", b"x/mine"]


def test_large_files_are_hashed_once(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "z").write_bytes(b"the end")
    for remember in (0, 1 << 60):
        target = tmp_path / str(remember)
        interrupted(source, target, messages=5)
        monkeypatch.setattr(kept, "_REMEMBER", remember)
        sink = sink_of(target)
        offers = sink.offers()
        # What is changed after it was hashed is noticed: it does not have the digest that the sender agreed to.
        (path,) = [path for path in target.iterdir() if path.stat().st_size > CHUNK]
        with open(path, "r+b") as file:
            file.write(b"damage")
        sending = Sending("off")
        sending.go_on(Offers(offers))
        with contextlib.closing(TreeOrigin(str(source), "keep", Filter())) as origin, pytest.raises(DigestMismatch):
            for message in origin.messages(sending):
                sink.take(bytes(message))
        sink.close(False)
        assert leftovers(target) == []
        monkeypatch.undo()
        interrupted(source, target, messages=5)
        monkeypatch.setattr(kept, "_REMEMBER", remember)
        assert completed(source, target).resumed > CHUNK
        assert described(target) == described(source)


def test_a_source_that_changes_while_its_beginning_is_compared(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "t", messages=5)
    sink = sink_of(tmp_path / "t")
    with sent(source, sink) as messages, pytest.raises(SourceChanged, match="large"):
        for message in messages:
            if not message:  # the sign of life of a sender that hashes
                with open(source / "large", "r+b") as file:
                    file.write(b"other")
            sink.take(message)
    sink.close(False)


OURS = b".remotesvc-k0123456789abcdef-0123456789abcdef.part"


@pytest.mark.parametrize(
    "sent",
    [
        (FILE, file_head(0o644, 0, 100, 50) + b"unknown"),
        (FILE, file_head(0o644, 0, 6 * CHUNK, 1) + b"large"),
        (FILE, file_head(0o644, 0, 9 * CHUNK, 8 * CHUNK) + b"large"),
        (FILE, file_head(0o644, 0, 1, 0) + OURS),
        (FILE, file_head(0o644, 0, 1, 0) + MARKER),
        (SMALL, SMALL_HEAD.pack(0o644, 0, bytes(32), len(MARKER)) + MARKER),
        (LINK, LINK_HEAD.pack(len(MARKER)) + MARKER + b"large"),
        (DIRECTORY, DIRECTORY_HEAD.pack(0o755, 0) + MARKER),
    ],
)
def test_a_sender_that_lies(source: Path, tmp_path: Path, sent: tuple[int, bytes]) -> None:
    interrupted(source, tmp_path / "t", messages=5)
    sink = sink_of(tmp_path / "t")
    packer = Packer()
    packer.add(*sent)
    packer.flush()
    with pytest.raises((TransferRefused, DigestMismatch)):
        sink.take(packer.take()[0])
    sink.close(False)
    assert leftovers(tmp_path) == []
    assert [path for path in (tmp_path / "t").rglob("*") if not path.is_dir()] == []


def test_a_sender_that_goes_on_with_other_content(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "t", messages=5)
    (size,) = {path.stat().st_size for path in (tmp_path / "t").iterdir() if path.is_file()} - {
        (tmp_path / "t" / os.fsdecode(MARKER)).stat().st_size}
    sink = sink_of(tmp_path / "t")
    packer = Packer()
    packer.add(FILE, file_head(0o644, 0, size + 4, size), b"large")
    packer.add(DATA, b"evil")
    packer.add(END, bytes(32))
    packer.flush()
    with pytest.raises(TransferError, match="not what was sent"):
        sink.take(packer.take()[0])
    sink.close(True)


def test_memory_is_small_for_many_files(tmp_path: Path) -> None:
    count = 20000
    make({b"%d" % each: {b"%d" % number: b"x" for number in range(1000)} for each in range(count // 1000)},
         os.fsencode(tmp_path / "s"))
    sink = sink_of(tmp_path / "t")
    with sent(tmp_path / "s", sink) as messages:
        for message in messages:
            sink.take(message)
    sink.close(True)
    sink = sink_of(tmp_path / "t")
    tracemalloc.start()
    offers = sink.offers()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(offers) == 48 * count
    assert peak < 250 * count
    sending = Sending("off")
    tracemalloc.start()
    sending.go_on(Offers(offers))
    with contextlib.closing(TreeOrigin(str(tmp_path / "s"), "keep", Filter())) as origin:
        size = sum(map(len, origin.messages(sending)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sending.resumed == count
    assert size < 100 * count
    assert peak < 100 * count
    sink.close(False)
    assert leftovers(tmp_path) == []
