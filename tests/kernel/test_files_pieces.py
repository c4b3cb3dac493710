"""How large the messages of a transfer are: small enough that what others say on a slow line does not wait for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.files.filters import Filter
from remotesvc.files.origin import FileOrigin, TreeOrigin
from remotesvc.files.records import CHUNK, ROOM
from remotesvc.files.source import Sending, chunk_for
from remotesvc.files.transfer import Window
from tests.kernel.filetrees import content, make
from tests.kernel.landings import file_into

MEGABIT = 125_000.0
FAST = 100e6
SIZE = 3 << 20


def a_file(path: Path) -> Any:
    path.write_bytes(content(SIZE))
    return FileOrigin(str(path))


def small_files(path: Path) -> Any:
    make({b"%d" % number: content(1000 + number) for number in range(500)}, bytes(path))
    return TreeOrigin(str(path), "keep", Filter())


def sizes(origin: Any, sending: Sending) -> list[int]:
    with contextlib.closing(origin):
        return [len(message) for message in origin.messages(sending)]


@pytest.mark.parametrize("make_origin", [a_file, small_files])
@pytest.mark.parametrize(("limit", "pace", "most"), [
    (None, FAST, CHUNK), (None, MEGABIT, 16 * 1024), (None, 10 * MEGABIT, 125_000), (None, 0.0, 64 * 1024),
    (100_000, FAST, 25_000), (100_000, MEGABIT, 16 * 1024), (1000, FAST, 4096),
])  # fmt: skip
def test_a_message_is_what_the_line_carries_in_a_moment(
    tmp_path: Path, make_origin: Callable[[Path], Any], limit: int | None, pace: float, most: int
) -> None:
    found = sizes(make_origin(tmp_path / "s"), Sending("off", chunk=chunk_for(limit), pace=lambda: pace))
    assert max(found) <= most + ROOM + 1100  # one more small record may be what fills it
    assert len(found) <= sum(found) / (most / 2) + 2, "and no smaller than need be"


def test_a_file_in_pieces_of_any_size_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(SIZE + 77))
    for chunk in (4096, 16 * 1024, 100_001, CHUNK):
        file_into(tmp_path / "s", tmp_path / "t", chunk)
        assert (tmp_path / "t").read_bytes() == content(SIZE + 77)


def test_a_window_is_small_until_the_line_is_known() -> None:
    now = [0.0]
    window, granted = Window(lambda: now[0]), 0
    assert window.pace == 0
    first = window.limit
    assert first == WINDOW
    while window.take(64 * 1024):
        pass
    now[0] += 0.002
    while granted < first // 2:
        window.granted(64 * 1024)
        granted += 64 * 1024
    assert window.pace > FAST
    assert window.limit >= 2 << 20


def test_the_window_of_a_slow_line_stays_small() -> None:
    now = [0.0]
    window = Window(lambda: now[0])
    for _ in range(60):
        while window.take(16 * 1024):
            pass
        now[0] += 16 * 1024 / MEGABIT
        window.granted(16 * 1024)
    assert window.pace == pytest.approx(MEGABIT, rel=0.2)
    assert window.limit == WINDOW
