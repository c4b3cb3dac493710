"""What lies in a tree, as both sides of a sync tell it: the same bytes of the same, and nothing believed of rubbish."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.files import directories, listing, regular
from remotesvc.files.errors import TransferRefused
from remotesvc.files.filters import Filter
from remotesvc.files.listing import (
    PART,
    PATH,
    Entry,
    Lister,
    entries_untrusted,
    list_tree,
    listing_untrusted,
    messages,
    part_of,
)


def listed(top: Path, symlinks: str = "keep", checksum: bool = False) -> listing.Listing:
    return list_tree(str(top), symlinks, Filter(), Lister(checksum))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "sub" / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    (top / "sub" / "deep" / "file").write_bytes(b"content")
    (top / "link").symlink_to("sub/nowhere")
    return top


def test_a_listing_comes_back_as_it_was(tree: Path) -> None:
    found = listed(tree)
    assert set(found) == {b"", b"empty", b"sub", b"sub/deep"}
    assert listing_untrusted(messages(found), 100) == {path: parts for path, parts in found.items() if parts}
    assert entries_untrusted(found[b""], False)[b"link"] == Entry(stat.S_IFLNK, 11, 0, b"sub/nowhere")
    info = (tree / "sub" / "deep" / "file").stat()
    assert entries_untrusted(found[b"sub/deep"], False) == {b"file": Entry(info.st_mode, 7, info.st_mtime_ns, b"")}
    assert set(entries_untrusted(found[b"sub"], False)) == {b"\xff\n", b"deep"}


@pytest.mark.parametrize(("module", "name", "path"), [
    (os, "readlink", "link"), (os, "listdir", ""), (os, "stat", "empty"), (directories, "open_below", "empty"),
    (regular, "open_file", "sub/\udcff\n"),
])
def test_what_cannot_be_looked_at_is_named_by_its_whole_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, path: str
) -> None:
    def refuse(what: Any, *args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), what)

    monkeypatch.setattr(module, name, refuse)
    with pytest.raises(PermissionError) as caught:
        listed(tree, checksum=True)
    monkeypatch.undo()
    assert caught.value.filename == os.path.join(tree, path).rstrip("/")


def test_a_file_that_is_none_any_more_is_named_by_its_whole_path(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file = regular.open_file
    monkeypatch.setattr(regular, "open_file", lambda *args: open_file("/dev/null"))
    with pytest.raises(TransferRefused, match=f"^{tree}/sub/\udcff\n: "):
        listed(tree, checksum=True)


def test_digests_stand_in_place_of_times(tree: Path) -> None:
    before = listed(tree, checksum=True)
    os.utime(tree / "sub" / "deep" / "file", ns=(5, 5))
    assert listed(tree, checksum=True) == before
    digest = hashlib.sha256(b"content").digest()
    assert entries_untrusted(before[b"sub/deep"], True)[b"file"][1:] == (7, 0, digest)


def test_links_are_followed_or_left_out_if_asked_for(tree: Path) -> None:
    (tree / "there").symlink_to("sub/deep")
    followed = listed(tree, "follow")
    assert followed[b"there"] == followed[b"sub/deep"]
    assert b"link" not in entries_untrusted(followed[b""], False)
    assert set(entries_untrusted(listed(tree, "skip")[b""], False)) == {b"empty", b"sub"}


def test_a_large_directory_has_several_parts(tmp_path: Path) -> None:
    for number in range(PART + 5):
        (tmp_path / f"{number:05}").touch()
    found = listed(tmp_path)
    assert len(found[b""]) == 2
    assert sorted(entries_untrusted(found[b""], False)) == [b"%05d" % number for number in range(PART + 5)]
    assert listing_untrusted(messages(found), PART + 5) == found
    with pytest.raises(TransferRefused, match="max_files"):
        listing_untrusted(messages(found), PART + 4)


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert messages(listed(tmp_path / "none")) == messages(listed(tmp_path)) == []


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else(raw: bytes) -> None:
    for message in (raw, zlib.compress(raw), zlib.compress(PATH.pack(1) + b"p" + raw)):
        try:
            for parts in listing_untrusted([message], 100).values():
                entries_untrusted(parts, True)
        except TransferRefused:
            pass


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(TransferRefused, match="more than fits"):
        listing_untrusted([zlib.compress(bytes(200 << 20), 9)], 10**6)


def packed(part: bytes, path: bytes = b"") -> bytes:
    return zlib.compress(PATH.pack(len(path)) + path + part)


def test_parts_without_entries_count() -> None:
    none = part_of([], [], [], [], [])
    message = zlib.compress(b"".join(PATH.pack(1) + b"%d" % number + none for number in range(9)))
    assert len(listing_untrusted([message], 9)) == 9
    with pytest.raises(TransferRefused, match="max_files"):
        listing_untrusted([message], 8)


@pytest.mark.parametrize("name", ["..", "a/b", "", "."])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    part = part_of([name], [stat.S_IFREG], [1], [1], [])
    with pytest.raises(TransferRefused, match="not the name"):
        entries_untrusted(listing_untrusted([packed(part)], 10)[b""], False)


def test_a_listing_that_its_numbers_contradict_is_refused() -> None:
    for part in (part_of(["a\0b"], [stat.S_IFREG], [1], [1], []), part_of(["a"], [stat.S_IFLNK], [9], [0], [b"to"]),
                 part_of(["a"], [stat.S_IFLNK], [-1], [0], [b"to"]), part_of(["a"], [stat.S_IFREG], [1], [0], [])):
        with pytest.raises(TransferRefused):
            entries_untrusted(listing_untrusted([packed(part)], 10)[b""], True)
