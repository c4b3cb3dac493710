"""Transfers that share one link: how much of it each gets, counted in bytes. Contexts that share one source."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, Lost, Router, UsageError
from remotesvc.bootstrap.links.credit import WIDE_WINDOW
from remotesvc.files.records import CHUNK
from remotesvc.files.shared import share
from tests.kernel.contexts import LIMIT, alive, gone, until
from tests.kernel.filetrees import content, digest, leftovers
from tests.kernel.ways import BOTH, Way

pytest_plugins = ("tests.kernel.call_fixtures",)

MIB = 1 << 20


class Course:
    """Several transfers at once, and how far each was when another took a step. So many wait for one another when they
    have begun."""

    def __init__(self, together: int = 1) -> None:
        self._gate = threading.Barrier(together)
        self.done: dict[str, int] = {}
        self.steps: list[dict[str, int]] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._moved = threading.Condition(self._lock)

    def begin(self, name: str, way: Callable[..., Any]) -> None:
        def progress(done: int, total: int | None) -> None:
            if name not in self.done:
                self._gate.wait(LIMIT)
            with self._lock:
                self.done[name] = done
                self.steps.append(dict(self.done))
                self._moved.notify_all()

        thread = threading.Thread(target=way, kwargs={"progress": progress})
        self._threads.append(thread)
        thread.start()

    def wait_for(self, name: str, done: int) -> None:
        with self._lock:
            assert self._moved.wait_for(lambda: self.done.get(name, 0) >= done, LIMIT)

    def end(self) -> None:
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()


@BOTH
def test_two_large_transfers_take_turns(context: Context, tmp_path: Path, way: Way) -> None:
    size, course = 96 * MIB, Course(together=2)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(content(size))
    for name in ("one", "two"):
        course.begin(name, lambda name=name, **more: way(context, tmp_path / name, tmp_path / f"{name}.there",
                                                         durable=False, compress="off", **more))
    course.end()
    both = [step for step in course.steps if len(step) == 2]
    first, last = both[0], next(step for step in both if size in step.values())
    moved = sorted(last[name] - first[name] for name in ("one", "two"))
    # The disk and the processors may be busy with one of them for a while. But neither has the link to itself: behind
    # the other it would have moved what its window holds.
    assert moved[0] >= 2 * WIDE_WINDOW, moved
    assert digest(tmp_path / "one.there") == digest(tmp_path / "two.there") == digest(tmp_path / "one")


@BOTH
def test_two_contexts_behind_a_hop_take_turns(router: Router, tmp_path: Path, way: Way) -> None:
    """And what is asked of them, or of the hop, meanwhile is answered before much more of the files has passed."""
    size, course, hop = 96 * MIB, Course(together=2), router.local()
    contexts = {name: router.local(via=hop) for name in ("one", "two")}
    for name in contexts:
        (tmp_path / name).write_bytes(content(size))
    for name, context in contexts.items():
        course.begin(name, lambda context=context, name=name, **more: way(
            context, tmp_path / name, tmp_path / f"{name}.there", durable=False, compress="off", **more))
    passed = []
    while not course.steps or size not in course.done.values():
        before = sum(course.done.values())
        for context in (hop, *contexts.values()):
            context.ping(LIMIT)
        passed.append(sum(course.done.values()) - before)
    course.end()
    both = [step for step in course.steps if len(step) == 2]
    first, last = both[0], next(step for step in both if size in step.values())
    moved = sorted(last[name] - first[name] for name in contexts)
    # They are processes of their own, and the machine may be busy with one of them. But neither has the link to itself:
    # behind the other it would have moved what its window holds.
    assert moved[0] >= 2 * WIDE_WINDOW, moved
    # Three pings, one after the other, on links that are full. Behind all there is to send, each would wait for
    # windows.
    assert sorted(passed)[len(passed) // 2] < WIDE_WINDOW, passed


@BOTH
def test_a_small_transfer_does_not_wait_for_a_large_one(context: Context, tmp_path: Path, way: Way) -> None:
    large, small, course = 128 * MIB, 8 * MIB, Course()
    for name, size in (("large", large), ("small", small)):
        (tmp_path / name).write_bytes(content(size))

    def start(name: str) -> None:
        course.begin(name, lambda **more: way(context, tmp_path / name, tmp_path / f"{name}.there", durable=False,
                                              compress="off", **more))

    start("large")
    course.wait_for("large", 16 * MIB)
    start("small")
    course.end()
    both = [step for step in course.steps if len(step) == 2]
    first, last = both[0], next(step for step in both if step["small"] == small)
    assert last["large"] - first["large"] <= small + 2 * WIDE_WINDOW


@pytest.fixture
def cut(router: Router, tmp_path: Path) -> Path:
    """A file of 60 chunks, whose push to "t" as a shared source was cut after 30 of them, half of which had arrived."""
    source, context = tmp_path / "s", router.local()
    source.write_bytes(content(60 * CHUNK))
    pid = context.info["pid"]

    def progress(done: int, total: int | None) -> None:
        if done >= 30 * CHUNK and alive(pid):
            until(lambda: sum(os.stat(part).st_size for part in leftovers(tmp_path)) >= 15 * CHUNK)
            os.kill(pid, signal.SIGKILL)
            gone(pid)

    with share(source) as shared, pytest.raises(Lost):
        context.push(shared, tmp_path / "t", progress=progress)
    assert not (tmp_path / "t").exists()
    return source


def test_a_shared_source_is_gone_on_with(router: Router, cut: Path, tmp_path: Path) -> None:
    (part,) = leftovers(tmp_path)
    size = os.stat(part).st_size
    with share(cut) as shared:
        whole = router.local().push(shared, tmp_path / "whole")
        rest = router.local().push(shared, tmp_path / "t")
        assert shared.reads == 60 * CHUNK, "the rest was read apart"
    assert (whole.resumed, whole.sent) == (0, 60 * CHUNK)
    assert (rest.resumed, rest.sent, rest.bytes) == (size, 60 * CHUNK - size, 60 * CHUNK)
    assert digest(tmp_path / "t") == digest(tmp_path / "whole") == digest(cut)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("what", ["bytes", "file", "tree", "large"])
def test_a_shared_source_that_is_closed_is_refused(context: Context, tmp_path: Path, what: str) -> None:
    (tmp_path / "s").write_bytes(content(60 * CHUNK if what == "large" else 100))
    with share({"bytes": b"some", "tree": tmp_path}.get(what, tmp_path / "s")) as shared:
        pass
    for target in ("t", "new/"):
        with pytest.raises(UsageError, match="this shared source is closed"):
            context.push(shared, f"{tmp_path}/{target}")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_shared_source_that_is_closed_meanwhile_is_the_one_to_blame(context: Context, tmp_path: Path) -> None:
    with share(content(60 * CHUNK)) as shared, pytest.raises(UsageError, match="this shared source is closed"):
        context.push(shared, tmp_path / "t", progress=lambda done, total: shared.end())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["source", "part", "replaced", "removed"])
def test_a_shared_source_that_does_not_agree_is_sent_anew(
    router: Router, cut: Path, tmp_path: Path, change: str
) -> None:
    (part,) = leftovers(tmp_path)
    if change == "source":
        cut.write_bytes(content(60 * CHUNK, 8))
    elif change == "part":
        with open(part, "r+b") as file:
            file.write(b"damage")
    expected = digest(cut)
    with share(cut) as shared:
        if change == "replaced":  # what was opened is sent, not what has its name now
            (tmp_path / "other").write_bytes(content(60 * CHUNK, 9))
            (tmp_path / "other").replace(cut)
        elif change == "removed":
            cut.unlink()
        copied = router.local().push(shared, tmp_path / "t")
    assert (copied.resumed, copied.sent) == (0, 60 * CHUNK)
    assert digest(tmp_path / "t") == expected
    assert leftovers(tmp_path) == []
