"""Files of /proc and /sys, whose size is made up: their content arrives, or the error says why not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, SourceChanged, TransferRefused
from remotesvc.files.fileservice import FileService
from remotesvc.files.pseudo_files import MOST, content_of

pytest_plugins = ("tests.kernel.call_fixtures",)

SAME = ["/proc/version", "/proc/filesystems", "/sys/devices/system/cpu/possible"]
"""The first two claim to be empty, the last to have a page."""
NEW_EACH_TIME = "/proc/sys/kernel/random/uuid"
LARGE = "/proc/kallsyms"

pytestmark = pytest.mark.skipif(
    not all(map(os.path.exists, (*SAME, NEW_EACH_TIME))), reason="needs the /proc and /sys of Linux"
)


def pull(context: Context, src: str, dst: Path) -> Any:
    return context.pull(src, dst)


def push(context: Context, src: str, dst: Path) -> Any:
    return context.push(src, dst)


def get(context: Context, src: str, dst: Path) -> Any:
    return FileService.get(context, src, dst)


WAYS = pytest.mark.parametrize("way", [pull, push, get])
Way = Callable[[Context, str, Path], Any]


@WAYS
@pytest.mark.parametrize("path", SAME)
def test_the_content_of_a_pseudo_file_arrives_whatever_its_size_says(
    context: Context, tmp_path: Path, way: Way, path: str
) -> None:
    content = Path(path).read_bytes()
    done = way(context, path, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == content
    assert len(content) not in (0, os.stat(path).st_size)
    assert (done[1]["size"] if way is get else done.bytes) == len(content)


def test_a_pseudo_file_goes_into_a_stream_and_with_progress(context: Context) -> None:
    out, told = io.BytesIO(), []
    context.pull("/proc/version", out, progress=lambda done, total: told.append((done, total)))
    assert out.getvalue() == Path("/proc/version").read_bytes()
    assert told[-1] == (len(out.getvalue()), None)


def test_pseudo_files_go_as_part_of_a_tree(context: Context, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number, path in enumerate(SAME):
        (tmp_path / "s" / str(number)).symlink_to(path)
    context.pull(tmp_path / "s", tmp_path / "t", symlinks="follow")
    assert [(tmp_path / "t" / str(number)).read_bytes() for number in range(len(SAME))] == [
        Path(path).read_bytes() for path in SAME
    ]
    (tmp_path / "s" / "new").symlink_to(NEW_EACH_TIME)
    with pytest.raises(SourceChanged, match="new: the kernel makes it anew for each read"):
        context.pull(tmp_path / "s", tmp_path / "u", symlinks="follow")


@WAYS
def test_a_pseudo_file_that_is_new_each_time_is_said_to_be_so(context: Context, tmp_path: Path, way: Way) -> None:
    with pytest.raises(SourceChanged, match=f"{NEW_EACH_TIME}: .* no two were the same; .*remotesvc exec HOST"):
        way(context, NEW_EACH_TIME, tmp_path / "t")
    assert os.listdir(tmp_path) == []


@WAYS
@pytest.mark.skipif(not os.access(LARGE, os.R_OK), reason="needs the kernel's own table of symbols")
def test_what_is_too_large_to_be_compared_is_refused(context: Context, tmp_path: Path, way: Way) -> None:
    assert len(Path(LARGE).read_bytes()) > MOST
    with pytest.raises(TransferRefused, match=f"{LARGE}: .* more than {MOST} bytes"):
        way(context, LARGE, tmp_path / "t")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_ordinary_files_are_no_pseudo_files(tmp_path: Path, size: int) -> None:
    for name, content in (("data", b"x" * size), ("hole", b"")):
        with open(tmp_path / name, "w+b") as file:
            file.write(content)
            file.truncate(size)
            file.flush()
            assert content_of(file.fileno(), os.fstat(file.fileno())) is None


def test_an_empty_file_that_grows_is_no_pseudo_file(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+b", buffering=0) as file:
        found = os.fstat(file.fileno())
        file.write(b"a line\n")
        assert content_of(file.fileno(), found) is None
