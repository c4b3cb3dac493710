"""Sync: a directory made there what it is here, with as little as possible on the way."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc import Context, Router, TransferRefused, UsageError
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called_files
from tests.kernel.filetrees import content, described, digest, leftovers, make

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "empty").mkdir()
    for number in range(100):
        (top / "sub" / f"{number}").write_bytes(content(number * 30, number))
    (top / "sub" / "deep" / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    (top / "link").symlink_to("sub/1")
    (top / "large").write_bytes(content(4 << 20))
    return top


def test_a_source_of_which_nothing_is_left_becomes_a_directory(context: Context, tmp_path: Path) -> None:
    """A source of which nothing is left becomes a directory; that it cannot be made is said."""
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "left.out").touch()
    target = tmp_path / "there" / "t"
    assert context.sync(tmp_path / "nothing", target, exclude="*.out", dry_run=True).changed_names == []
    assert not target.exists()
    context.sync(tmp_path / "nothing", target, exclude="*.out")
    assert list(target.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        context.sync(tmp_path / "nothing", "/proc/nowhere", exclude="*.out")


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_a_sync_that_is_repeated_sends_only_what_changed(
    router: Router, interpreter: Interpreter, tree: Path, tmp_path: Path
) -> None:
    context, target = router.local(python=interpreter.path), tmp_path / "t"
    first = context.sync(tree, target)
    assert (first.files, first.unchanged, first.links) == (102, 0, 1)
    assert described(target, times=True) == described(tree, times=True)
    again = context.sync(tree, target)
    assert (again.files, again.unchanged, again.wire, again.changed_names) == (0, 102, 0, [])
    with open(tree / "large", "r+b") as file:
        file.seek(1 << 20)
        file.write(b"changed")
    (tree / "sub" / "7").write_bytes(b"new")
    (tree / "new").mkdir()
    third = context.sync(tree, target)
    assert sorted(third.changed_names) == ["large", "sub/7"]
    assert third.wire < 20000
    assert described(target, times=True) == described(tree, times=True)
    assert leftovers(tmp_path) == []


def test_delete_and_dry_run(context: Context, tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    context.sync(tree, target)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"x")
    (target / "more" / "below").mkdir(parents=True)
    (target / "more" / "below" / "file").write_bytes(b"x")
    (target / "away").symlink_to(outside)
    (target / "kept.bak").write_bytes(b"x")
    shutil.rmtree(tree / "empty")
    (tree / "sub" / "1").write_bytes(b"changed")
    before = described(target)
    told = context.sync(tree, target, delete=True, dry_run=True, exclude=["*.bak"])
    assert (told.changed_names, sorted(told.deleted_names)) == (["sub/1"], ["away", "empty", "more"])
    assert described(target) == before
    assert context.sync(tree, target, exclude=["*.bak"]).deleted == 0
    assert (target / "more").exists()
    assert context.sync(tree, target, delete=True, exclude=["*.bak"]).deleted == 3
    assert (outside / "kept").exists()
    (target / "kept.bak").unlink()
    assert described(target, times=False) == described(tree)


def test_delete_leaves_what_is_excluded_wherever_it_lies(context: Context, tree: Path, tmp_path: Path) -> None:
    """In a directory that is only there, too, and in one that a file is to replace."""
    target, rules = tmp_path / "t", ["*.bak", "cache/", "!kept.bak"]
    make({b"old": {b"deep": {b"x.bak": b"1", b"y": b"2"}, b"cache": {b"z": b"3"}, b"gone": {b"kept.bak": b"4"}},
          b"whole": {b"a": {b"b": b"5"}}, b"cache": {b"c": b"6"}, b"two\nlines": {b"x.bak": b"7"}}, bytes(target))
    (target / "old" / "deep" / "link.bak").symlink_to("y")
    gone = ["old/deep/y", "old/gone", "whole"]
    told = context.sync(tree, target, delete=True, dry_run=True, exclude=rules)
    assert (told.deleted, sorted(told.deleted_names)) == (3, gone)
    assert (target / "whole" / "a" / "b").exists()
    done = context.sync(tree, target, delete=True, exclude=rules)
    assert (done.deleted, sorted(done.deleted_names)) == (3, gone)
    stays = {b"old", b"old/deep", b"old/deep/x.bak", b"old/deep/link.bak", b"old/cache", b"old/cache/z", b"cache",
             b"cache/c", b"two\nlines", b"two\nlines/x.bak"}
    assert set(described(target)) == set(described(tree)) | stays
    (target / "large").unlink()
    make({b"large": {b"x.bak": b"1", b"y": b"2"}}, bytes(target))
    for dry_run in (True, False):
        with pytest.raises(IsADirectoryError, match="what is excluded in it stays"):
            context.sync(tree, target, delete=True, exclude=rules, dry_run=dry_run)
    assert sorted(os.listdir(target / "large")) == ["x.bak", "y"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("there", [False, True])
def test_what_a_slash_behind_either_path_says_is_nothing_to_a_sync(
    context: Context, tree: Path, tmp_path: Path, slash: str, there: bool
) -> None:
    """The directory becomes the other, where a push would put it below."""
    target = tmp_path / "t"
    if there:
        make({b"only": {b"there": b"x"}, tree.name.encode(): {b"of": b"the same name"}}, bytes(target))
    told = context.sync(f"{tree}{slash}", f"{target}/", delete=True, dry_run=True)
    done = context.sync(f"{tree}{slash}", f"{target}/", delete=True)
    assert (sorted(told.changed_names), told.deleted) == (sorted(done.changed_names), 2 * there)
    assert (done.files, done.deleted) == (102, 2 * there)
    for dry_run in (True, False):
        again = context.sync(f"{tree}{slash}", f"{target}/", delete=True, dry_run=dry_run)
        assert (again.files, again.unchanged, again.deleted) == (0, 102, 0)
    assert described(target, times=True) == described(tree, times=True)


def test_an_error_of_a_removal_names_the_whole_path(context: Context, tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    make({b"old": {b"deep": {b"y": b"2"}}}, bytes(target))
    context.call(called_files.unlink_nothing)
    with pytest.raises(PermissionError) as caught:
        context.sync(tree, target, delete=True)
    assert caught.value.filename == str(target / "old" / "deep" / "y")


def test_what_is_of_another_kind_there_is_replaced_only_with_delete(
    context: Context, tree: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t"
    (target / "large" / "x").mkdir(parents=True)
    (target / "sub").write_bytes(b"a file")
    for dry_run in (True, False):  # said before anything is sent
        with pytest.raises(IsADirectoryError) as caught:
            context.sync(tree, target, dry_run=dry_run)
        assert caught.value.filename == str(target / "large")
    assert sorted(os.listdir(target)) == ["large", "sub"]
    for dry_run in (True, False):
        assert context.sync(tree, target, delete=True, dry_run=dry_run).deleted_names == ["large", "sub"]
    assert described(target) == described(tree)


def test_digests_find_what_times_hide(context: Context, tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    context.sync(tree, target)
    found = (target / "large").stat()
    with open(target / "large", "r+b") as file:
        file.write(b"damage")
    os.utime(target / "large", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert context.sync(tree, target).changed_names == []
    copied = context.sync(tree, target, checksum=True)
    assert copied.changed_names == ["large"]
    assert digest(target / "large") == digest(tree / "large")
    os.utime(tree / "large")
    assert context.sync(tree, target, checksum=True).changed_names == []


@pytest.mark.parametrize("delta", [True, False])
def test_only_what_is_new_of_a_large_file_is_sent(context: Context, tmp_path: Path, delta: bool) -> None:
    (tmp_path / "s").mkdir()
    data = bytearray(content(32 << 20))
    (tmp_path / "s" / "f").write_bytes(data)
    context.sync(tmp_path / "s", tmp_path / "t")
    chosen = random.Random(5)
    for _ in range(40):
        at = chosen.randrange(len(data))
        data[at:at + 100] = b"changed"
    (tmp_path / "s" / "f").write_bytes(data)
    copied = context.sync(tmp_path / "s", tmp_path / "t", delta=delta)
    assert digest(tmp_path / "t" / "f") == digest(tmp_path / "s" / "f")
    assert (copied.wire < 1 << 20) is delta
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("interpreter", interpreters.outer(), ids=str)
def test_holes_of_a_file_that_changed_stay_holes(router: Router, interpreter: Interpreter, tmp_path: Path) -> None:
    context, source, target = router.local(python=interpreter.path), tmp_path / "s", tmp_path / "t"
    source.mkdir()
    with open(source / "image", "wb") as file:
        for number in range(40):
            file.seek((number << 20) + number * 5000)
            file.write(content(3000 * number, number))
        file.truncate(70_000_001)
    context.sync(source, target)
    with open(source / "image", "r+b") as file:
        for place, data in ((5 << 20, b"new"), (39 << 20, bytes(100)), (60_000_000, content(100_000)), (0, b"first")):
            file.seek(place)
            file.write(data)
    again = context.sync(source, target)
    assert digest(target / "image") == digest(source / "image")
    assert (target / "image").stat().st_blocks <= (source / "image").stat().st_blocks + 136
    assert again.files == 1 and 100_000 < again.wire < 300_000
    with open(source / "image", "r+b") as file:  # one where there are data, and no change besides
        file.truncate(1 << 20)
        file.truncate(70_000_001)
    again = context.sync(source, target)
    assert digest(target / "image") == digest(source / "image")
    assert (target / "image").stat().st_blocks <= 136 and again.wire < 1000


def test_a_basis_that_changes_is_sent_whole(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the checksums and their use somebody writes to the file there."""
    from remotesvc.files.signatures import Signatures

    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "f").write_bytes(content(1 << 20))
    context.sync(tmp_path / "s", tmp_path / "t")
    (tmp_path / "s" / "f").write_bytes(content(1 << 20) + b"more")
    ask = Signatures.of

    def meanwhile(self: Signatures, path: bytes) -> Iterator[bytes | None]:
        yield from ask(self, path)
        (tmp_path / "t" / "f").write_bytes(bytes(1 << 20))

    monkeypatch.setattr(Signatures, "of", meanwhile)
    context.sync(tmp_path / "s", tmp_path / "t")
    assert digest(tmp_path / "t" / "f") == digest(tmp_path / "s" / "f")


