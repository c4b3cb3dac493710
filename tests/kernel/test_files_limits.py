"""Limits of what a transfer may bring, and where to."""

from __future__ import annotations

import contextlib
import io
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, Cancelled, Context, UsageError
from remotesvc.files.errors import TransferRefused
from remotesvc.files.records import MAX_DEPTH
from tests.kernel.filetrees import content, make

pytest_plugins = ("tests.kernel.call_fixtures",)

Way = Callable[..., Any]
SIZE = 3 << 20


def push(context: Context, src: object, dst: object, **options: Any) -> Any:
    return context.push(src, dst, **options)


def pull(context: Context, src: object, dst: object, **options: Any) -> Any:
    return context.pull(src, dst, **options)


BOTH = pytest.mark.parametrize("way", [push, pull])


@pytest.fixture(params=["file", "tree"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file, or a tree, of SIZE bytes."""
    path = tmp_path / "s"
    if request.param == "file":
        path.write_bytes(content(SIZE))
    else:
        make({b"one": content(SIZE - 20000), b"d": {b"%d" % number: bytes(1000) for number in range(20)}},
             str(path).encode())
    return path


def files_below(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if not each.is_dir()] if path.is_dir() else [path] * path.exists()


@BOTH
def test_a_transfer_of_more_than_max_bytes_is_refused(context: Context, source: Path, tmp_path: Path, way: Way) -> None:
    with pytest.raises(TransferRefused, match=f"more than {SIZE - 1} bytes; max_bytes"):
        way(context, source, tmp_path / "t", max_bytes=SIZE - 1)
    assert os.listdir(tmp_path) == ["s"]  # no directory, either: the same command would find it in its way
    assert way(context, source, tmp_path / "t", max_bytes=SIZE).bytes == SIZE


@BOTH
def test_max_bytes_holds_for_what_is_gone_on_with(context: Context, tmp_path: Path, way: Way) -> None:
    (tmp_path / "s").write_bytes(content(SIZE))
    with pytest.raises(TimeoutError):
        way(context, tmp_path / "s", tmp_path / "t", limit=4 << 20, timeout=0.5)
    with pytest.raises(TransferRefused, match="max_bytes"):
        way(context, tmp_path / "s", tmp_path / "t", max_bytes=SIZE - 1)


def test_max_bytes_holds_for_a_stream(context: Context, tmp_path: Path) -> None:
    stream: Any = io.BufferedReader(io.BytesIO(content(SIZE)))
    with pytest.raises(TransferRefused, match="max_bytes"):
        context.push(stream, tmp_path / "t", max_bytes=300000)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_given_to_an_object_that_is_too_large(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(SIZE))
    out = io.BytesIO()
    with pytest.raises(TransferRefused, match="max_bytes"):
        context.pull(tmp_path / "s", out, max_bytes=SIZE - 1)
    assert out.getvalue() == b""


def test_max_bytes_is_a_number(context: Context, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_bytes='1G' is not a number"):
        context.pull("/etc/passwd", tmp_path / "t", max_bytes="1G")


@pytest.mark.parametrize("way", ["push", "pull", "sync"])
@pytest.mark.parametrize(("option", "message"), [
    ({"max_files": None}, "max_files=None is not a number"), ({"max_files": -1}, "max_files=-1 is not a number"),
    ({"max_files": "5"}, "max_files='5' is not a number"), ({"max_files": 1.5}, "max_files=1.5 is not a number"),
    ({"stop": True}, r"stop=True has no is_set\(\)"), ({"progress": 5}, "progress=5 cannot be called"),
    ({"idle_timeout": None}, "idle_timeout=None is not a number"),
    ({"exclude": 5}, "exclude=5 is neither a text nor a list of patterns"),
    ({"mtime": -1}, "mtime=-1 is not a number of seconds from 1970 to the year 9999"),
    ({"mtime": 2**63}, "mtime=9223372036854775808 is not a number of seconds from 1970 to the year 9999"),
    ({"timeout": -1}, "timeout=-1 is not a number from 0 on"),
], ids=str)  # fmt: skip
def test_an_option_of_the_wrong_type_is_refused_before_anything_is_sent(
    context: Context, source: Path, tmp_path: Path, way: str, option: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        getattr(context, way)(source, tmp_path / "t", **option)
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("way", ["push", "pull", "sync"])
@pytest.mark.parametrize("size", [1, 100000])
def test_what_is_stopped_already_does_nothing(
    context: Context, tmp_path: Path, way: str, size: int, dry_run: bool
) -> None:
    make({b"s": {b"f": bytes(size)}}, bytes(tmp_path))
    stop = threading.Event()
    stop.set()
    sources = [tmp_path / "s", *([] if way == "sync" else [tmp_path / "s" / "f"])]
    for source in sources:
        with pytest.raises(Cancelled, match="stopped"):
            getattr(context, way)(source, tmp_path / "t", stop=stop, dry_run=dry_run)
        assert os.listdir(tmp_path) == ["s"]


def test_paths_may_be_bytes(context: Context, tmp_path: Path) -> None:
    """All but the source of a push, which is content then."""
    make({b"s": {b"\xff": b"x"}}, bytes(tmp_path))
    top = bytes(tmp_path / "s")
    ways: list[tuple[Way, object]] = [
        (push, tmp_path / "s"), (push, b"content"), (pull, top), (pull, top + b"/\xff"), (Context.sync, top)]
    for number, (way, source) in enumerate(ways):
        target = tmp_path / os.fsdecode(b"\xfe%d" % number)
        assert way(context, source, bytes(target), dry_run=True).files == 1
        assert way(context, source, bytes(target)).path == str(target)
        assert (target / os.fsdecode(b"\xff") if target.is_dir() else target).read_bytes() in (b"x", b"content")


def test_a_tree_of_more_than_max_files_is_refused(context: Context, tmp_path: Path) -> None:
    make({b"%d" % number: b"" for number in range(101)}, str(tmp_path / "s").encode())
    with pytest.raises(TransferRefused, match="max_files"):
        context.pull(tmp_path / "s", tmp_path / "t", max_files=100)
    assert files_below(tmp_path / "t") == []


@pytest.mark.parametrize("what", ["fifo", "link to a device", "link to a fifo"])
def test_a_file_takes_the_name_of_no_device_and_no_fifo(context: Context, tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    os.mkfifo(tmp_path / "fifo")
    if what == "fifo":
        place = tmp_path / "fifo"
    else:
        place.symlink_to(os.devnull if what == "link to a device" else "fifo")
    before = place.lstat()
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(TransferRefused, match="neither a file nor a directory"):
        context.pull(str(tmp_path / "source"), str(place))
    with pytest.raises(CallError, match="TransferRefused.* neither a file nor a directory"):
        context.push(b"x", str(place))
    assert place.lstat() == before
    (tmp_path / "dangling").symlink_to("nowhere")
    context.push(b"x", str(tmp_path / "dangling"))
    assert (tmp_path / "dangling").read_bytes() == b"x"


def test_a_source_that_does_not_wait_is_not_taken_for_one_that_ended(context: Context, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with open(reader, "rb", buffering=0) as raw, open(writer, "wb", buffering=0) as there:
        there.write(b"the beginning")
        with pytest.raises(TransferRefused, match="does not wait"):
            context.push(raw, str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, True, "5"])
def test_a_time_that_is_none(context: Context, tmp_path: Path, value: object) -> None:
    with pytest.raises(UsageError, match="mtime=.* is not a number"):
        context.push(b"x", str(tmp_path / "file"), mtime=value)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("way", ["push", "pull", "sync", "sync there"])
def test_a_tree_that_is_too_deep_is_refused_with_the_path_it_goes_on_at(
    context: Context, tmp_path: Path, way: str, dry_run: bool
) -> None:
    for number in (MAX_DEPTH, MAX_DEPTH + 1):
        deep = tmp_path / str(number)
        deep.joinpath(*["d"] * number).mkdir(parents=True)
    (tmp_path / "t").mkdir()
    for number in (MAX_DEPTH, MAX_DEPTH + 1):
        source, target = str(tmp_path / str(number)), str(tmp_path / f"t{number}")
        if way == "sync there":
            source, target = str(tmp_path / "t"), source
        with contextlib.ExitStack() as stack:
            if number > MAX_DEPTH:
                path = re.escape(os.path.join(tmp_path, str(number), *["d"] * number))
                stack.enter_context(pytest.raises(TransferRefused, match=f"{path}: .* deeper than {MAX_DEPTH}"))
            getattr(context, way.split()[0])(source, target, dry_run=dry_run)


@pytest.mark.parametrize("way", ["push", "sync"])
def test_an_error_in_a_tree_names_the_file_it_was_at(context: Context, tmp_path: Path, way: str) -> None:
    (tmp_path / "from" / "a" / "b").mkdir(parents=True)
    (tmp_path / "from" / "a" / "b" / "file").write_bytes(b"x")
    (tmp_path / "to" / "a" / "b" / "file" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=f"'{re.escape(str(tmp_path))}/to/a/b/file'"):
        getattr(context, way)(str(tmp_path / "from"), str(tmp_path / "to"))
