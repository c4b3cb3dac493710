"""Files as services: what a FileService lets out and to whom, and what a PushFileService sends how often."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from remotesvc import CallTimeout, Context, Router, SourceChanged, TransferBusy, TransferRefused, UsageError
from remotesvc.files import fileservice
from remotesvc.files.contents import MAX_FILE, Contents
from remotesvc.files.fileservice import FileService
from remotesvc.files.grants import Grants, open_plainly
from remotesvc.files.pushed import PushFileService
from remotesvc.files.records import CHUNK
from remotesvc.service import Pool, ServiceForbidden
from tests.kernel import called, called_files
from tests.kernel.contexts import until
from tests.kernel.filetrees import SIZES, content, digest, leftovers, meanwhile, swap_for_link
from tests.threads import together

RAISES = [TransferRefused, SourceChanged, CallTimeout, ServiceForbidden]

pytest_plugins = ("tests.kernel.call_fixtures",)

Offered = TypeVar("Offered", FileService, PushFileService)


@contextlib.contextmanager
def offered(router: Router, kind: type[Offered]) -> Iterator[Offered]:
    """A service of the master, in a pool of its own."""
    pool = Pool(router)
    service = pool.add(kind)
    assert isinstance(service, kind)
    yield service
    pool.close()


@pytest.fixture
def files(router: Router) -> Iterator[FileService]:
    with offered(router, FileService) as service:
        yield service


def fetch(context: Context, path: object, out: object) -> dict[str, object]:
    """Have the target fetch a file of the master's into a file."""
    found: dict[str, object] = context.options(raises=RAISES).call(called_files.fetch, str(path), str(out))
    return found


@pytest.mark.parametrize("size", SIZES)
def test_registered_files_arrive(files: FileService, context: Context, tmp_path: Path, size: int) -> None:
    (tmp_path / "s").write_bytes(content(size))
    (tmp_path / "s").chmod(0o640)
    files.register(str(tmp_path / "s"))
    found, info = fetch(context, tmp_path / "s", tmp_path / "t"), (tmp_path / "s").stat()
    assert digest(tmp_path / "t") == digest(tmp_path / "s")
    assert (found["size"], found["mode"], found["mtime"]) == (size, 0o640, info.st_mtime_ns)
    assert (found["uid"], found["gid"], found["owner"]) == (info.st_uid, info.st_gid, (tmp_path / "s").owner())
    assert found["sha256"] == bytes.fromhex(digest(tmp_path / "s"))
    assert isinstance(found["atime"], int)
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_memory_is_flat(files: FileService, context: Context, tmp_path: Path) -> None:
    block = content(8 << 20)
    (tmp_path / "small").write_bytes(block)
    with open(tmp_path / "large", "wb") as file:
        for _ in range(32):
            file.write(block)
    files.register_prefix(str(tmp_path))
    fetch(context, tmp_path / "small", tmp_path / "t")
    here, there = called_files.peak_memory(), context.call(called_files.peak_memory)
    assert fetch(context, tmp_path / "large", tmp_path / "t")["size"] == 256 << 20
    assert digest(tmp_path / "t") == digest(tmp_path / "large")
    assert called_files.peak_memory() - here <= 16 * 1024
    assert context.call(called_files.peak_memory) - there <= 16 * 1024


def test_the_master_fetches_from_a_target(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(20 * CHUNK))
    out = io.BytesIO()
    ok, found = FileService.get(context, str(tmp_path / "s"), out)
    assert ok
    assert (found["size"], hashlib.sha256(out.getvalue()).hexdigest()) == (20 * CHUNK, digest(tmp_path / "s"))
    assert FileService.get(context, str(tmp_path / "s"), tmp_path / "t")[0]
    assert digest(tmp_path / "t") == digest(tmp_path / "s")
    with pytest.raises(FileNotFoundError):
        FileService.get(context, str(tmp_path / "absent"), tmp_path / "t")


