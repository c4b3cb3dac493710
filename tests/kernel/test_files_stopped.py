"""Transfers that are stopped while they read what is there already, or find that others have it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallTimeout, Cancelled, Context
from remotesvc.files import disk, naming
from remotesvc.files.landing import Landing
from remotesvc.files.parts import Parts
from tests.kernel import called_files
from tests.kernel.contexts import until
from tests.kernel.filetrees import leftovers
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures",)

HUGE = 16 << 30
"""Bytes of a hole that takes any machine many seconds to hash."""


def huge(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(HUGE)
    return path


def part(final: Path, source: Path) -> Path:
    """What an interrupted transfer of a source has left."""
    name = naming.part_name(os.fsencode(final.name), naming.identity_of(source.stat()))
    return huge(final.parent / os.fsdecode(name))


def pull_what_has_a_part(context: Context, here: Path, there: Path, **options: Any) -> None:
    part(here / "t", huge(there / "s"))
    context.pull(there / "s", here / "t", **options)


def push_what_has_a_part(context: Context, here: Path, there: Path, **options: Any) -> None:
    part(there / "t", huge(here / "s"))
    context.push(here / "s", there / "t", **options)


def sync_what_is_here(context: Context, here: Path, there: Path, **options: Any) -> None:
    huge(here / "s")
    context.sync(here, there, checksum=True, **options)


def sync_what_is_there(context: Context, here: Path, there: Path, **options: Any) -> None:
    huge(there / "s")
    context.sync(here, there, checksum=True, **options)


def sync_what_differs(context: Context, here: Path, there: Path, **options: Any) -> None:
    huge(there / "s")
    os.utime(huge(here / "s"), (0, 0))
    context.sync(here, there, **options)


@pytest.mark.parametrize("how", ["stop", "timeout"])
@pytest.mark.parametrize("work", [
    pull_what_has_a_part, push_what_has_a_part, sync_what_is_here, sync_what_is_there, sync_what_differs,
])
def test_hashing_ends_with_the_transfer_on_both_sides(
    context: Context, tmp_path: Path, work: Callable[..., None], how: str
) -> None:
    here, there, stop = tmp_path / "here", tmp_path / "there", threading.Event()
    here.mkdir()
    there.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    begun = Stopwatch()
    with pytest.raises(Cancelled if how == "stop" else CallTimeout):
        work(context, here, there, **({"stop": stop} if how == "stop" else {"timeout": 0.5}))
    assert begun.seconds < 3
    begun = Stopwatch()
    until(lambda: not context.call(called_files.open_below, str(there)))
    assert begun.seconds < 2
    timer.join()
    until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert [os.stat(each).st_size for each in leftovers(tmp_path)] in ([], [HUGE])  # what was there may be gone on with


def test_what_others_have_locked_is_waited_for_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.5)
    directory = os.open(tmp_path, os.O_RDONLY)
    held = [Landing(directory, b"t", naming.part_name(b"t", b"%016x" % number)) for number in range(8)]
    for each in held[:-1]:
        each.write(b"half")
    free = Landing(directory, b"t", naming.part_name(b"t", b"f" * 16))
    free.write(b"half")
    free.discard(True)
    begun = Stopwatch()
    parts = Parts(str(tmp_path), b"t", bool)
    assert begun.seconds < 2
    assert [size for _identity, size, _digest in parts.offered()] == [4]
    parts.close()
    assert len(leftovers(tmp_path)) == len(held) + 1
    for each in held:
        each.discard(False)
    os.close(directory)
