"""Transfers that are interrupted, go on, run out of time or wait for a side that does nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallTimeout, Cancelled, Context, Lost, Router
from remotesvc.files import naming
from remotesvc.files.errors import TransferError, TransferStalled
from remotesvc.files.landing import Finish, Landing
from remotesvc.files.options import Options
from remotesvc.files.records import CHUNK, DATA, DONE, DONE_HEAD, END, FILE, Packer, file_head
from remotesvc.files.sink import Bounds, FileSink
from tests.kernel import called, called_files
from tests.kernel.contexts import alive, gone, until
from tests.kernel.filetrees import content, digest, leftovers, open_files
from tests.kernel.ways import BOTH, Way, pull
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures",)
MIB = 1 << 20


def interrupted_at(context: Context, way: Way, source: Path, target: Path, size: int, **options: object) -> None:
    """A transfer whose target process is killed when so much is done, and half of that is on the disk: up to 64 chunks
    more are on their way. So there must be more than that to come, or a pull has all it needs."""
    pid = context.info["pid"]

    def arrived() -> int:
        return sum(os.stat(part).st_size for part in leftovers(target.parent))

    def progress(done: int, total: int | None) -> None:
        if done >= size and alive(pid):
            until(lambda: arrived() >= size // 2)
            os.kill(pid, signal.SIGKILL)
            gone(pid)

    with pytest.raises(Lost):
        way(context, source, target, progress=progress, **options)


@BOTH
def test_an_interrupted_transfer_goes_on(router: Router, tmp_path: Path, way: Way) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(200 * CHUNK))
    target.write_bytes(b"old")
    interrupted_at(router.local(), way, source, target, 60 * CHUNK)
    assert target.read_bytes() == b"old"
    (part,) = leftovers(tmp_path)
    size = os.stat(part).st_size
    assert 20 * CHUNK < size < 200 * CHUNK
    copied = way(router.local(), source, target)
    assert copied.resumed == size
    assert (copied.sent, copied.bytes) == (200 * CHUNK - size, 200 * CHUNK)
    assert digest(target) == digest(source)
    assert leftovers(tmp_path) == []


def test_what_a_pull_goes_on_with_is_read_once(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target, read = tmp_path / "s", tmp_path / "t", []
    source.write_bytes(content(200 * CHUNK))
    interrupted_at(router.local(), pull, source, target, 60 * CHUNK)
    take_in = Landing._take_in

    def counted(landing: Landing, hashed: object) -> None:
        take_in(landing, hashed)
        if hashed is None:
            read.append(landing.position)

    monkeypatch.setattr(Landing, "_take_in", counted)
    copied = pull(router.local(), source, target)
    assert digest(target) == digest(source)
    assert sum(read) == copied.resumed > 20 * CHUNK  # a second time nothing would be acknowledged meanwhile
    assert leftovers(tmp_path) == []


@BOTH
@pytest.mark.parametrize("change", ["source", "part", "longer", "unwanted"])
def test_what_does_not_agree_is_sent_anew(router: Router, tmp_path: Path, way: Way, change: str) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(120 * CHUNK))
    interrupted_at(router.local(), way, source, target, 30 * CHUNK)
    (part,) = leftovers(tmp_path)
    if change == "source":
        source.write_bytes(content(120 * CHUNK, 8))
    elif change == "part":
        with open(part, "r+b") as file:
            file.write(b"damage")
    elif change == "longer":
        with open(part, "ab") as file:
            file.write(content(120 * CHUNK))
    copied = way(router.local(), source, target, resume=change != "unwanted")
    assert copied.resumed == 0
    assert copied.sent == 120 * CHUNK
    assert digest(target) == digest(source)
    assert leftovers(tmp_path) == []


@BOTH
def test_without_resume_nothing_is_left(router: Router, tmp_path: Path, way: Way) -> None:
    source = tmp_path / "s"
    source.write_bytes(content(200 * CHUNK))  # slowly: a pull is stopped when it has to wait for more
    context, stop = router.local(), threading.Event()

    def progress(done: int, total: int | None) -> None:
        if done > 10 * CHUNK:
            stop.set()

    with pytest.raises(Cancelled):
        way(context, source, tmp_path / "t", progress=progress, stop=stop, resume=False, limit=2e6)
    until(lambda: leftovers(tmp_path) == [])
    assert not (tmp_path / "t").exists()
    assert context.call(called.add, 1, 2) == 3


@BOTH
def test_a_timeout_ends_a_transfer(context: Context, tmp_path: Path, way: Way) -> None:
    (tmp_path / "s").write_bytes(content(60 * CHUNK))
    with pytest.raises(CallTimeout):
        way(context, tmp_path / "s", tmp_path / "t", timeout=1.0, limit=10000)
    assert not (tmp_path / "t").exists()
    assert context.call(called.add, 1, 2) == 3


class Slow:
    """An object that takes the first bytes and then nothing until it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.begun = threading.Event()

    def write(self, data: bytes) -> int:
        self.begun.set()
        assert self.may.wait(60)
        return len(data)


