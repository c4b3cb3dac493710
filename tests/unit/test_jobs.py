"""The pure parts of detached jobs: ids, fates, what a target sends; and what is printed, on a disk."""

from __future__ import annotations

import errno
import os
import pwd
import random
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.limits import MAX_MESSAGE, MAX_STRUCTURED
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import DecodeError, EncodeError, UsageError
from remotesvc.jobs import ids, outcome, place, printed, process, record
from remotesvc.jobs.errors import JobError
from remotesvc.jobs.folder import Folder
from remotesvc.jobs.place import Place
from remotesvc.jobs.record import HEAD, MAGIC

KNOWN: dict[str, Any] = {"call": "m:f", "began": 100.0, "pid": 7, "start": 5, "boot": "b", "space": "s"}
END = {"returned": True, "ended": 110.0, "took": 10.0}


def test_ids_of_one_run() -> None:
    run = ids.new_run()
    made = {ids.new_id(run) for _ in range(20)}
    assert len(made) > 1 and all(ids.is_id(each) and each.startswith(run) for each in made)
    assert not ids.is_id(run) and not ids.is_id(f"{run}-0000\n")
    assert ids.matching("aaaa", ["aaaabbbb-0000", "bbbbaaaa-0000"]) == ["aaaabbbb-0000"]


@pytest.mark.parametrize("text", ["", "abc", "..", "/etc/passwd", "abcd/", "ABCDEF00", "abcdef012", "x" * 1000, None])
def test_what_is_no_id(text: Any) -> None:
    with pytest.raises(UsageError, match="no id of a job"):
        ids.check(text)


@pytest.mark.parametrize(
    ("end", "lives", "killed", "boot", "state"),
    [
        (END, False, False, "b", "done"), (END, True, False, "b", "done"), (END, False, True, "other", "done"),
        ({**END, "returned": False}, True, False, "b", "failed"), (None, True, False, "b", "running"),
        (None, True, True, "b", "running"), (None, False, True, "b", "failed"), (None, False, False, "b", "lost"),
        (None, False, False, "other", "lost"),
    ],
)  # fmt: skip
def test_the_fate_of_a_job_is_told_from_its_record(end: Any, lives: bool, killed: bool, boot: str, state: str) -> None:
    info = record.fate("i", KNOWN, end, lives, killed, boot, 130.0)
    assert info.state == state
    assert info.took == (10.0 if end else 30.0 if lives else None)
    assert ("started anew" in info.reason) == (state == "lost" and boot == "other")


@pytest.mark.parametrize(
    "change", [{"pid": 0}, {"pid": -1}, {"pid": 1 << 40}, {"pid": True}, {"call": "x" * 1000}, {"began": None},
               {"boot": b""}, {"start": "1"}]
)  # fmt: skip
def test_records_of_jobs_that_are_none_are_damaged(change: dict[str, Any]) -> None:
    assert record.checked(KNOWN) == KNOWN
    with pytest.raises(JobError, match="damaged"):
        record.checked({**KNOWN, **change})


@pytest.mark.parametrize("data", [None, [], ["i"], ["i", "c", "running", 1.0, None, None, "7", ""],
                                  ["i", "c", "elsewhere", 1.0, None, None, 7, ""],
                                  ["i", "c" * 5000, "done", 1.0, None, None, 7, ""], {"id": 1}])  # fmt: skip
def test_what_a_target_says_of_a_job(data: Any) -> None:
    assert record.info_untrusted(["i", "c", "done", 1.0, 2.0, 1.0, 7, ""]).state == "done"
    with pytest.raises(JobError, match="malformed"):
        record.info_untrusted(data)


# -- results


def result(*parts: tuple[int, Any]) -> bytes:
    written = [HEAD.pack(MAGIC, True, 1.0, 2.0)]
    for kind, value in parts:
        written += outcome.pieces(kind, codec.encode(value))
    return b"".join(written)


def decode(data: bytes, blobs: list[bytes], tagged: bool) -> Any:
    return fastcodec.decode(data, blobs, tagged)


@pytest.mark.parametrize("value", [None, [1, 2], b"x" * 200_000, {"a": ["y" * 70_000, b"z" * 70_000]}, (1, {2})])
def test_results_come_back(value: Any) -> None:
    data = result((outcome.VALUE, value))
    assert record.head(data) == {"returned": True, "ended": 1.0, "took": 2.0}
    assert outcome.parts_untrusted(data, decode) == {outcome.VALUE: value}
    both = result((outcome.ITEMS, [1]), (outcome.ERROR, ["refused", "x"]))
    assert outcome.parts_untrusted(both, decode) == {outcome.ITEMS: [1], outcome.ERROR: ["refused", "x"]}


