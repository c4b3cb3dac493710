"""What a disk, or another process beside us, does at the wrong moment; each is made to happen."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, HostKeyError, Router
from remotesvc.files import disk, fileservice, landing, regular
from remotesvc.files.errors import TransferBusy, TransferRefused
from remotesvc.files.fileservice import FileService
from remotesvc.jobs import place, printed
from remotesvc.jobs.folder import Folder, write_all
from remotesvc.service import Pool
from remotesvc.ssh.hostkeys import host_key
from remotesvc.ssh.interview import Interview
from tests.kernel.contexts import LIMIT
from tests.kernel.filetrees import content

pytest_plugins = ("tests.kernel.call_fixtures",)


def sparse(path: Path) -> int:
    with open(path, "wb") as file:
        file.write(content(4096))
        file.truncate(1 << 20)
    return os.open(path, os.O_RDONLY)


@pytest.mark.parametrize(("number", "whole"), [
    (errno.EIO, False), (errno.ESTALE, False), (errno.EINVAL, True), (errno.ENOTSUP, True),
])  # fmt: skip
def test_an_error_is_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, whole: bool) -> None:
    """What could not be looked at arrived as zeros, with a digest that said so."""
    fd, seek = sparse(tmp_path / "f"), os.lseek

    def failing(fd: int, offset: int, how: int) -> int:
        if how == os.SEEK_DATA:
            raise OSError(number, os.strerror(number))
        return seek(fd, offset, how)

    monkeypatch.setattr(os, "lseek", failing)
    try:
        if whole:
            assert list(regular.extents(fd, os.fstat(fd), 0)) == [(0, 1 << 20), (1 << 20, 1 << 20)]
        else:
            with pytest.raises(OSError, match=os.strerror(number)):
                list(regular.extents(fd, os.fstat(fd), 0))
    finally:
        os.close(fd)


def test_a_file_gives_way_to_no_directory_that_may_never_be_complete(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s" / "config").mkdir(parents=True)
    (tmp_path / "s" / "config" / "large").write_bytes(content(100_000))
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "config").write_bytes(b"mine")
    with pytest.raises(NotADirectoryError, match="t/config"):
        context.push(tmp_path / "s", tmp_path / "t")
    assert (tmp_path / "t" / "config").read_bytes() == b"mine"
    context.sync(tmp_path / "s", tmp_path / "t")
    assert (tmp_path / "t" / "config" / "large").read_bytes() == content(100_000)


def test_a_part_that_got_its_final_name_meanwhile_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, lock = os.open(tmp_path, os.O_RDONLY), disk.lock
    (tmp_path / "part").write_bytes(b"whole")

    def late(fd: int) -> Any:
        os.rename(tmp_path / "part", tmp_path / "final")
        return lock(fd)

    monkeypatch.setattr(disk, "lock", late)
    assert disk.open_part(directory, b"part") is None
    os.close(directory)
    assert (tmp_path / "final").read_bytes() == b"whole"


def test_a_part_that_cannot_be_read_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, before = os.open(tmp_path, os.O_RDONLY), len(os.listdir("/proc/self/fd"))
    (tmp_path / "part").write_bytes(content(1000))

    def failing(self: Any, hashed: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(landing.Landing, "_take_in", failing)
        made = landing.Landing(directory, b"final", part=b"part")
    assert (made.offered, made.position) == (0, 0) and made.name != b"part"
    made.discard(False)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(directory)


def test_a_full_disk_leaves_no_empty_files_of_what_a_job_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(os.open(tmp_path, os.O_RDONLY))
    writer, full = printed.Writer(folder, 4 << 20), [True]

    def writing(fd: int, data: bytes) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(fd, data)

    monkeypatch.setattr("remotesvc.jobs.printed.write_all", writing)
    for _ in range(50):
        writer.write(1, b"lost")
    assert os.listdir(tmp_path) == []
    full[0] = False
    writer.write(1, b"kept")
    writer.close()
    items, _position = printed.read(folder, printed.START, 1 << 20)
    assert items == [[0, 200], [1, b"kept"]]
    folder.close()


def test_two_that_tidy_up_jobs_at_once_do_not_mind_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finds gone what the other has removed, and neither minds."""
    where = place.Place.make(str(tmp_path / "jobs"))
    for name in (".new-one", ".gone-two", ".gone-three"):
        (Path(where.path) / name).mkdir()
        (Path(where.path) / name / "record").write_bytes(b"x")
        os.utime(Path(where.path) / name, (0, 0))
    unlink, rmdir = os.unlink, os.rmdir

    def faster(path: Any, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        unlink(path, dir_fd=dir_fd)

    def faster_still(path: Any, *, dir_fd: int | None = None) -> None:
        rmdir(path, dir_fd=dir_fd)
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", faster)
    monkeypatch.setattr(os, "rmdir", faster_still)
    with where:
        where.sweep()
    assert [name for name in os.listdir(where.path) if name.startswith(".")] == []


def test_who_is_told_to_wait_keeps_what_may_be_fetched_once(
    router: Router, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with Pool(router, services=[FileService]) as pool:
        service: Any = pool.get_service(FileService)
        service.register(str(tmp_path / "f"), contexts=[context.id], once=True)
        message = type("Message", (), {"commands": False, "src": context.id})()
        with monkeypatch.context() as patch:
            patch.setattr(fileservice, "MAX_TRANSFERS", 0)
            with pytest.raises(TransferBusy):
                service.fetch(str(tmp_path / "f"), 1, message)
        service._grants.allow(str(tmp_path / "f"), context.id)
        with pytest.raises(TransferRefused):
            service._grants.allow(str(tmp_path / "f"), context.id)


def test_a_host_key_that_contradicts_what_was_noted_meanwhile(tmp_path: Path) -> None:
    """It was accepted, with a notice that it could not be noted."""

    def key(letter: bytes) -> bytes:
        kind = b"ssh-ed25519"
        return len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + letter * 32

    known = tmp_path / "known_hosts"
    host: Any = type("Host", (), {
        "hostname": "h", "port": 22, "host_key_alias": None, "known_hosts_command": None, "name": "h",
        "user_known_hosts": (str(known),), "global_known_hosts": (), "revoked_host_keys": None, "strict": "accept-new",
        "hash_known_hosts": False, "ca_signature_algorithms": (),
    })
    keys: Any = host_key.HostKeys(host, time.monotonic() + LIMIT)  # it has read the file
    host_key.append(str(known), ("h",), "ssh-ed25519", key(b"A"))
    with pytest.raises(HostKeyError, match="THE HOST KEY HAS CHANGED"):
        keys.verify("ssh-ed25519", key(b"B"), None, Interview(None))
    assert len(known.read_text().splitlines()) == 1
