"""Trees that a hostile sender makes, and links swapped in on the way: nothing outside is read or written."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc.files.destination import finish_of, tree_sink
from remotesvc.files.errors import SourceChanged, TransferError
from remotesvc.files.origin import TreeOrigin
from remotesvc.files.records import (
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
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending
from tests.kernel.filetrees import meanwhile, swap_for_link
from tests.kernel.landings import NOTHING


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
    sink = tree_sink(str(target), b"", finish_of({}), True, Bounds(max_files=50))
    packer = Packer()
    for kind, payload in sent:
        packer.add(kind, payload)
    packer.flush()
    with pytest.raises(TransferError):
        for message in packer.take():
            sink.take(message)
        sink.complete()
    sink.close(True)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_just_stops_gives_no_file(tmp_path: Path) -> None:
    sink = tree_sink(str(tmp_path / "t"), b"", finish_of({}), True, Bounds(max_files=50))
    packer = Packer()
    packer.add(*head(b"a", 0))
    packer.add(END, EMPTY)
    packer.flush()
    for message in packer.take():
        sink.take(message)
    with pytest.raises(SourceChanged):
        sink.complete()
    sink.close(False)
    assert list(tmp_path.iterdir()) == []


def test_a_link_swapped_in_during_a_transfer_is_not_followed(tmp_path: Path) -> None:
    """A directory of the tree is replaced by a link while the tree is received."""
    outside = tmp_path / "outside"
    outside.mkdir()
    sink = tree_sink(str(tmp_path / "t"), b"", finish_of({"durable": False}), True, Bounds(max_files=50))
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

    def swap() -> None:
        swap_for_link(top / "d", secret)
        (top / "d" / "f").unlink()
        (top / "d" / "f").symlink_to(secret / "f")
        (top / "d" / "f").unlink()
        (top / "d" / "f").write_bytes(b"inside")

    with meanwhile(swap):
        yield top


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
