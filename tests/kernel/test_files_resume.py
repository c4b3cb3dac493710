"""Trees whose transfer was interrupted: what the next one finds, sends and leaves."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Cancelled, Context, Lost, Router
from remotesvc.files.errors import TransferRefused
from remotesvc.files.records import CHUNK
from remotesvc.files.shared import share
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called_files
from tests.kernel.contexts import alive, gone, until
from tests.kernel.filetrees import content, described, leftovers
from tests.kernel.ways import BOTH, Way, pull, push

pytest_plugins = ("tests.kernel.call_fixtures",)

MIB = 1 << 20
SMALL_FILES = 200
LARGE = 120 * CHUNK
"""More than what is on its way, twice over."""
LOOK = 4 * CHUNK
"""Bytes between two looks at the disk: one takes longer than to send as many."""
MARKER = ".remotesvc-m0000000000000000.part"
PER_FILE = 250
"""Bytes of the messages that say of a file that it is there, its name included."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Small files, a large one, small ones, a large one; links and modes between."""
    top = tmp_path / "s"
    for name, seed in (("a", 1), ("c", 2)):
        (top / name / "deep").mkdir(parents=True)
        for number in range(SMALL_FILES // 2):
            path = top / name / ("deep" if number % 2 else "") / f"small{number}"
            path.write_bytes(content(number * 301, seed * 1000 + number))
        (top / name / "link").symlink_to("deep")
    (top / "a" / "deep" / "small1").chmod(0o444)
    (top / "a" / "deep" / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    (top / "b").write_bytes(content(LARGE, 3))
    (top / "d").write_bytes(content(LARGE, 4))
    (top / "a" / "deep").chmod(0o750)
    (top / "e").mkdir(mode=0o700)
    return top


def size_of(top: Path) -> int:
    return sum(path.stat().st_size for path in top.rglob("*") if path.is_file() and not path.is_symlink())


def there(top: Path) -> dict[str, int]:
    """What is kept, and how much of each."""
    return {path: os.lstat(path).st_size for path in leftovers(top) if not path.endswith(MARKER)}


def final_names(top: Path) -> list[Path]:
    return [path for path in top.rglob("*")
            if not stat.S_ISDIR(path.lstat().st_mode) and not path.name.startswith(".remotesvc-")]


def arrived(top: Path) -> dict[bytes, object]:
    """Every entry below a directory that is not on its way."""
    return {name: what for name, what in described(top).items() if b".remotesvc-" not in name}


def interrupt(context: Context, way: Way, source: Path, target: Path, size: int, **options: Any) -> int:
    """A transfer whose other process is killed when so much is on the disk; the bytes that are left."""
    pid, looked = context.info["pid"], 0

    def progress(done: int, total: int | None) -> None:
        nonlocal looked
        if done - looked < LOOK:
            return
        looked = done
        if alive(pid) and sum(there(target).values()) >= size:
            os.kill(pid, signal.SIGKILL)
            gone(pid)

    with pytest.raises(Lost):
        way(context, source, target, progress=progress, **options)
    assert (target / MARKER).exists()
    return sum(there(target).values())


@BOTH
@pytest.mark.parametrize("point", [MIB // 2, 10 * MIB, 22 * MIB])
def test_an_interrupted_tree_goes_on(router: Router, source: Path, tmp_path: Path, way: Way, point: int) -> None:
    target, whole = tmp_path / "t", size_of(source)
    left = interrupt(router.local(), way, source, target, point)
    assert final_names(target) == [], "nothing has its name before everything is there"
    copied = way(router.local(), source, target)
    # A small file of which a part was written is sent again.
    assert left - 32768 <= copied.resumed <= left
    assert (copied.bytes, copied.sent) == (whole, whole - copied.resumed)
    assert copied.wire <= copied.sent + PER_FILE * copied.files
    assert described(target) == described(source)
    assert leftovers(target) == []
    assert way(router.local(), source, target if way is push else f"{target}/../t2").resumed == 0


@BOTH
def test_a_tree_interrupted_twice_goes_on(router: Router, source: Path, tmp_path: Path, way: Way) -> None:
    target = tmp_path / "t"
    first = interrupt(router.local(), way, source, target, 3 * MIB)
    second = interrupt(router.local(), way, source, target, first + 4 * MIB)
    assert second > first
    copied = way(router.local(), source, target)
    assert second - 32768 <= copied.resumed <= second
    assert described(target) == described(source)
    assert leftovers(target) == []


def same_size(source: Path, target: Path) -> None:
    (source / "a" / "small40").write_bytes(content(40 * 301, 77))


def large_from_its_middle(source: Path, target: Path) -> None:
    with open(source / "b", "r+b") as file:
        file.seek(MIB)
        file.write(b"other")


def renamed(source: Path, target: Path) -> None:
    (source / "a" / "small40").rename(source / "a" / "renamed")


def removed(source: Path, target: Path) -> None:
    (source / "b").unlink()
    shutil.rmtree(source / "a")


def turned_round(source: Path, target: Path) -> None:
    """A file where a directory was, and the other way round."""
    shutil.rmtree(source / "a")
    (source / "a").write_bytes(b"a file")
    (source / "b").unlink()
    (source / "b").mkdir()
    (source / "b" / "file").write_bytes(b"in it")


def damaged(source: Path, target: Path) -> None:
    """Half of the files that were kept have other content, some are shorter or longer."""
    for number, path in enumerate(sorted(there(target))):
        if number % 2 and not os.path.islink(path):
            os.chmod(path, 0o600)
            with open(path, "r+b") as file:
                file.write(b"damage")
                file.truncate(number * 3)


def linked(source: Path, target: Path) -> None:
    """Files that were kept are links and pipes now, or have another name elsewhere."""
    (source.parent / "victim").write_bytes(b"victim")
    for number, path in enumerate(sorted(there(target))):
        if number % 4 == 0:
            os.link(path, source.parent / f"elsewhere{number}")
        else:
            os.unlink(path)
            if number % 4 == 1:
                os.symlink(source.parent / "victim", path)
            elif number % 4 == 2:
                os.mkfifo(path)


def led_out(source: Path, target: Path) -> None:
    """A directory that the marker names is a link out of the tree, where a file has the name of one that was kept."""
    outside = source.parent / "outside"
    (target / "a").rename(outside)
    (target / "a").symlink_to(outside)


def scribbled(source: Path, target: Path) -> None:
    with open(target / MARKER, "ab") as file:
        file.write(b"+../../x\0-/etc\0?\0+a//b\0\0+" + b"x" * 5000 + b"\0+..\0unfinished")


def emptied(source: Path, target: Path) -> None:
    os.truncate(target / MARKER, 0)


CHANGES = [same_size, large_from_its_middle, renamed, removed, turned_round, damaged, linked, led_out, scribbled,
           emptied]


@BOTH
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_changed_of_an_interrupted_tree_arrives_as_it_is_now(
    router: Router, source: Path, tmp_path: Path, way: Way, change: Callable[[Path, Path], None]
) -> None:
    target = tmp_path / "t"
    left = interrupt(router.local(), way, source, target, 10 * MIB)
    change(source, target)
    # Without its marker, a directory is one that was there: a pull needs to be told that it is to be filled.
    copied = way(router.local(), f"{source}/" if change is emptied else source, target)
    assert copied.bytes == size_of(source) == copied.sent + copied.resumed
    assert copied.resumed <= left - (change is not scribbled)
    if change in (same_size, renamed, scribbled):
        assert copied.resumed >= left - 40 * 301 - 32768
    assert arrived(target) == described(source)
    if change is not emptied:
        assert leftovers(target) == []
    if change is linked:
        assert (tmp_path / "victim").read_bytes() == b"victim"
    if change is led_out:
        assert not final_names(tmp_path / "outside"), "nothing was written through a link"


@BOTH
def test_without_resume_a_tree_begins_anew_and_leaves_nothing(
    router: Router, source: Path, tmp_path: Path, way: Way
) -> None:
    target, stop = tmp_path / "t", threading.Event()
    interrupt(router.local(), way, source, target, 10 * MIB)
    context = router.local()

    def progress(done: int, total: int | None) -> None:
        if done > 10 * CHUNK:
            stop.set()

    with pytest.raises(Cancelled):
        way(context, source, target, progress=progress, stop=stop, resume=False, limit=2e6)
    until(lambda: leftovers(target) == [])
    assert final_names(target) == []
    shutil.rmtree(target)
    interrupt(router.local(), way, source, target, 10 * MIB)
    copied = way(router.local(), source, target, resume=False)
    assert (copied.resumed, copied.sent) == (0, size_of(source))
    assert described(target) == described(source)
    assert leftovers(target) == []


@BOTH
def test_a_tree_that_was_stopped_goes_on(router: Router, source: Path, tmp_path: Path, way: Way) -> None:
    target, stop, context, looked = tmp_path / "t", threading.Event(), router.local(), 0

    def progress(done: int, total: int | None) -> None:
        nonlocal looked
        if done - looked < LOOK:
            return
        looked = done
        if sum(there(target).values()) >= 4 * MIB:
            stop.set()

    with pytest.raises(Cancelled):  # slowly: a pull is stopped when it has to wait for more
        way(context, source, target, progress=progress, stop=stop, limit=10e6)
    until(lambda: context.call(called_files.transfers_over))
    left = sum(there(target).values())
    assert left >= 4 * MIB
    assert final_names(target) == []
    assert way(context, source, target).resumed == left
    assert described(target) == described(source)
    assert leftovers(target) == []


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_an_interrupted_tree_goes_on_with_every_python(
    router: Router, interpreter: Interpreter, source: Path, tmp_path: Path
) -> None:
    for way, target in ((push, tmp_path / "pushed"), (pull, tmp_path / "pulled")):
        left = interrupt(router.local(python=interpreter.path), way, source, target, 4 * MIB)
        copied = way(router.local(python=interpreter.path), source, target)
        assert left - 32768 <= copied.resumed <= left
        assert described(target) == described(source)
        assert leftovers(target) == []


def test_a_shared_tree_is_gone_on_with(router: Router, source: Path, tmp_path: Path) -> None:
    left = interrupt(router.local(), push, source, tmp_path / "t", 10 * MIB)
    with share(source) as shared:
        rest = router.local().push(shared, tmp_path / "t")
        whole = router.local().push(shared, tmp_path / "whole")
    assert left - 32768 <= rest.resumed <= left
    assert (whole.resumed, whole.sent) == (0, size_of(source))
    assert described(tmp_path / "t") == described(tmp_path / "whole") == described(source)
    assert leftovers(tmp_path) == []


def test_an_interrupted_sync_goes_on(router: Router, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    router.local().push(source, target, times=True)
    with open(source / "b", "r+b") as file:
        file.write(b"changed in its first block")
    for number in range(SMALL_FILES // 2):
        (source / "new" / str(number)).parent.mkdir(exist_ok=True)
        (source / "new" / str(number)).write_bytes(content(5000, number))
    (source / "f").write_bytes(content(LARGE, 9))
    before = described(target)

    def sync(context: Context, src: Path, dst: Path, **options: Any) -> Any:
        return context.sync(src, dst, **options)

    left = interrupt(router.local(), sync, source, target, 10 * MIB)
    assert {name: what for name, what in described(target).items() if name in before and b"/" in name} == {
        name: what for name, what in before.items() if b"/" in name}
    copied = sync(router.local(), source, target)
    assert left - 32768 <= copied.resumed <= left
    assert copied.sent <= copied.bytes - left + MIB, "of a file that was there, what is new"
    assert described(target) == described(source)
    assert leftovers(target) == []
    assert sync(router.local(), source, target).changed_names == []


class Held:
    """A push that waits, when a part of it is there, until it may go on: at the latest at the end of the block."""

    def __init__(self, context: Context, source: Path, target: Path) -> None:
        self.may, self.waits = threading.Event(), threading.Event()
        self.copied: Any = None
        self._thread = threading.Thread(target=self._run, args=(context, source, target))
        self._thread.start()
        assert self.waits.wait(60)
        until(lambda: there(target))

    def _run(self, context: Context, source: Path, target: Path) -> None:
        def progress(done: int, total: int | None) -> None:
            if done > 4 * MIB and not self.waits.is_set():
                self.waits.set()
                assert self.may.wait(60)

        self.copied = context.push(source, target, progress=progress)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.go_on()

    def go_on(self) -> Any:
        self.may.set()
        self._thread.join(60)
        return self.copied


@pytest.mark.parametrize("interrupted", [True, False])
def test_two_trees_at_once_to_the_same_top(
    router: Router, source: Path, tmp_path: Path, interrupted: bool
) -> None:
    target = tmp_path / "t"
    if interrupted:
        interrupt(router.local(), push, source, target, 3 * MIB)
    other = tmp_path / "other"
    shutil.copytree(source, other, symlinks=True)
    (other / "b").write_bytes(content(LARGE, 5))
    with Held(router.local(), source, target) as first:
        second = router.local().push(other, target)
        assert (second.resumed, second.sent) == (0, size_of(other)), "what is another's is left to that"
        assert arrived(target) == described(other)
        copied = first.go_on()
    assert (copied.resumed > 0) == interrupted
    assert described(target) == described(source)
    assert leftovers(target) == []


def test_two_trees_at_once_one_below_the_other(router: Router, source: Path, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    source.rename(tmp_path / "up" / "s")
    with Held(router.local(), tmp_path / "up", tmp_path / "t"):
        router.local().push(tmp_path / "up" / "s", tmp_path / "t" / "s")
    assert described(tmp_path / "t") == described(tmp_path / "up")
    assert leftovers(tmp_path) == []


def test_a_directory_of_ones_own_is_still_not_for_a_target_to_fill(
    router: Router, source: Path, tmp_path: Path
) -> None:
    """A pull of a tree into a directory that was there needs a slash, also when such a pull was interrupted there."""
    target = tmp_path / "t"
    target.mkdir()
    interrupt(router.local(), lambda context, src, dst, **options: context.pull(f"{src}/", dst, **options), source,
              target, 3 * MIB)
    with pytest.raises(TransferRefused, match="is one here"):
        router.local().pull(source, target)
    assert there(target), "it may be gone on with"
    assert router.local().pull(f"{source}/", target).resumed > 0
    assert leftovers(target) == []