def test_a_receiver_that_takes_nothing_stops_nobody_else(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").write_bytes(content(300 * CHUNK))
    slow, errors = Slow(), []
    context.pull(tmp_path / "s", tmp_path / "t")
    before = open_files(context)
    monkeypatch.setattr(Options, "idle", lambda options: 60.0)  # the sender is impatient, who may be starved itself

    def wait() -> None:
        try:
            context.pull(tmp_path / "s", slow, idle_timeout=1.0)
        except TransferError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert slow.begun.wait(30)
    for _ in range(3):
        assert context.pull(tmp_path / "s", tmp_path / "t").digest == digest(tmp_path / "s")
    until(lambda: context.call(called_files.open_files) <= before, what="the stalled sender has closed its file")
    slow.may.set()
    thread.join(60)
    assert [type(error).__mro__[1:3] for error in errors] and isinstance(errors[0], TransferStalled)
    assert isinstance(errors[0], TimeoutError)


def test_a_receiver_that_is_stopped_is_given_up(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(300 * CHUNK))
    pid, stopped = context.info["pid"], threading.Event()

    def progress(done: int, total: int | None) -> None:
        if not stopped.is_set():
            os.kill(pid, signal.SIGSTOP)
            stopped.set()

    try:
        with pytest.raises(TransferStalled, match="took nothing for 1 s"):
            context.push(tmp_path / "s", tmp_path / "t", idle_timeout=1.0, resume=False, progress=progress)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert stopped.is_set()
    assert context.call(called.add, 1, 2) == 3
    until(lambda: not (tmp_path / "t").exists() and leftovers(tmp_path) == [], what="the receiver has given up")


@pytest.mark.parametrize("how", ["stop", "timeout", "idle_timeout"])
def test_a_receiver_that_is_stopped_is_not_waited_for_when_the_source_fails(
    context: Context, tmp_path: Path, how: str
) -> None:
    """It is to drop what came; whoever ends the transfer, or the time, ends the wait for that."""
    (tmp_path / "s").write_bytes(content(20 * CHUNK))
    pid, stop, begun = context.info["pid"], threading.Event(), Stopwatch()

    def progress(done: int, total: int | None) -> None:
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(1, stop.set if how == "stop" else bool).start()
        raise ValueError("of the user's")

    options: dict[str, Any] = {how: stop if how == "stop" else 2}
    try:
        with pytest.raises(ValueError, match="of the user's"):
            context.push(tmp_path / "s", tmp_path / "t", progress=progress, **options)
        assert begun.seconds < 10
    finally:
        os.kill(pid, signal.SIGCONT)
    assert context.call(called.add, 1, 2) == 3
    assert not (tmp_path / "t").exists()


def test_a_sender_that_sends_nothing_is_given_up(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(4 * CHUNK))
    context.call(called_files.stop_sending)
    with pytest.raises(TransferStalled, match="sent nothing"):
        context.pull(tmp_path / "s", tmp_path / "t", idle_timeout=1.0, resume=False)
    assert leftovers(tmp_path) == []


class TakesLong:
    """An object that takes a hundred times as long as the line."""

    def write(self, data: bytes) -> int:
        time.sleep(0.2)
        return len(data)


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_a_receiver_that_always_has_more_to_do_is_ended(context: Context, tmp_path: Path, how: str) -> None:
    (tmp_path / "s").write_bytes(content(300 * CHUNK))
    stop, begun = threading.Event(), Stopwatch()
    options: dict[str, Any] = {"stop": stop} if how == "stop" else {"timeout": 0.5}
    with pytest.raises(Cancelled if how == "stop" else CallTimeout):
        context.pull(tmp_path / "s", TakesLong(), progress=lambda done, total: stop.set(), compress="off", **options)
    assert begun.seconds < 2.5


def test_a_receiver_there_that_always_has_more_to_do_is_ended(context: Context, tmp_path: Path) -> None:
    context.call(called_files.write_slowly)
    (tmp_path / "s").write_bytes(content(300 * CHUNK))
    stop = threading.Event()
    with pytest.raises(Cancelled):
        context.push(tmp_path / "s", tmp_path / "t", compress="off", stop=stop,
                     progress=lambda done, total: stop.set() if done > 1000000 else None)
    begun = Stopwatch()
    until(lambda: context.call(called_files.transfers_over))
    assert begun.seconds < 2  # it has a window of messages
    (part,) = leftovers(tmp_path)
    assert os.stat(part).st_size


def test_a_transfer_of_called_code_ends_with_its_call(router: Router, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(CHUNK))
    note = tmp_path / "note"
    future = router.local().submit(called_files.pull_what_never_comes, str(tmp_path / "s"), str(note))
    until((tmp_path / "note.begun").exists)
    assert future.cancel()
    until(note.exists)
    assert note.read_text() == "Cancelled: local: the call that wanted it is over"
    assert not (tmp_path / "note.copy").exists()


@pytest.mark.parametrize("tree", [False, True], ids=["file", "tree"])
def test_a_push_that_is_repeated_as_soon_as_it_was_stopped_goes_on(
    context: Context, tmp_path: Path, tree: bool
) -> None:
    """The target may not have heard yet, and has what is there locked."""
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "deep" if tree else source.parent).mkdir(parents=True, exist_ok=True)
    (source / "deep" / "file" if tree else source).write_bytes(content(200 * CHUNK))
    stop = threading.Event()

    def progress(done: int, total: int | None) -> None:
        if done > 80 * CHUNK:
            stop.set()

    for _ in range(3):
        stop.clear()
        with pytest.raises(Cancelled):
            context.push(source, target, stop=stop, progress=progress)
        copied = context.push(source, target)
        assert copied.resumed > 0
        assert leftovers(tmp_path) == []
        (target / "deep" / "file" if tree else target).unlink()