def test_what_is_not_registered_stays(files: FileService, context: Context, tmp_path: Path) -> None:
    top = tmp_path / "a"
    (top / "sub").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    for path in (top / "f", top / "sub" / "f", tmp_path / "ab" / "f", tmp_path / "secret"):
        path.write_bytes(b"content")
    (top / "leaf").symlink_to(tmp_path / "secret")
    (top / "way").symlink_to(tmp_path / "ab")
    os.mkfifo(top / "fifo")
    files.register_prefix(str(top))
    fetch(context, top / "f", tmp_path / "t")
    fetch(context, top / "sub" / "f", tmp_path / "t")
    for text in (f"{tmp_path}/ab/f", f"{tmp_path}/secret", f"{tmp_path}/nowhere", f"{top}/../secret", f"{top}/./f",
                 f"{top}/sub/../../secret", "relative", f"{top}\0", f"{top}", f"{top}/fifo", "/proc/self/environ", "/",
                 f"{top}/sub/"):
        with pytest.raises(TransferRefused):
            fetch(context, text, tmp_path / "x")
    for path, link in ((top / "leaf", top / "leaf"), (top / "way" / "f", top / "way")):
        with pytest.raises(OSError, match=f"a link, and none is followed; give the real path: '{link}'"):
            fetch(context, path, tmp_path / "x")
    with pytest.raises(FileNotFoundError, match=f"No such file or directory: '{top}/absent'"):
        fetch(context, top / "absent", tmp_path / "x")
    with pytest.raises(NotADirectoryError, match=f"Not a directory: '{top}/f/below'"):
        fetch(context, top / "f" / "below", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert leftovers(tmp_path) == []


def test_what_is_no_regular_file_holds_up_nobody(files: FileService, context: Context, tmp_path: Path) -> None:
    """A FIFO that nobody writes to would keep whoever opens it waiting; there are more of them than threads."""
    paths = [tmp_path / f"fifo{number}" for number in range(3 * files.pool.size)]
    for path in paths:
        os.mkfifo(path)
    files.register_prefix(str(tmp_path))
    files.register_prefix("/dev")
    (tmp_path / "s").write_bytes(b"x")
    asking = context.options(raises=RAISES)
    futures = [asking.submit(called_files.fetch, str(path), str(tmp_path / "x"))
               for path in (*paths, "/dev/zero", "/dev/null", "/dev/fd", tmp_path)]
    for future in futures:
        assert isinstance(future.exception(30), TransferRefused | OSError)
    assert all(isinstance(future.exception(), TransferRefused) for future in futures[:-2])
    assert fetch(context, tmp_path / "s", tmp_path / "t")["size"] == 1
    assert not (tmp_path / "x").exists()


def test_only_parents_register(files: FileService, context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"x")
    with pytest.raises(ServiceForbidden):
        context.options(raises=RAISES).call(called_files.register_at_master, str(tmp_path / "s"))
    context.call_service(FileService, "register", str(tmp_path / "s"))
    with pytest.raises(TransferRefused, match="directory"):
        files.register(str(tmp_path))
    with pytest.raises(TransferRefused, match="no directory"):
        files.register_prefix(str(tmp_path / "s"))
    for name, register in (("s", files.register), (".", files.register_prefix)):
        (tmp_path / "link").symlink_to(name)
        with pytest.raises(TransferRefused, match="link is a link, and none is followed"):
            register(str(tmp_path / "link"))
        (tmp_path / "link").unlink()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"path": b"/etc/passwd"}, "b'/etc/passwd' is not a whole path, as text"),
    ({"path": "passwd"}, "'passwd' is not a whole path"), ({"path": ""}, "'' is not a whole path"),
    ({"expires": -1}, "expires=-1 is not a number of seconds"), ({"expires": "5"}, "expires='5' is not a number"),
    ({"expires": float("nan")}, "expires=nan is not a number"), ({"contexts": 1.5}, "give a Context, not 1.5"),
    ({"contexts": ["web1"]}, "give a Context, not 'web1'"),
], ids=str)  # fmt: skip
def test_what_cannot_be_registered_is_refused_at_once(
    files: FileService, arguments: dict[str, Any], message: str
) -> None:
    for register in (files.register, files.register_prefix):
        with pytest.raises(UsageError, match=message):
            register(**{"path": "/etc/passwd", **arguments})


def test_one_context_need_not_be_a_list(files: FileService, router: Router, context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"x")
    files.register(str(tmp_path / "s"), contexts=context)
    assert fetch(context, tmp_path / "s", tmp_path / "t")["size"] == 1
    with pytest.raises(TransferRefused, match="not registered"):
        fetch(router.local(), tmp_path / "s", tmp_path / "t")


