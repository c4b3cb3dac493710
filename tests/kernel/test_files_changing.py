"""Sources that change while they are read, and bytes that change on the way."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context
from remotesvc.files import directories, sync
from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.errors import DigestMismatch, SourceChanged, TransferRefused
from remotesvc.files.origin import FileOrigin, TreeOrigin
from remotesvc.files.records import CHUNK
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending
from tests.kernel.filetrees import content, described, digest, leftovers, make
from tests.kernel.landings import NOTHING

pytest_plugins = ("tests.kernel.call_fixtures",)


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
            sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}), Bounds())
            with pytest.raises(SourceChanged):
                for number, message in enumerate(origin.messages(Sending())):
                    sink.take(bytes(message))
                    if number == 2:
                        change()
            sink.close(False)
        assert (tmp_path / "t").read_bytes() == b"old"
        assert leftovers(tmp_path) == []


@pytest.fixture
def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries of a directory are looked at before any is opened, as if there was no time between the looks."""
    entries = directories.entries
    monkeypatch.setattr(directories, "entries", lambda directory: iter(list(entries(directory))))


def sent(source: Path, target: Path, change: Callable[[], object]) -> None:
    """Send a tree, which changes after its first message."""
    with contextlib.closing(TreeOrigin(str(source), "keep", NOTHING)) as origin:
        sink = tree_sink(str(target), b"", finish_of({}), True, Bounds(max_files=50))
        try:
            for number, message in enumerate(origin.messages(Sending("off"))):
                sink.take(bytes(message))
                if not number:
                    change()
            sink.complete()
        finally:
            sink.close(False)


@pytest.mark.usefixtures("read_at_once")
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
        def changed() -> None:
            small.write_bytes(b"what is there")
            change()

        sent(source, target, changed)

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


@pytest.mark.parametrize("what", ["file", "link", "directory"])
@pytest.mark.usefixtures("read_at_once")
def test_what_vanishes_from_a_tree_while_it_is_read_is_left_out(tmp_path: Path, what: str) -> None:
    source = tmp_path / "s"
    make({b"a": content(3 * CHUNK), b"directory": {b"x": b""}, b"file": b"x"}, bytes(source))
    (source / "link").symlink_to("a")
    vanish = partial(shutil.rmtree, source / what) if what == "directory" else (source / what).unlink
    sent(source, tmp_path / "t", vanish)
    assert described(tmp_path / "t") == described(source)
    assert len(list(source.iterdir())) == 3


def test_a_directory_that_vanishes_once_it_is_open_is_empty_but_the_top_one_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = directories.entries
    make({b"s": {b"d": {b"x": b""}, b"e": {b"x": b""}}}, bytes(tmp_path))

    def vanishing(directory: int) -> Iterator[tuple[str, os.stat_result]]:
        if os.readlink(f"/proc/self/fd/{directory}") == str(gone):
            shutil.rmtree(gone)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), directory)  # of Linux; others have nothing
        return entries(directory)

    monkeypatch.setattr(directories, "entries", vanishing)
    gone = tmp_path / "s" / "d"
    sent(tmp_path / "s", tmp_path / "t", bool)
    assert set(described(tmp_path / "t")) == {b"d", b"e", b"e/x"}
    gone = tmp_path / "s"
    with pytest.raises(FileNotFoundError) as caught:
        sent(tmp_path / "s", tmp_path / "t2", bool)
    assert caught.value.filename == str(gone)
    assert not (tmp_path / "t2").exists()


def test_a_large_file_that_vanishes_after_it_was_compared_is_left_out_of_a_sync(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make({b"s": {b"a": content(1 << 17), b"b": content(1 << 17)}}, bytes(tmp_path))
    make({b"t": {b"a": content(1 << 17, 8), b"b": content(1 << 17, 8)}}, bytes(tmp_path))
    carry_out = sync._Sync._carry_out

    def vanished(*args: Any) -> Any:
        (tmp_path / "s" / "a").unlink()
        return carry_out(*args)

    monkeypatch.setattr(sync._Sync, "_carry_out", vanished)
    assert context.sync(tmp_path / "s", tmp_path / "t").files == 1
    assert digest(tmp_path / "t" / "b") == digest(tmp_path / "s" / "b")


def test_a_source_that_is_replaced_is_read_as_it_was(tmp_path: Path) -> None:
    source, data = tmp_path / "s", content(6 * CHUNK)
    source.write_bytes(data)
    found = bytearray()
    with contextlib.closing(FileOrigin(str(source))) as origin:
        sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}), Bounds())
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
    sink = file_sink(str(tmp_path / "t"), b"", None, finish_of({}), Bounds())
    with contextlib.closing(FileOrigin(str(tmp_path / "s"))) as origin, pytest.raises(DigestMismatch):
        for number, message in enumerate(origin.messages(Sending("off"))):
            body = bytearray(message)
            if number == 1:
                body[1000] ^= 1
            sink.take(body)
    sink.close(True)
    assert {path.name for path in tmp_path.iterdir()} == {"s"}