def test_a_part_that_another_has_for_long_is_left_and_removed_later(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    part = naming.part_name(b"t", b"0" * 16)
    held = Landing(directory, b"t", part)
    held.write(b"half")
    sink = FileSink(os.dup(directory), b"t", str(tmp_path / "t"), Finish(), Bounds(), part)
    assert sink.offered == 0
    held.discard(True)
    assert len(leftovers(tmp_path)) == 2
    packer = Packer()
    packer.add(FILE, file_head(0o644, 0, 5, 0) + b"t")
    packer.add(DATA, b"whole")
    packer.add(END, hashlib.sha256(b"whole").digest())
    packer.add(DONE, DONE_HEAD.pack(1, 5))
    packer.flush()
    for message in packer.take():
        sink.take(message)
    sink.complete()
    sink.close(False)
    os.close(directory)
    assert (tmp_path / "t").read_bytes() == b"whole" and leftovers(tmp_path) == []


def test_a_part_that_is_given_back_soon_is_waited_for(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    held = Landing(directory, b"t", naming.part_name(b"t", b"0" * 16))
    held.write(b"half")
    timer = threading.Timer(0.1, held.discard, (True,))
    timer.start()
    part = Landing(directory, b"t", held.name)
    assert part.offered == 4
    part.discard(False)
    os.close(directory)
    timer.join()
