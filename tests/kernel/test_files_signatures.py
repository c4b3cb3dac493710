"""The checksums that a sync asks for: in order, at leisure, and of a target that means no good."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallTimeout, Cancelled, Context, Router, TransferRefused
from remotesvc.files.delta import ENTRY
from remotesvc.files.transfer_job import TransferJob
from tests.kernel import called_hostile_files
from tests.kernel.contexts import until
from tests.kernel.filetrees import content, described, leftovers
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures",)

SIZE = 100000
NAMES = ["a", "a.b", "a-b/x", "a-b/y", "b/c/z", "b/d", "b.c"]


@pytest.fixture
def web1(router: Router, tmp_path: Path) -> Context:
    """A target that has files which differ in their last byte from those here."""
    for name in NAMES:
        for top, end in (("s", b"1"), ("t", b"22")):
            (tmp_path / top / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / top / name).write_bytes(content(SIZE) + end)
    return router.local(name="web1")


def test_signatures_are_asked_for_once_and_in_order(
    web1: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, submit = [], TransferJob.submit

    def noted(job: TransferJob, function: str, *args: Any) -> Any:
        asked.append(function.rpartition(":")[2])
        return submit(job, function, *args)

    monkeypatch.setattr(TransferJob, "submit", noted)
    assert web1.sync(tmp_path / "s", tmp_path / "t").sent < len(NAMES) * SIZE // 10
    assert asked == ["there", "signatures"]
    assert described(tmp_path / "t") == described(tmp_path / "s")


@pytest.mark.parametrize("answer", [
    bytes(100 << 20), bytes(ENTRY.size * (4 * SIZE // 2048 + 2)), b"x", None, [], 5, "file",
], ids=lambda value: repr(value)[:20])
def test_answers_that_are_no_signatures_are_refused(web1: Context, tmp_path: Path, answer: Any) -> None:
    before = described(tmp_path / "t")
    web1.call(called_hostile_files.answer, "mirror", "signatures", *[answer] * len(NAMES))
    file = re.escape(str(tmp_path / "s" / "a"))
    with pytest.raises(TransferRefused, match=f"^here: {file}: the answer of web1 is malformed$"):
        web1.sync(tmp_path / "s", tmp_path / "t", resume=False)
    until(lambda: leftovers(tmp_path) == [])
    assert described(tmp_path / "t") == before


def test_answers_that_end_early_are_refused(web1: Context, tmp_path: Path) -> None:
    web1.call(called_hostile_files.answer, "mirror", "signatures", b"")
    with pytest.raises(TransferRefused, match="the answer of web1 is malformed"):
        web1.sync(tmp_path / "s", tmp_path / "t")
    web1.call(called_hostile_files.answer_once, "files.mirror", "signatures", 5)
    with pytest.raises(TransferRefused, match="the answer of web1 is malformed"):
        web1.sync(tmp_path / "s", tmp_path / "t")
    web1.call(called_hostile_files.answer, "listing", "there", b"")
    with pytest.raises(TransferRefused, match="the answer of web1 is malformed"):
        web1.sync(tmp_path / "s", tmp_path / "t")


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_a_sync_ends_while_signatures_are_waited_for(web1: Context, tmp_path: Path, how: str) -> None:
    web1.call(called_hostile_files.sign, 60.0)
    begun, stop = Stopwatch(), threading.Event()
    options: dict[str, Any] = {"stop": stop} if how == "stop" else {"timeout": 1.0}
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    try:
        with pytest.raises(Cancelled if how == "stop" else CallTimeout, match="stopped" if how == "stop" else "within"):
            web1.sync(tmp_path / "s", tmp_path / "t", **options)
    finally:
        timer.join()
    assert begun.seconds < 5


def test_a_receiver_is_patient_while_signatures_are_waited_for(web1: Context, tmp_path: Path) -> None:
    web1.call(called_hostile_files.sign, 0.8)
    web1.sync(tmp_path / "s", tmp_path / "t", idle_timeout=0.5)
    assert described(tmp_path / "t") == described(tmp_path / "s")