def test_grants_of_one_context_expire_and_are_used_up(
    files: FileService, router: Router, context: Context, tmp_path: Path
) -> None:
    other = router.local()
    for name in ("s", "once"):
        (tmp_path / name).write_bytes(b"x")
    files.register(str(tmp_path / "s"), contexts=[context])
    files.register(str(tmp_path / "once"), once=True)
    fetch(context, tmp_path / "s", tmp_path / "t")
    with pytest.raises(TransferRefused):
        fetch(other, tmp_path / "s", tmp_path / "t")
    fetch(other, tmp_path / "once", tmp_path / "t")
    with pytest.raises(TransferRefused):
        fetch(other, tmp_path / "once", tmp_path / "t")
    assert files.unregister(str(tmp_path / "s"))
    assert not files.unregister(str(tmp_path / "s"))
    with pytest.raises(TransferRefused):
        fetch(context, tmp_path / "s", tmp_path / "t")


def test_grants_end_with_their_time(tmp_path: Path) -> None:
    now = [0.0]
    grants = Grants(lambda: now[0])
    (tmp_path / "s").write_bytes(b"x")
    grants.add(str(tmp_path / "s"), False, None, 10.0, False)
    now[0] = 9.9
    grants.allow(str(tmp_path / "s"), 1)
    now[0] = 10.0
    with pytest.raises(TransferRefused):
        grants.allow(str(tmp_path / "s"), 1)


@pytest.mark.slow
def test_a_race_of_links_never_opens_what_lies_outside(tmp_path: Path) -> None:
    """Somebody swaps the directory for a link to another, all the time, for five seconds."""
    top, secret = tmp_path / "top", tmp_path / "secret"
    for path in (top / "d", secret):
        path.mkdir(parents=True)
    (top / "d" / "f").write_bytes(b"inside")
    (secret / "f").write_bytes(b"SECRET")
    opened, end = 0, time.monotonic() + 5
    with meanwhile(lambda: swap_for_link(top / "d", secret)):
        while time.monotonic() < end or opened <= 100:
            with contextlib.suppress(OSError):
                fd = open_plainly(str(top / "d" / "f"))
                assert os.read(fd, 100) == b"inside"
                os.close(fd)
                opened += 1
    assert opened > 100


def test_a_file_that_changes_is_not_kept(files: FileService, context: Context, tmp_path: Path) -> None:
    source = Path("/proc/sys/kernel/random/uuid")  # another one whenever it is read
    files.register(str(source))
    (tmp_path / "t").write_bytes(b"old")
    with pytest.raises(SourceChanged):
        fetch(context, source, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_who_takes_nothing_of_many_files_leaves_some_for_others(
    files: FileService, router: Router, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fileservice, "MAX_TRANSFERS", 8)
    large, other = tmp_path / "large", router.local()
    large.write_bytes(os.urandom(16 << 20))  # more than is ever on its way
    files.register(str(large))
    (tmp_path / "small").write_bytes(b"small")
    files.register(str(tmp_path / "small"))
    refused = context.call(called_files.hoard, str(large), 8)
    assert len(refused) == 4
    assert f"4 of them to context {context.id}" in refused[0]
    assert fetch(other, tmp_path / "small", tmp_path / "got")["size"] == 5
    context.close()
    until(lambda: not files._sending)


def test_more_transfers_than_there_may_be_at_once_take_turns(
    files: FileService, router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fileservice, "MAX_TRANSFERS", 2)
    (tmp_path / "s").write_bytes(content(5 * CHUNK))
    files.register(str(tmp_path / "s"))
    others = [router.local() for _ in range(3)]
    # Three of each, one of which may be on its way at a time.
    futures = [each.submit(called_files.fetch, str(tmp_path / "s"), str(tmp_path / f"got{each.id}-{number}"))
               for each in others for number in range(3)]
    assert all(future.result()["size"] == 5 * CHUNK for future in futures)
    until(lambda: not files._sending)


def test_a_turn_that_does_not_come_is_told(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fileservice, "PATIENCE", 0.3)
    (tmp_path / "s").write_bytes(b"small")
    context.call(called_files.allow_transfers, 0)
    with pytest.raises(TransferBusy, match="0 files are on their way"):
        FileService.get(context, str(tmp_path / "s"), tmp_path / "got")
    assert leftovers(tmp_path) == []
    context.call(called_files.allow_transfers, 1)
    assert FileService.get(context, str(tmp_path / "s"), tmp_path / "got")[0]


def test_a_receiver_that_gives_up_frees_the_file(files: FileService, context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(100 * CHUNK))
    files.register(str(tmp_path / "s"))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError):
        context.call(called_files.fetch_and_fail, str(tmp_path / "s"))
    until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    fetch(context, tmp_path / "s", tmp_path / "t")
    assert digest(tmp_path / "t") == digest(tmp_path / "s")


# -- pushed ahead


