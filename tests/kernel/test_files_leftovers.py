"""What a transfer leaves on a disk: room that it reserved, files of killed ones, descriptors that are to be flushed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from remotesvc.files import directories, disk, naming
from remotesvc.files.destination import file_sink, finish_of
from remotesvc.files.flusher import Flusher
from remotesvc.files.leftovers import KEEP_PART, sweep
from remotesvc.files.origin import FileOrigin
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending
from tests.kernel.contexts import LIMIT, gone
from tests.kernel.filetrees import digest
from tests.kernel.landings import file_into
from tests.kernel.programs import start
from tests.leaks import descriptors


def test_what_was_reserved_and_not_needed_is_given_back(tmp_path: Path) -> None:
    mib = 1 << 20
    for name, layout in (("end", [(0, 21)]), ("hole", [(0, 18), (120, 19), (160, 1)])):
        source, target = tmp_path / name, tmp_path / f"{name} there"
        with open(source, "wb") as file:
            for start, size in layout:
                file.seek(start * mib)
                file.write(os.urandom(size * mib))
        sink = file_sink(str(target), b"", None, finish_of({}), Bounds())
        with contextlib.closing(FileOrigin(str(source))) as origin:
            for message in origin.messages(Sending("off")):
                sink.take(message)
        sink.complete()
        sink.close(False)
        assert digest(target) == digest(source)
        assert target.stat().st_blocks * 512 <= sum(size for _start, size in layout) * mib + 64 * 1024


@pytest.mark.parametrize("work", ["push(here, there)", "sync(here, there)", "push(here + '/large', there + '/')"])
def test_a_source_that_fails_leaves_nothing_there_although_the_program_ends(tmp_path: Path, work: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "large").write_bytes(os.urandom(12 << 20))
    there.mkdir()
    (there / "mine").write_bytes(b"of before")
    script = f"""
        here, there = {str(here)!r}, {str(there)!r}
        def grow(done, total):
            if done > 2 << 20:
                with open(here + "/large", "ab") as file:
                    file.write(b"more")
        with router:
            try:
                context = router.local()
                print(context.call(os.getpid), flush=True)
                context.{work.replace(")", ", progress=grow, limit=20e6)")}
            except Exception as error:
                say(type(error).__name__)
        """
    with start(tmp_path, script) as program:
        pid, said = int(program.line()), program.line()
        program.process.wait(LIMIT)
    gone(pid)
    assert said == "SourceChanged"
    assert os.listdir(there) == ["mine"]


def test_reserving_leaves_a_file_as_large_as_it_is(tmp_path: Path) -> None:
    with open(tmp_path / "f", "w+b", buffering=0) as file:
        file.write(b"x" * 100)
        disk.reserve(file.fileno(), 100, 1 << 20)
        assert os.fstat(file.fileno()).st_size == 100
    with open(os.devnull, "wb") as nothing:
        assert not disk.reserve(nothing.fileno(), 0, 1 << 20)


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
    for number in range(100):
        flusher.put(os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY))
    flusher.wait()
    flusher.close()
    assert not [name for name in descriptors().values() if name.startswith(str(tmp_path))]


def test_a_flusher_tells_of_the_first_error() -> None:
    flusher = Flusher(True)
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        flusher.put(reading)  # a pipe cannot be made durable
        flusher.wait()
    flusher.close()
    os.close(writing)
