"""What is remembered of the Pythons of hosts, and the file that keeps it from run to run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from remotesvc.ssh import pythons as module
from remotesvc.ssh.pythons import Pythons

WEB = ("ssh-ed25519 AAAA", "ann")
MAGIC, OTHER = b"\xa7\x0d\x0d\x0a", b"\xf3\x0d\x0d\x0a"


def learnt(file: Path | None, magic: bytes = MAGIC, python: str | None = None) -> Pythons:
    known = Pythons(file)
    if known.learn(WEB, python, {"executable": "/usr/bin/python3", "magic": magic}):
        known.keep(WEB, python)
    return known


def test_pythons_are_remembered_within_one_run() -> None:
    known = learnt(None)
    assert known.interpreter(WEB) == "/usr/bin/python3"
    assert known.magic(WEB, None) == MAGIC
    assert known.magic(WEB, "/opt/python") == b""
    assert known.magic(("ssh-ed25519 BBBB", "ann"), None) == b""
    known.forget()
    assert (known.interpreter(WEB), known.magic(WEB, None)) == (None, b"")


def test_pythons_are_remembered_from_one_run_to_the_next(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "remotesvc" / "pythons"
    learnt(file)
    later = Pythons(file)
    assert later.magic(WEB, None) == MAGIC
    assert later.magic(WEB, "/opt/python") == b""
    assert later.interpreter(WEB) is None, "what is first on a PATH may be another tomorrow"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"AAAA" not in file.read_bytes()
    assert b"ann" not in file.read_bytes()


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "pythons"
    learnt(file)
    before = file.read_bytes()
    learnt(file)
    assert file.read_bytes() == before
    learnt(file, OTHER)
    assert file.read_bytes().startswith(before)
    assert Pythons(file).magic(WEB, None) == OTHER


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0nonsense", b"0" * 4096, b"zz 1\n" * 10, b"0" * 32 + b" 0d0a\n"])
def test_whatever_is_in_the_file_is_no_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "pythons"
    file.write_bytes(content)
    assert Pythons(file).magic(WEB, None) == b""
    learnt(file)
    assert Pythons(file).magic(WEB, None) in (MAGIC, b"")


def test_where_nothing_can_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "below", tmp_path, Path("/dev/full"), Path("/proc/nothing/here")):
        assert learnt(path).magic(WEB, None) == MAGIC


@pytest.mark.timeout(10)
def test_a_fifo_in_the_place_of_the_file_holds_nobody_up(tmp_path: Path) -> None:
    file = tmp_path / "pythons"
    os.mkfifo(file)
    assert learnt(file).magic(WEB, None) == MAGIC
    assert Pythons(file).magic(WEB, None) == b""
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # now there is somebody to write to
    try:
        learnt(file)
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("")
    (tmp_path / "pythons").symlink_to("victim")
    learnt(tmp_path / "pythons")
    assert (tmp_path / "victim").read_text() == ""


@pytest.mark.parametrize("info", [
    {}, {"magic": "text"}, {"magic": b"12345"}, {"magic": None, "executable": 7},
    {"executable": "/bin/sh -c 'x'"}, {"executable": "python3"}, {"executable": "/a" * 200},
])  # fmt: skip
def test_what_a_target_says_of_itself_is_looked_at(tmp_path: Path, info: dict[str, object]) -> None:
    known = Pythons(tmp_path / "pythons")
    assert known.learn(WEB, None, info) is False
    assert (known.interpreter(WEB), known.magic(WEB, None)) == (None, b"")
    assert os.listdir(tmp_path) == []


def test_the_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 5)
    file = tmp_path / "pythons"
    known = Pythons(file)
    for number in range(100):
        place = ("key", str(number))
        known.learn(place, None, {"magic": MAGIC})
        known.keep(place, None)
        assert len(file.read_bytes().splitlines()) <= 11
    later = Pythons(file)
    assert later.magic(("key", "99"), None) == MAGIC
    assert later.magic(("key", "0"), None) == b""
    assert os.listdir(tmp_path) == ["pythons"]
