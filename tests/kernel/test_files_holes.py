"""Holes: a few bytes on the way that take long to hash or to write. Whoever receives them can be stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.errors import Cancelled
from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.records import COPY, FILE, HOLE, NUMBER, RANGE, Packer, file_head
from remotesvc.files.sink import MAX_HOLE, Bounds, Sink
from remotesvc.files.streamsink import StreamSink


class Patience:
    """Is at its end after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def __call__(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Cancelled("stopped")


class Counting:
    """An object that counts what it is given."""

    size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)


def message(*records: tuple[int, bytes]) -> bytes:
    packer = Packer()
    for kind, payload in records:
        packer.add(kind, payload)
    packer.flush()
    (packed,) = packer.take()
    return bytes(packed)


HEAD = (FILE, file_head(0o644, 0, None, 0) + b"f")


@pytest.mark.parametrize("kind", ["file", "stream", "tree"])
def test_a_message_of_holes_can_be_stopped(tmp_path: Path, kind: str) -> None:
    out: Any = Counting()
    bounds = Bounds(max_files=10, check=Patience(5))
    sink: Sink = StreamSink(out, bounds) if kind == "stream" else file_sink(
        str(tmp_path / "t"), b"", None, finish_of({}), bounds) if kind == "file" else tree_sink(
        str(tmp_path / "t"), b"", finish_of({}), True, bounds)
    with pytest.raises(Cancelled):
        sink.take(message(HEAD, *[(HOLE, NUMBER.pack(MAX_HOLE))] * 1000))
    sink.close(False)
    assert out.size <= 5 << 20
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_a_message_of_empty_holes_can_be_stopped() -> None:
    sink = StreamSink(Counting(), Bounds(check=Patience(100)))
    with pytest.raises(Cancelled):
        sink.take(message(HEAD, *[(HOLE, NUMBER.pack(0))] * 1000))


def test_a_message_of_copies_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "f").write_bytes(bytes(3 << 20))
    sink = tree_sink(str(tmp_path / "t"), b"", finish_of({}), False, Bounds(max_files=10, check=Patience(5)),
                     basis=True)
    with pytest.raises(Cancelled):
        sink.take(message(HEAD, *[(COPY, RANGE.pack(0, 3 << 20))] * 1000))
    sink.close(False)
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["f"]
