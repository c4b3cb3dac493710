"""Files to contexts and back: what arrives, what errors say, what it costs."""

from __future__ import annotations

import io
import os
import stat
import threading
from functools import partial
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router, UsageError
from remotesvc.files.errors import DigestMismatch, SourceChanged, TransferError, TransferRefused
from remotesvc.files.records import CHUNK
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_files
from tests.kernel.contexts import until
from tests.kernel.filetrees import SIZES, content, described, digest, leftovers, open_files
from tests.kernel.ways import BOTH, Way, pull, push
from tests.threads import beside

pytest_plugins = ("tests.kernel.call_fixtures",)
MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with what trees have, of more files than one message tells of."""
    return grown(tmp_path / "tree", 300)


@pytest.fixture
def little_tree(tmp_path: Path) -> Path:
    """The same with few files: for what does not depend on how many there are."""
    return grown(tmp_path / "tree", 3)


def grown(top: Path, files: int) -> Path:
    (top / "bin").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "bin" / "tool").write_bytes(b"#!/bin/sh\n")
    (top / "bin" / "tool").chmod(0o755)
    (top / "bin" / "again").symlink_to("tool")
    (top / "large").write_bytes(content(2 * CHUNK + 5))
    for number in range(files):
        (top / f"small{number}").write_bytes(content(number * 7, number))
    (top / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    return top


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_trees_go_both_ways_on_every_python(
    router: Router, interpreter: Interpreter, tree: Path, tmp_path: Path
) -> None:
    context = router.local(python=interpreter.path)
    context.push(tree, tmp_path / "pushed", times=True)
    context.pull(tmp_path / "pushed", tmp_path / "pulled", times=True)
    assert described(tmp_path / "pushed", times=True) == described(tree, times=True)
    assert described(tmp_path / "pulled", times=True) == described(tree, times=True)
    assert leftovers(tmp_path) == []


@BOTH
def test_files_of_every_size(context: Context, tmp_path: Path, way: Way) -> None:
    for size in (*SIZES, 20 * CHUNK):
        (tmp_path / "s").write_bytes(content(size))
        copied = way(context, tmp_path / "s", tmp_path / "t")
        assert copied.digest == digest(tmp_path / "t") == digest(tmp_path / "s")
        assert (copied.files, copied.bytes, copied.sent, copied.path) == (1, size, size, str(tmp_path / "t"))
        assert copied.wire >= size
    assert leftovers(tmp_path) == []


def test_bytes_and_objects(context: Context, tmp_path: Path) -> None:
    for data in (b"", b"small", content(3 * CHUNK)):
        context.push(data, tmp_path / "a")
        context.push(io.BytesIO(data), tmp_path / "b")
        with open(tmp_path / "a", "rb") as file:
            context.push(file, tmp_path / "c", mode=0o600)
        out = io.BytesIO()
        copied = context.pull(tmp_path / "c", out)
        assert {digest(tmp_path / name) for name in "abc"} == {copied.digest}
        assert out.getvalue() == data
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o600


def test_a_pipe_of_unknown_length(context: Context, tmp_path: Path) -> None:
    data = content(5 * CHUNK + 1)
    reading, writing = os.pipe()

    def feed() -> None:
        with open(writing, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(reading, "rb") as file:
        context.push(file, tmp_path / "t")
    thread.join()
    assert (tmp_path / "t").read_bytes() == data


def test_the_destination_says_where_a_file_goes(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "name"
    source.write_bytes(b"x")
    (tmp_path / "dir").mkdir()
    assert context.push(source, tmp_path / "dir").path == str(tmp_path / "dir" / "name")
    assert context.push(source, f"{tmp_path}/made/here/").path == str(tmp_path / "made" / "here" / "name")
    assert context.pull(source, f"{tmp_path}/dir/").path == str(tmp_path / "dir" / "name")
    assert context.push(tmp_path / "dir", f"{tmp_path}/made/").path == str(tmp_path / "made" / "dir")
    assert described(tmp_path / "made" / "dir") == described(tmp_path / "dir")
    monkeypatch.setenv("HOME", str(tmp_path / "dir"))
    assert context.pull(source, "~/home").path == str(tmp_path / "dir" / "home")
    with pytest.raises(TransferRefused, match="give the name"):
        context.push(b"x", tmp_path / "dir")
    for dst in ("~nobody-of-that-name/x", "~nobody-of-that-name"):  # and no directory of this name is made
        for way in (context.push, context.pull):
            with pytest.raises(TransferRefused, match="no home directory is known for ~nobody-of-that-name"):
                way(source, dst)
    with pytest.raises(TransferRefused, match="no home directory"):
        context.pull("~nobody-of-that-name/x", tmp_path / "t")


def test_a_directory_is_not_spilled_into_another_unasked(context: Context, little_tree: Path, tmp_path: Path) -> None:
    """A target may say that what was to be a file is a tree: its names must not end up in a directory of ours."""
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(TransferRefused, match="below"):
        context.pull(little_tree, home)
    assert list(home.iterdir()) == []
    context.pull(little_tree, f"{home}/")
    assert described(home / "tree") == described(little_tree)
    context.pull(f"{little_tree}/", tmp_path / "content")
    context.pull(f"{little_tree}/", f"{tmp_path}/content/")
    context.push(f"{little_tree}/", f"{tmp_path}/pushed/")
    assert described(tmp_path / "content") == described(tmp_path / "pushed") == described(little_tree)


@BOTH
@pytest.mark.parametrize("name", [".", "..", "/.", "/inner/..", "/inner/../"])
def test_dots_mean_the_content_of_a_directory(
    context: Context, little_tree: Path, tmp_path: Path, way: Way, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (little_tree / "inner").mkdir()
    (tmp_path / "there").mkdir()
    src = name if name[0] == "." else f"{little_tree}{name}"
    directory = little_tree / "inner" if name == ".." else little_tree
    monkeypatch.chdir(directory)
    context.call(os.chdir, str(directory))
    told = way(context, src, f"{tmp_path}/there/", dry_run=True)
    copied = way(context, src, f"{tmp_path}/there/")
    assert os.path.normpath(copied.path) == os.path.normpath(told.path) == str(tmp_path / "there")
    assert described(tmp_path / "there") == described(little_tree)
    way(context, src, f"{tmp_path}/there")  # it need not be said of the destination, too


@BOTH
def test_errors_are_those_of_the_system(context: Context, tmp_path: Path, way: Way) -> None:
    source = tmp_path / "s"
    source.write_bytes(content(4 * CHUNK))
    with pytest.raises(FileNotFoundError) as missing:
        way(context, source, tmp_path / "nowhere" / "t")
    assert "nowhere" in str(missing.value)
    with pytest.raises(FileNotFoundError) as absent:
        way(context, tmp_path / "absent", tmp_path / "t")
    assert "absent" in str(absent.value)
    (tmp_path / "dir" / "s" / "full").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        way(context, source, f"{tmp_path}/dir/")
    os.mkfifo(tmp_path / "fifo")
    for special in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(TransferRefused, match="neither a file nor a directory"):
            way(context, special, tmp_path / "t")
    with pytest.raises(UsageError, match="no option 'moed'"):
        way(context, source, tmp_path / "t", moed=1)
    with pytest.raises(UsageError, match="symlinks='all'"):
        way(context, source, tmp_path / "t", symlinks="all")
    assert not (tmp_path / "t").exists()
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_told_and_the_old_file_stays(context: Context, tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(b"old")
    context.call(called_files.limit_file_size, 2 * CHUNK)
    with pytest.raises(OSError, match="File too large") as caught:
        context.push(content(40 * CHUNK), tmp_path / "full")
    assert "full" in str(caught.value)
    assert (tmp_path / "full").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_what_a_target_says_is_not_believed(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(4 * CHUNK))
    context.call(called_files.damage_what_is_sent)
    with pytest.raises(DigestMismatch):
        context.pull(tmp_path / "s", tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert leftovers(tmp_path) == []


@BOTH
@pytest.mark.parametrize("change", ["written to", "truncated", "longer"])
def test_a_source_that_changes(context: Context, tmp_path: Path, way: Way, change: str) -> None:
    source = tmp_path / "s"
    source.write_bytes(content(64 * CHUNK))
    (tmp_path / "t").write_bytes(b"old")

    def progress(done: int, total: int | None) -> None:
        if not 0 < done < 8 * CHUNK:
            return
        if change == "written to":
            os.utime(source)
        else:
            os.truncate(source, (32 if change == "truncated" else 96) * CHUNK)

    with pytest.raises(SourceChanged):
        way(context, source, tmp_path / "t", progress=progress, limit=40e6)
    until(lambda: leftovers(tmp_path) == [])
    assert (tmp_path / "t").read_bytes() == b"old"


@BOTH
def test_progress_is_told(context: Context, tmp_path: Path, way: Way) -> None:
    (tmp_path / "s").write_bytes(content(9 * CHUNK))
    told: list[tuple[int, int | None]] = []
    way(context, tmp_path / "s", tmp_path / "t", progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (9 * CHUNK, 9 * CHUNK)
    assert len(told) >= 9


@BOTH
def test_excludes(context: Context, tree: Path, tmp_path: Path, way: Way) -> None:
    way(context, tree, tmp_path / "t", exclude=["small*", "!small7", "bin/"])
    assert {path.name for path in (tmp_path / "t").iterdir()} == {"empty", "large", "small7", "\udcff\n"}
    with pytest.raises(UsageError, match="pattern"):
        way(context, tree, tmp_path / "t", exclude=["!"])


def test_links_are_taken_in_only_where_they_stay_inside(context: Context, tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.mkdir()
    (source / "good").symlink_to("file")
    (source / "bad").symlink_to("/etc/passwd")
    copied = context.pull(source, tmp_path / "pulled")
    assert (copied.links, copied.skipped, copied.skipped_names) == (1, 1, ["bad -> /etc/passwd"])
    assert not (tmp_path / "pulled" / "bad").is_symlink()
    assert context.push(source, tmp_path / "pushed").links == 2
    assert os.readlink(tmp_path / "pushed" / "bad") == "/etc/passwd"


@BOTH
@pytest.mark.parametrize("compress", ["auto", "off", "zlib"])
def test_compression(context: Context, tmp_path: Path, way: Way, compress: str) -> None:
    (tmp_path / "s").write_bytes(b"all the same " * 100000)
    copied = way(context, tmp_path / "s", tmp_path / "t", compress=compress)
    assert copied.digest == digest(tmp_path / "t")
    if compress == "zlib":
        assert copied.wire < copied.bytes / 10
    elif compress == "off":
        assert copied.wire > copied.bytes
    (tmp_path / "s").write_bytes(content(MIB))
    assert way(context, tmp_path / "s", tmp_path / "t", compress=compress).wire < MIB + 2000


def test_many_transfers_at_once_and_calls_between(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(40 * CHUNK))
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            way = push if number % 2 else pull
            way(context, tmp_path / "s", tmp_path / f"t{number}", durable=False)
        except BaseException as error:
            errors.append(error)

    with beside(partial(work, number) for number in range(12)):
        assert [context.call(called.add, number, 1) for number in range(50)] == list(range(1, 51))
    assert errors == []
    assert {digest(tmp_path / f"t{number}") for number in range(12)} == {digest(tmp_path / "s")}


def test_trees_go_both_ways_through_another_context(router: Router, tree: Path, tmp_path: Path) -> None:
    hop = router.local()
    behind = router.local(via=hop)
    behind.push(tree, tmp_path / "pushed")
    behind.pull(tmp_path / "pushed", tmp_path / "pulled")
    assert described(tmp_path / "pulled") == described(tree)


def test_a_context_pushes_to_its_own_child(router: Router, tree: Path, tmp_path: Path) -> None:
    context = router.local()
    assert context.call(called_files.push_to_own_child, str(tree), str(tmp_path / "t")) == len(
        [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()])
    assert described(tmp_path / "t") == described(tree)


def test_no_file_stays_open_after_transfers(context: Context, tree: Path, tmp_path: Path) -> None:
    context.push(tree, tmp_path / "first")
    context.pull(tree, tmp_path / "second")
    before = open_files(context)
    for number in range(5):
        context.push(tree, tmp_path / str(number))
        context.pull(f"{tree}/", tmp_path / str(number))
        with pytest.raises(OSError):
            context.push(tree / "large", tmp_path / "nowhere" / "t")
    assert open_files(context) == before


@BOTH
@pytest.mark.slow
def test_memory_is_flat(context: Context, tmp_path: Path, way: Way) -> None:
    (tmp_path / "s").write_bytes(content(8 * MIB))
    way(context, tmp_path / "s", tmp_path / "t")
    with open(tmp_path / "s", "ab") as file:
        more = content(8 * MIB)
        for _ in range(63):
            file.write(more)
        del more
    here, there = called_files.peak_memory(), context.call(called_files.peak_memory)
    assert way(context, tmp_path / "s", tmp_path / "t", durable=False, compress="off").bytes == 512 * MIB
    assert digest(tmp_path / "t") == digest(tmp_path / "s")
    assert called_files.peak_memory() - here <= 16 * 1024
    assert context.call(called_files.peak_memory) - there <= 16 * 1024


def test_the_classes_have_public_names() -> None:
    assert remotesvc.TransferError is TransferError
    assert issubclass(remotesvc.TransferStalled, remotesvc.TransferError)


def test_a_tree_that_cannot_be_read_is_told_before_anyone_is_there_to_take_it(router: Router, tmp_path: Path) -> None:
    source, context = tmp_path / "s", router.local()
    source.mkdir()
    (source / "file").write_bytes(b"content")
    (source / "loop").symlink_to(".")
    with pytest.raises(TransferRefused, match="leads back"):
        context.push(source, tmp_path / "t", symlinks="follow")
    assert context.push(source, tmp_path / "t").links == 1
    assert described(tmp_path / "t") == described(source)
    assert leftovers(tmp_path) == []