def test_damaged_results_are_refused_and_nothing_else() -> None:
    good = result((outcome.VALUE, {"a": ["y" * 70_000, [1, 2, (3, None)]]}))
    dice = random.Random(7)
    refused = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            where = dice.choice((dice.randrange(HEAD.size, HEAD.size + 60), dice.randrange(len(data))))
            data[where] = dice.randrange(256)
        try:
            outcome.parts_untrusted(bytes(data[: dice.choice((len(data), dice.randrange(len(data))))]), decode)
        except DecodeError:
            refused += 1
    assert refused > 1000
    wrong: list[list[tuple[int, Any]]] = [[], [(1, 1), (1, 1)], [(1, 1), (2, [])], [(9, 1)]]
    for parts in wrong:
        with pytest.raises(DecodeError):
            outcome.parts_untrusted(result(*parts), decode)


def test_sizes_that_a_target_claims_take_no_memory() -> None:
    head = HEAD.pack(MAGIC, True, 1.0, 2.0)
    for count, size in ((0xFFFFFFFF, 1), (0, 1 << 60), (1, 1 << 60)):
        with pytest.raises(DecodeError):
            outcome.parts_untrusted(head + outcome._PART.pack(1, False, count, size) + b"\xff" * 8, decode)
    many = head + outcome._PART.pack(1, True, 1 << 20, 1) + bytes(8 << 20) + b"\xc0"
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="damaged"):
            outcome.parts_untrusted(many, decode)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()
    assert outcome.MOST < MAX_MESSAGE + 2 * MAX_STRUCTURED


def test_no_secret_in_a_result() -> None:
    with pytest.raises(EncodeError, match="kept on disk"):
        outcome.open_value(codec.encode({"a": [Secret("x")]}))
    assert outcome.open_value(codec.encode([1])).data


# -- processes


def test_a_process_is_told_from_others_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    own = process.identity(os.getpid())
    assert own["start"] > 0 and own["boot"] and process.lives(own)
    for change in ({"start": own["start"] + 1}, {"boot": "another"}, {"space": "another"}, {"pid": 1}):
        assert not process.lives({**own, **change})
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    dead = {**own, "pid": pid, "start": 0}
    assert process.identity(pid)["start"] == 0, "it has ended, and only was not collected"
    os.waitpid(pid, 0)
    monkeypatch.setattr(process, "PROC", "/nonexistent")  # as on macOS
    assert process.lives({**own, "start": 0, "boot": "", "space": ""})
    assert not process.lives({**dead, "boot": "", "space": ""})


@pytest.mark.parametrize(("first", "group", "ends"), [
    (b"/sbin/init\0", b"0::/user.slice/user-0.slice/session-1.scope\n", False), (b"", b"", False),
    (b"python3\0-c\0remotesvc\0", b"0::/system.slice/run-u7.scope\n", False),
    (b"/usr/bin/python3\0-BESsuc\0import sys\0remotesvc:root@web1:77\0", b"0::/\n", True),
    (b"/sbin/init\0", b"1:name=systemd:/system.slice/run-u7.service\n0::/system.slice/run-u7.service\n", True),
])  # fmt: skip
def test_where_processes_end_with_our_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, group: bytes, ends: bool
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_bytes(group)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "cmdline").write_bytes(first)
    monkeypatch.setattr(process, "PROC", str(tmp_path))
    assert process.ends_with_kernel() == ends


# -- places


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    with Place.make(str(tmp_path / "jobs")) as made:
        return made.begin(ids.new_id(), b"record")


def test_the_usual_place_of_records_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert place.usual() == "/var/state/remotesvc/jobs"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place.usual() == f"{tmp_path}/.local/state/remotesvc/jobs"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # as after a sudo that keeps HOME
    home = "/home/of/that/user"
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ("user", "x", uid, uid, "", home, "/bin/sh"))
    assert place.usual() == f"{home}/.local/state/remotesvc/jobs"
    home = ""
    with pytest.raises(JobError, match="has no home directory for the records of jobs; name a directory"):
        place.usual()


def test_a_place_holds_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "MOST_JOBS", 2)
    with Place.make(str(tmp_path / "jobs")) as made:
        for _ in range(2):
            made.begin(ids.new_id(), b"record").close()
        with pytest.raises(JobError, match="holds 2 jobs, which is the limit: forget some"):
            made.begin(ids.new_id(), b"record")
        made.forget(made.ids()[0])
        made.begin(ids.new_id(), b"record").close()


