"""A dry run of a push or a pull: what would be done, and what would go wrong, with nothing done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, Router
from remotesvc.files.errors import TransferRefused
from remotesvc.files.shared import share
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel.filetrees import described
from tests.kernel.ways import BOTH, Way

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    (top / "large").write_bytes(bytes(2 << 20))
    (top / "log.bak").touch()
    (top / "link").symlink_to("large")
    os.mkfifo(top / "fifo")
    (top / "sub" / "out").symlink_to("../../elsewhere")
    (top / "sub" / "up").symlink_to("../large")
    return top


def test_a_dry_run_of_a_sync_says_what_would_go_wrong(context: Context, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    for dry_run in (True, False):
        for dst in ("dangling", "dangling/"):
            with pytest.raises(NotADirectoryError):
                context.sync(tree, f"{tmp_path}/{dst}", dry_run=dry_run)
        with pytest.raises(TransferRefused, match="max_bytes"):
            context.sync(tree, tmp_path / "t", dry_run=dry_run, max_bytes=2 << 20)
        assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_refused_or_not_there_leaves_no_directory_that_was_to_take_it(
    context: Context, tmp_path: Path, dry_run: bool
) -> None:
    with pytest.raises(TransferRefused, match="give the name of the file"):
        context.push(b"content", f"{tmp_path}/new/below/", dry_run=dry_run)
    with pytest.raises(FileNotFoundError):
        context.pull(tmp_path / "nothing", f"{tmp_path}/new/below/", dry_run=dry_run)
    assert os.listdir(tmp_path) == []


@BOTH
def test_a_directory_that_is_not_there_may_be_named_by_a_dot_in_it(
    context: Context, way: Way, tree: Path, tmp_path: Path
) -> None:
    told = way(context, tree, f"{tmp_path}/new/.", dry_run=True)
    done = way(context, tree, f"{tmp_path}/new/.")
    assert (told.files, told.links) == (done.files, done.links)
    assert (tmp_path / "new" / "large").stat().st_size == 2 << 20


@BOTH
@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_what_a_dry_run_says_is_what_is_done(
    router: Router, interpreter: Interpreter, way: Way, tree: Path, tmp_path: Path
) -> None:
    context = router.local(python=interpreter.path)
    here = tmp_path / "here"
    here.mkdir()
    (here / "large").write_bytes(b"old")
    for src, dst in ((tree, here / "new"), (tree, f"{here}/"), (f"{tree}/", f"{here}/"), (tree / "large", here),
                     (tree / "large", f"{here}/made/below/"), (tree / "large", here / "large")):
        before = described(tmp_path, times=True)
        told = way(context, src, dst, dry_run=True, exclude=["*.bak"])
        assert described(tmp_path, times=True) == before
        done = way(context, src, dst, exclude=["*.bak"])
        names = ["path", "files", "links", "directories", "bytes", "skipped", "skipped_names"]
        assert [getattr(told, name) for name in names] == [getattr(done, name) for name in names]
        expected = ["large"]
        if told.links:  # those that lead out are for pushes only
            out = [] if done.skipped > 1 else ["sub/out"]
            expected += ["link", *out, "sub/up", os.fsdecode(b"sub/\xff\n")]
        assert (sorted(told.changed_names), told.sent, told.wire) == (expected, 0, 0)


@BOTH
def test_a_dry_run_says_what_would_go_wrong(way: Way, context: Context, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "directory" / "large").mkdir(parents=True)
    (tmp_path / "file").touch()
    kind: Any
    for src, dst, kind, options in (
        (tree / "nothing", "there", FileNotFoundError, {}),
        (tree / "large", "no/such/directory", FileNotFoundError, {}),
        (tree / "large", "directory", IsADirectoryError, {}),
        (tree / "large", "file/", NotADirectoryError, {}),
        (tree / "large", "file/below/", NotADirectoryError, {}),
        (tree / "large", "file/below", NotADirectoryError, {}),
        (tree, "file", NotADirectoryError, {}),
        (tree / "fifo", "there", TransferRefused, {}),
        (tree / "large", "tree/fifo", TransferRefused, {}),
        (tree, "there", TransferRefused, {"owner": "nobody-of-that-name"}),
        (tree, "there", TransferRefused, {"max_bytes": 1 << 20}),
        (tree / "large", "there", TransferRefused, {"max_bytes": 1 << 20}),
        (tree, "there", TransferRefused, {"max_files": 3}),
    ):
        before = described(tmp_path)
        with pytest.raises(kind):
            way(context, src, f"{tmp_path}/{dst}", dry_run=True, **options)
        assert described(tmp_path) == before
        with pytest.raises(kind):
            way(context, src, f"{tmp_path}/{dst}", resume=False, **options)
    with pytest.raises(TransferRefused, match="is a directory there"):
        context.pull(tree, tmp_path / "directory", dry_run=True)


LANDING = """
import os, sys
from remotesvc.files.rehearsed import landing
if os.geteuid() == 0:  # who may write anywhere
    os.setuid(65534)
try:
    landing({"dst": sys.argv[1], "name": b"x", "kind": sys.argv[2]})
except PermissionError as error:
    print(error.filename)
"""


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_a_dry_run_says_where_one_may_not_write(kind: str) -> None:
    with tempfile.TemporaryDirectory() as place:  # not tmp_path: others may not even enter that
        os.chmod(place, 0o555)
        for dst in (f"{place}/below/it/", f"{place}/x", f"{place}/"):
            words = [sys.executable, "-c", LANDING, dst, kind]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert done.stdout == f"{place}\n"


def test_what_is_no_file_here_is_not_read(context: Context, tmp_path: Path) -> None:
    class Source:
        def read(self, size: int) -> bytes:
            raise AssertionError("read")

    class Sink:
        def write(self, data: bytes) -> None:
            raise AssertionError("written")

    assert context.push(Source(), tmp_path / "there", dry_run=True).path == str(tmp_path / "there")
    assert context.push(b"words", tmp_path / "there", dry_run=True).bytes == 5
    (tmp_path / "file").write_bytes(b"four")
    assert context.pull(tmp_path / "file", Sink(), dry_run=True).bytes == 4
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_source_of_many_is_not_read(context: Context, tree: Path, tmp_path: Path) -> None:
    with share(tree) as source:
        assert context.push(source, tmp_path / "there", dry_run=True).links == 3
        assert source.reads == 0
