"""A refused transfer says which of the two machines refused it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, Router, TransferRefused
from remotesvc.files.fileservice import FileService
from remotesvc.files.shared import share

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def web1(router: Router) -> Context:
    return router.local(name="web1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "one").write_bytes(b"content")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


Way = Callable[[Context, Path], Any]
HERE: dict[str, Way] = {
    "push a fifo": lambda web1, place: web1.push(place / "fifo", place / "t"),
    "share a fifo": lambda web1, place: share(place / "fifo"),
    "pull over a fifo": lambda web1, place: web1.pull(place / "file", place / "fifo"),
    "pull for nobody": lambda web1, place: web1.pull(place / "file", place / "t", owner="nobody-of-that-name"),
    "pull too much": lambda web1, place: web1.pull(place / "tree", place / "t", max_bytes=1),
    "sync what is too much here": lambda web1, place: web1.sync(place / "tree", place / "t", max_files=0),
    "get over a fifo": lambda web1, place: FileService.get(web1, str(place / "file"), place / "fifo"),
}
THERE: dict[str, Way] = {
    "pull a fifo": lambda web1, place: web1.pull(place / "fifo", place / "t"),
    "push over a fifo": lambda web1, place: web1.push(place / "file", place / "fifo"),
    "push for nobody": lambda web1, place: web1.push(place / "file", place / "t", owner="nobody-of-that-name"),
    "push too much": lambda web1, place: web1.push(place / "tree", place / "t", max_bytes=1),
    "sync too much": lambda web1, place: web1.sync(place / "tree", place / "t", max_bytes=1),
    "get a fifo": lambda web1, place: FileService.get(web1, str(place / "fifo"), io.BytesIO()),
    "get no path": lambda web1, place: FileService.get(web1, "file", io.BytesIO()),
}


@pytest.mark.parametrize("way", HERE.values(), ids=list(HERE))
def test_a_transfer_refused_here_says_so(web1: Context, place: Path, way: Way) -> None:
    with pytest.raises(TransferRefused) as caught:
        way(web1, place)
    assert str(caught.value).startswith("here: ") and "web1" not in str(caught.value)


@pytest.mark.parametrize("way", THERE.values(), ids=list(THERE))
def test_a_transfer_refused_there_names_the_host(web1: Context, place: Path, way: Way) -> None:
    with pytest.raises(TransferRefused) as caught:
        way(web1, place)
    assert str(caught.value).startswith("web1: ") and "here: " not in str(caught.value)


def test_each_receiver_of_a_shared_source_is_told_the_same_once(web1: Context, place: Path) -> None:
    with open(place / "file", encoding="utf-8") as text, share(text) as source:
        for _ in range(2):
            with pytest.raises(TransferRefused) as caught:
                web1.push(source, place / "t")
            assert str(caught.value) == "here: the source gives str; open it in binary mode"