@pytest.mark.parametrize("lacking", ["job", "spare", "crash"])
def test_a_job_that_finds_no_room_has_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    create = Folder.create

    def full(folder: Folder, name: str) -> int:
        if lacking in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(folder, name)

    monkeypatch.setattr(Folder, "create", full)
    with Place.make(str(tmp_path / "jobs")) as made:
        with pytest.raises(JobError, match=f"cannot be kept in {made.path}: No space left on device; name a directory"):
            made.begin(ids.new_id(), b"record")
        assert os.listdir(made.path) == []


def test_a_file_is_there_whole_or_not_at_all(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with folder:
        folder.write("one", [b"a", b"b"])
        assert folder.read("one", 10) == b"ab" and folder.read("one", 1) == b"a"

        def full(fd: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            folder.write("two", [b"a"])
        with pytest.raises(OSError, match="No space"):
            folder.write("one", [b"other"])
        assert folder.read("one", 10) == b"ab"
        assert sorted(folder.names()) == ["crash", "job", "one", "spare"]
        monkeypatch.undo()


# -- what is printed


def all_of(folder: Folder, most: int = 1000) -> list[Any]:
    found: list[Any] = []
    items, position = printed.read(folder, printed.START, most)
    while items:
        found += items
        items, position = printed.read(folder, position, most)
    return found


def text_of(items: list[Any]) -> bytes:
    return b"".join(b"<%d>" % data if fd == 0 else data for fd, data in items)


def test_what_is_printed_is_read_in_any_pieces(folder: Folder) -> None:
    with folder, closing(printed.Writer(folder, 1 << 20)) as writer:
        for number in range(1000):
            writer.write(1 + number % 2, b"%d\n" % number)
        writer.write(1, b"x" * 20_000)
        expected = b"".join(b"%d\n" % number for number in range(1000)) + b"x" * 20_000
        for most in (1, 100, 1 << 20):
            assert text_of(all_of(folder, most)) == expected
        assert {fd for fd, _data in all_of(folder)} == {1, 2}


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_a_reader_that_falls_behind_is_told_how_much_it_missed(folder: Folder, ahead: int) -> None:
    with folder, closing(printed.Writer(folder, 65536)) as writer:
        position, seen = printed.START, b""
        for number in range(6 * 65536 // 16):
            writer.write(1, b"line %010d\n" % number)
            if number < 100 * ahead:
                items, position = printed.read(folder, position, 1 << 20)
                seen += text_of(items)
        items, position = printed.read(folder, position, 1 << 20)
        while items:
            seen += text_of(items)
            items, position = printed.read(folder, position, 1 << 20)
        before, _, rest = seen.partition(b"<")
        missed, _, after = rest.partition(b">")
        assert before.startswith(b"line 0000000000\n") and len(before) > 10_000
        assert len(before) + int(missed) + len(after) == 6 * 65536
        assert after.endswith(b"line %010d\n" % (6 * 65536 // 16 - 1)) and b"<" not in after
        assert sum(os.stat(name, dir_fd=folder.fd).st_size for name in folder.names()) <= 65536 + 100


def test_a_full_disk_loses_output_and_says_so(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with folder, closing(printed.Writer(folder, 65536)) as writer:
        writer.write(1, b"before\n")
        write = os.write

        def torn(fd: int, data: Any) -> int:
            if len(data) > 3:
                return write(fd, bytes(data)[:3])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", torn)
        writer.write(1, b"lost\n")
        writer.write(2, b"lost, too\n")
        monkeypatch.undo()
        writer.write(1, b"after\n")
        assert text_of(all_of(folder)) == b"before\n<15>after\n"


def test_output_that_is_damaged_ends(folder: Folder) -> None:
    with folder, closing(printed.Writer(folder, 65536)) as writer:
        writer.write(1, b"good\n")
        fd = os.open("output.0", os.O_WRONLY | os.O_APPEND, dir_fd=folder.fd)
        os.write(fd, b"\x01\xff\xff\xff\xff" + b"x" * 100)
        os.close(fd)
        assert all_of(folder) == [[1, b"good\n"]]


@pytest.mark.parametrize(
    "piece",
    [None, [[3, b"x"]], [[1, "x"]], [[0, b"x"]], [1], [[1]], [[[], b"x"]], [[0, -1]], [[0, 1 << 20000]]],
    ids=range(9),
)
def test_output_as_a_target_sends_it(piece: Any) -> None:
    good = [[[1, "grün".encode()[:3]], [2, b"err\n"], [0, 7]], [[1, "grün".encode()[3:]], [1, b"\xff"]]]
    assert list(printed.texts(printed.raw_untrusted(good))) == [
        ("stdout", "gr"), ("stderr", "err\n"), ("stderr", "\n[7 bytes are left out]\n"), ("stdout", "ün"),
        ("stdout", "\ufffd"),
    ]  # fmt: skip
    with pytest.raises(DecodeError):
        list(printed.raw_untrusted([piece]))
