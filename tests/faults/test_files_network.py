"""Files over lines that are long, break, or fall silent. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.launch.tree import LEASE
from tests.faults.common import MARGIN, NOTICED_SILENCE, PATIENCE
from tests.faults.network import RemoteHost
from tests.faults.proxy import Proxy
from tests.kernel import called
from tests.kernel.contexts import gone, until
from tests.kernel.filetrees import content, described, digest, leftovers
from tests.kernel.ways import BOTH, Way
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")

MIB = 1024 * 1024


@pytest.mark.netns
@pytest.mark.slow
def test_case_2_a_black_hole_in_the_middle_of_a_push(remote: RemoteHost, router: Router, tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(100 * MIB))
    target.write_bytes(b"old")
    context = remote.connect(router)
    assert context.call(called.add, 1, 1) == 2
    remote.cut_after(40 * MIB)
    with ThreadPoolExecutor(1) as threads:
        pushed = threads.submit(context.push, source, target)
        until(remote.dropping)
        remote.cut()
        cut = Stopwatch()
        assert isinstance(pushed.exception(PATIENCE), (remotesvc.Lost, remotesvc.NotSent))
    assert cut.seconds <= NOTICED_SILENCE + MARGIN
    assert target.read_bytes() == b"old"
    remote.heal()
    again = remote.connect(router)
    copied = again.push(source, target)
    assert digest(target) == digest(source)
    assert copied.sent + copied.resumed == 100 * MIB
    # The kernel that was cut off may have held its part meanwhile: once it is gone, the next transfer removes that.
    gone(context.info["pid"], LEASE + 2 * MARGIN)
    again.push(source, target)
    assert leftovers(tmp_path) == []


@pytest.mark.proxy
def test_a_reset_in_the_middle_is_gone_on_with(
    proxy: Proxy, proxied: Callable[[], Context], tmp_path: Path
) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(40 * MIB))
    context = proxied()
    context.call(called.add, 1, 1)

    def progress(done: int, total: int | None) -> None:
        if done > 20 * MIB:
            proxy.reset()

    with pytest.raises((remotesvc.Lost, remotesvc.NotSent)):
        context.pull(source, target, progress=progress)
    assert not target.exists()
    (part,) = leftovers(tmp_path)
    assert os.path.getsize(part) > 10 * MIB
    again = proxied()
    copied = again.pull(source, target)
    assert copied.resumed > 10 * MIB
    assert digest(target) == digest(source)
    assert leftovers(tmp_path) == []


@pytest.mark.proxy
@BOTH
@pytest.mark.parametrize("cut", [8 * MIB, 36 * MIB])
def test_a_tree_that_was_cut_is_gone_on_with(
    proxy: Proxy, proxied: Callable[[], Context], tmp_path: Path, way: Way, cut: int
) -> None:
    """Nobody is killed: either side notices by itself that the link is gone, and keeps what it has."""
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "d").mkdir(parents=True)
    for number in range(400):
        (source / "d" / str(number)).write_bytes(content(20000, number))
    for name in ("e", "f"):
        (source / name).write_bytes(content(20 * MIB, ord(name)))
    context = proxied()
    pid = context.info["pid"]

    def there() -> int:
        return sum(os.lstat(path).st_size for path in leftovers(target))

    def progress(done: int, total: int | None) -> None:
        if there() >= cut:
            proxy.reset()

    with pytest.raises((remotesvc.Lost, remotesvc.NotSent)):
        way(context, source, target, progress=progress)
    gone(pid, LEASE)
    left = there()
    assert left >= cut
    assert {str(path) for path in target.rglob("*") if not path.is_dir()} == set(leftovers(target))
    copied = way(proxied(), source, target)
    assert left - MIB // 16 <= copied.resumed <= left
    assert copied.sent == copied.bytes - copied.resumed
    assert described(target) == described(source)
    assert leftovers(tmp_path) == []


@pytest.mark.netns
@pytest.mark.tun
@pytest.mark.slow
def test_a_long_line_gets_a_wide_window(far: RemoteHost, router: Router, tmp_path: Path) -> None:
    """Round trips of 100 ms: with the window of a short line, 1 MiB, it would be 10 MiB/s at most."""
    from remotesvc.files.outflow import Outflow

    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(content(60 * MIB))
    context = far.connect(router)
    windows = []
    finish = Outflow.finish

    def look(self: Outflow, body: bytes = b"") -> None:
        windows.append(self.window.limit)
        finish(self, body)

    Outflow.finish = look  # type: ignore[method-assign]
    try:
        context.push(source, target)
    finally:
        Outflow.finish = finish  # type: ignore[method-assign]
    assert digest(target) == digest(source)
    assert windows and windows[0] > WINDOW
    context.pull(source, target)
    assert digest(target) == digest(source)