@pytest.fixture
def pushed(router: Router) -> Iterator[PushFileService]:
    with offered(router, PushFileService) as service:
        yield service


def got(context: Context, path: Path, timeout: float = 30.0) -> bytes:
    data: bytes = context.options(raises=RAISES).call(called_files.pushed_content, str(path), timeout)
    return data


def test_each_link_carries_a_content_once(pushed: PushFileService, router: Router, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(content(1 << 20))
    hop = router.local()
    behind = [router.local(via=hop) for _ in range(16)]
    for context in behind:
        context.wait_ready()
    hop.call(called.add, 1, 2)
    link = router.kernel.links[hop.id]
    before = link.flight.sent
    together(partial(pushed.propagate_to, context, str(path)) for context in behind)
    # The modules of the services go along, to the hop and through it to each behind it.
    assert pushed.sent == 1 << 20
    assert link.flight.sent - before < 2 << 20
    assert {got(context, path) for context in behind} == {path.read_bytes()}
    assert got(hop, path) == path.read_bytes()


def test_changed_content_is_seen(pushed: PushFileService, context: Context, tmp_path: Path) -> None:
    path = tmp_path / "s"
    for number in range(3):
        path.write_bytes(b"version %d" % number)
        pushed.propagate_to(context, str(path))
        assert got(context, path) == b"version %d" % number
    sent = pushed.sent
    pushed.propagate_to(context, str(path))
    assert pushed.sent == sent, "what is there is not sent again"


def test_get_waits_and_gives_up(pushed: PushFileService, context: Context, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"content")
    with pytest.raises(CallTimeout, match="not pushed here within"):
        got(context, path, 0.1)
    future = context.submit(called_files.pushed_content, str(path), 30.0)
    pushed.propagate_to(context, str(path))
    assert future.result(30) == b"content"


def test_callers_that_wait_for_a_file_do_not_hold_up_its_push(
    pushed: PushFileService, context: Context, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"content")

    def get(timeout: float) -> Any:
        return context.options(raises=RAISES).call_service_async(PushFileService, "get", str(path), timeout=timeout)

    waiting = [get(600.0) for _ in range(50)]  # more than the pool has threads
    with pytest.raises(CallTimeout, match="not pushed here within"):
        get(0.1).result(30)
    assert waiting[0].cancel()
    pushed.propagate_to(context, str(path))
    assert {future.result(30) for future in waiting[1:]} == {b"content"}
    assert get(0).result(30) == b"content"


def test_what_is_too_large_or_no_file_is_an_error_here(
    pushed: PushFileService, context: Context, tmp_path: Path
) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(TransferRefused, match="larger than"):
        pushed.propagate_to(context, str(tmp_path / "large"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(TransferRefused, match="not a regular file"):
        pushed.propagate_to(context, str(tmp_path / "fifo"))
    with pytest.raises(FileNotFoundError):
        pushed.propagate_to(context, str(tmp_path / "absent"))
    assert stat.S_ISFIFO(os.stat(tmp_path / "fifo").st_mode)


def test_only_parents_push(pushed: PushFileService, context: Context, tmp_path: Path) -> None:
    with pytest.raises(ServiceForbidden):
        context.options(raises=RAISES).call(called_files.push_to_master, str(tmp_path / "s"))


def test_what_a_hop_dropped_is_sent_again(pushed: PushFileService, context: Context, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content(CHUNK, ord(name)))
    pushed.propagate_to(context, str(tmp_path / "a"))
    context.call(called_files.forget_pushed)
    pushed.propagate_to(context, str(tmp_path / "a"))
    assert got(context, tmp_path / "a") == (tmp_path / "a").read_bytes()


def test_contents_are_bounded() -> None:
    contents = Contents(100)
    for number in range(10):
        contents.put(b"%d" % number, bytes(30))
        contents.get(b"0")
    assert contents.size == 90
    assert contents.get(b"0") is not None
    assert contents.get(b"5") is None
    assert contents.get(b"9") is not None


def test_files_and_modules_are_pushed_together(pushed: PushFileService, context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"x")
    pushed.propagate_paths_and_modules(context, [str(tmp_path / "s")], ["tests.kernel.filetrees"])
    assert got(context, tmp_path / "s") == b"x"
    pushed.propagate_paths_and_modules(context, [str(tmp_path / "s")])
    with pytest.raises(ValueError, match="no such module: tests.kernel.nothing"):
        pushed.propagate_paths_and_modules(context, [], ["tests.kernel.nothing"])