def test_what_is_no_directory(context: Context, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for directories"):
        context.sync(tree / "large", tmp_path / "t")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(NotADirectoryError):
        context.sync(tree, tmp_path / "file")


def test_what_the_target_has_to_load(router: Router, tree: Path, tmp_path: Path) -> None:
    """Each is compiled there, on a first connection, before anything is looked at or written."""
    shutil.copytree(tree, tmp_path / "t", symlinks=True)
    context = router.local()

    def loaded() -> set[str]:
        names: list[str] = context.call("builtins:eval", "sorted(__import__('sys').modules)")
        return {name.rpartition(".")[2] if name.startswith("remotesvc.files.") else name for name in names}

    everything = {"directories", "errors", "filters", "listing", "naming", "records", "regular", "walk", "destination",
                  "disk", "flusher", "inflow", "landing", "leftovers", "receive", "sink", "streamsink", "treesink",
                  "tree_landing", "origin", "outflow", "send", "source", "tree", "re", "hashlib"}
    assert context.sync(tree, tmp_path / "t").files == 0
    listing = {"directories", "errors", "filters", "listing", "naming", "records", "regular", "walk"}
    assert loaded() & everything == listing
    context.push(tree, tmp_path / "t2")
    receiving = {"destination", "disk", "flusher", "inflow", "landing", "leftovers", "receive", "sink", "treesink",
                 "tree_landing", "hashlib"}
    assert loaded() & everything == listing | receiving


@pytest.mark.parametrize("checksum", [False, True])
def test_an_owner_is_given_what_is_there_already(
    context: Context, tree: Path, tmp_path: Path, checksum: bool
) -> None:
    target, owner = tmp_path / "t", 12345 if os.getuid() == 0 else os.getuid()
    wanted = [(owner, -1), (-1, owner)] if owner == 12345 else [(owner, -1)]
    context.sync(tree, target)
    for uid, gid in wanted:
        said = f"{uid}" if gid < 0 else f":{gid}"
        told = context.sync(tree, target, owner=said, checksum=checksum, dry_run=True)
        done = context.sync(tree, target, owner=said, checksum=checksum)
        assert sorted(told.changed_names) == sorted(done.changed_names)
        assert done.links + done.unchanged + done.files == 102 + (owner == 12345)
        for path in target.rglob("*"):
            found = path.lstat()
            assert uid in (-1, found.st_uid) and gid in (-1, found.st_gid), path
        again = context.sync(tree, target, owner=said, checksum=checksum)
        assert (again.unchanged, again.wire) == (102, 0)
        (target / "sub" / "1").unlink()
        assert context.sync(tree, target, owner=said, checksum=checksum).changed_names == ["sub/1"]
    assert described(target, times=True) == described(tree, times=True)
    with pytest.raises(TransferRefused, match="no user or group nobody-of-that-name"):
        context.sync(tree, target, owner="nobody-of-that-name", dry_run=True)


def test_directories_stay_of_the_group_that_they_inherit(context: Context, tmp_path: Path) -> None:
    """Where several work in one directory, it is set-gid, and so is what is made in it."""
    make({b"new": {b"below": {b"file": b"x"}}}, bytes(tmp_path / "s"))
    (tmp_path / "t").mkdir()
    (tmp_path / "t").chmod(0o2775)
    (tmp_path / "s" / "new" / "below").chmod(0o750)
    for way in (context.push, context.pull, context.sync):
        way(f"{tmp_path}/s/", tmp_path / "t")
        assert [(tmp_path / "t" / name).stat().st_mode & 0o7777 for name in ("", "new", "new/below")] == [
            0o2775, 0o2755, 0o2750]  # fmt: skip
    again = context.sync(tmp_path / "s", tmp_path / "t")
    assert (again.unchanged, again.wire) == (1, 0)
    (tmp_path / "s" / "new").chmod(0o700)
    context.sync(tmp_path / "s", tmp_path / "t")
    assert (tmp_path / "t" / "new").stat().st_mode & 0o7777 == 0o2700
    context.sync(tmp_path / "s", tmp_path / "t", special=True)
    assert (tmp_path / "t" / "new").stat().st_mode & 0o7777 == 0o700
