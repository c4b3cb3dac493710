"""Links that break, lose, corrupt and fall silent. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.bootstrap.links.patience import SUSPECT_AFTER
from tests.faults import delay_line, there
from tests.faults.common import (
    MARGIN,
    NOTICED_CUT,
    NOTICED_SILENCE,
    PATIENCE,
    is_over,
    lost_after,
    waiting_call,
)
from tests.faults.network import RemoteHost
from tests.faults.proxy import Proxy
from tests.kernel import called
from tests.kernel.contexts import until
from tests.stopwatch import Stopwatch
from tests.threads import together

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")

MIB = 1024 * 1024


@pytest.mark.netns
@pytest.mark.slow
def test_case_2_a_black_hole_in_the_middle_of_much_data(
    remote: RemoteHost, router: Router, tmp_path: Path
) -> None:
    """The part of the case that needs no files: a large argument is on its way, and its call never runs."""
    context = remote.connect(router)
    assert context.call(called.add, 1, 1) == 2
    remote.cut_after(20 * MIB)
    future = context.submit(there.mark_and_measure, f"{tmp_path}/ran", bytes(100 * MIB))
    until(remote.dropping)
    remote.cut()
    cut = Stopwatch()
    assert isinstance(future.exception(PATIENCE), (remotesvc.Lost, remotesvc.NotSent))
    assert cut.seconds <= NOTICED_SILENCE + MARGIN
    is_over(context)
    assert not os.path.exists(f"{tmp_path}/ran")


@pytest.mark.proxy
def test_case_4_a_reset(proxy: Proxy, proxied: Callable[[], Context], tmp_path: Path) -> None:
    context = proxied()
    future = waiting_call(context, f"{tmp_path}/begun")
    begun = Stopwatch()
    proxy.reset()
    lost_after(future, begun, NOTICED_CUT)
    is_over(context)


@pytest.mark.netns
def test_case_4_a_reset_by_the_network(remote: RemoteHost, router: Router, tmp_path: Path) -> None:
    context = remote.connect(router)
    future = waiting_call(context, f"{tmp_path}/begun")
    remote.rule("INPUT", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
    begun = Stopwatch()
    context.submit(called.add, 1, 1)  # a reset answers what is sent
    lost_after(future, begun, NOTICED_CUT)
    is_over(context)


@pytest.mark.proxy
@pytest.mark.parametrize("way", ["up", "down"])
def test_case_5_the_end_in_mid_frame(
    way: str, proxy: Proxy, proxied: Callable[[], Context], tmp_path: Path
) -> None:
    context = proxied()
    future = waiting_call(context, f"{tmp_path}/begun")
    direction = proxy.up if way == "up" else proxy.down
    direction.fin_at = direction.passed + 300_000
    begun = Stopwatch()
    with pytest.raises(remotesvc.Lost):
        context.call(called.echo, os.urandom(MIB))
    assert begun.seconds <= NOTICED_CUT + MARGIN
    lost_after(future, begun, NOTICED_CUT)
    is_over(context)


@pytest.mark.proxy
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("at", [0, 3, 100, 40_000, 300_000])
def test_case_6_one_corrupted_byte(way: str, at: int, proxy: Proxy, proxied: Callable[[], Context]) -> None:
    context = proxied()
    assert context.call(called.add, 1, 1) == 2
    direction = proxy.up if way == "up" else proxy.down
    direction.corrupt_at = direction.passed + at
    begun = Stopwatch()
    # Whatever the byte was of, what it spoiled is not delivered. A length that became larger is waited for. It may have
    # been one of a frame that followed the answer before: then the link is lost before it has taken this call.
    with pytest.raises((remotesvc.Lost, remotesvc.NotSent)):
        context.call(called.echo, os.urandom(MIB))
    assert begun.seconds <= (NOTICED_SILENCE if at < 10 else NOTICED_CUT) + MARGIN
    is_over(context)


@pytest.mark.netns
def test_case_7_a_tenth_of_the_packets_is_lost(remote: RemoteHost, router: Router) -> None:
    remote.rule("INPUT", "-m", "statistic", "--mode", "random", "--probability", "0.10", "-j", "DROP")
    context = remote.connect(router)
    data = bytes(range(256)) * 8192
    assert context.call(called.echo, data) == data
    futures = [context.submit(called.add, number, 1) for number in range(200)]
    assert [future.result(PATIENCE) for future in futures] == list(range(1, 201))
    assert context.ping() < 5


@pytest.mark.tun
def test_case_8_without_loss_round_trips_of_100_ms(far: RemoteHost, router: Router) -> None:
    """The delay line: what it says is what one waits; a start over it is counted in flights."""
    begun = Stopwatch()
    context = far.connect(router)
    assert context.call(called.add, 1, 1) == 2
    took = begun.seconds
    pings = [context.ping() for _ in range(5)]
    while min(pings) >= 0.15 and len(pings) < 100:  # what a busy machine adds to each is not of the line
        pings.append(context.ping())
    assert 0.1 <= min(pings) < 0.15, pings
    # Eleven round trips of TCP, SSH and ours, and the kernel's own time.
    assert took < 2.5, (took, context.phases)
    futures = [context.submit(called.add, number, 1) for number in range(100)]
    begun = Stopwatch()
    assert [future.result() for future in futures] == list(range(1, 101))
    assert begun.seconds < 1.0, "calls on their way at once do not wait for one another"


@pytest.mark.tun
def test_case_8_lost_doubled_and_late_packets(rough: RemoteHost, router: Router, tmp_path: Path) -> None:
    """A hundredth each is lost and doubled, one in 23 overtaken: a start is within its bound, all runs, and once."""
    begun = Stopwatch()
    context = rough.connect(router)
    assert context.call(called.add, 1, 1) == 2
    assert begun.seconds <= 5.0 + MARGIN
    assert set(rough.mishaps()) == set(delay_line.MISHAPS), "each has happened to the start already"
    counter = f"{tmp_path}/counter"
    futures = [context.submit(there.append_line, counter, str(number)) for number in range(200)]
    for future in futures:
        future.result(PATIENCE)
    with open(counter) as file:
        assert sorted(map(int, file.read().split())) == list(range(200))
    assert list(context.call(called.count, 500)) == list(range(500))
    data = os.urandom(MIB // 2)
    before = rough.mishaps()
    assert context.call(called.echo, data) == data
    happened = rough.mishaps() - before
    assert all(happened[name] >= 3 for name in delay_line.MISHAPS), happened
    assert context.ping() < 5


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.parametrize(("way", "limit", "busy", "percent", "at_most"), [
    ("push", None, 1.0, 90, 2.0), ("pull", None, 1.0, 90, 2.0), ("push", 100_000, 0.2, 50, 0.5),
])  # fmt: skip
def test_case_9_a_megabit_and_a_large_file(
    remote: RemoteHost, router: Router, tmp_path: Path, way: str, limit: int | None, busy: float, percent: int,
    at_most: float
) -> None:
    """A line that is busy is not one that is lost, and whatever fills it leaves some of it to others: their answers
    come within two seconds, and soon where a limit was asked for: then it is only busy at the beginning."""
    context = remote.connect(router)
    assert context.call(called.add, 1, 1) == 2
    remote.narrow("1mbit")
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(os.urandom(2 * MIB))
    waits: list[float] = []
    with ThreadPoolExecutor(1) as threads:
        moved = threads.submit(getattr(context, way), source, target, limit=limit)
        while not moved.done():
            watch = Stopwatch()
            assert context.call(called.add, len(waits), 1) == len(waits) + 1
            waits.append(watch.seconds)
            paused = time.monotonic()
            until(lambda paused=paused: moved.done() or time.monotonic() - paused > 0.1)  # type: ignore[misc]
        moved.result()
    assert target.read_bytes() == source.read_bytes()
    assert sum(waits) >= busy, "the line was not busy"
    assert sorted(waits)[len(waits) * percent // 100] < at_most
    assert max(waits) < SUSPECT_AFTER


@pytest.mark.proxy
def test_case_13_pieces_of_7_bytes(proxy: Proxy, proxied: Callable[[], Context]) -> None:
    proxy.up.slices = proxy.down.slices = 7
    context = proxied()
    value = {"numbers": list(range(2000)), "text": "grün" * 1000, "bytes": bytes(range(256)) * 300}
    assert context.call(called.echo, value) == value
    assert list(context.call(called.count, 500)) == list(range(500))
    with pytest.raises(FileNotFoundError):
        context.call("os:stat", "/no/such/file")


@pytest.mark.netns
@pytest.mark.slow
def test_case_15_a_link_that_flaps(remote: RemoteHost, router: Router, tmp_path: Path) -> None:
    """Again and again nothing passes for some seconds: what is called meanwhile runs once, and all on one link."""
    context = remote.connect(router)
    counter = f"{tmp_path}/counter"
    context.call(there.append_line, counter, "0")
    pid = context.info["pid"]
    futures: list[Future[None]] = []
    for _ in range(6):
        for cut in (True, False):
            begun = time.monotonic()
            if cut:
                remote.cut()
            else:
                remote.heal()
            while time.monotonic() - begun < 4:
                futures.append(context.submit(there.append_line, counter, str(len(futures) + 1)))
                time.sleep(0.2)
    for future in futures:
        future.result(PATIENCE)
    with open(counter) as file:
        assert sorted(map(int, file.read().split())) == list(range(len(futures) + 1))
    assert context.call("os:getpid") == pid


@pytest.mark.netns
def test_a_deadline_holds_on_a_line_that_is_cut(remote: RemoteHost, router: Router) -> None:
    """Nothing is known yet of the line's end: whoever waits is told at the deadline, whatever is queued before it."""
    context = remote.connect(router)
    assert context.call(called.add, 1, 1) == 2
    remote.cut()

    def told(size: int) -> None:
        begun = Stopwatch()
        with pytest.raises((remotesvc.CallTimeout, remotesvc.NotSent)):
            context.options(timeout=3).call(called.echo, bytes(size))
        assert begun.seconds <= 3 + 2

    together(partial(told, size) for size in (1, 1000, MIB, 4 * MIB, 1))
    begun = Stopwatch()
    with pytest.raises(remotesvc.CallTimeout):
        list(context.options(timeout=1).call(called.count, 10))
    assert begun.seconds <= 1 + 2


@pytest.mark.netns
@pytest.mark.slow
def test_case_14_a_partition_that_heals_after_8_seconds(
    remote: RemoteHost, router: Router, tmp_path: Path
) -> None:
    """Calls of that time are complete, each run once."""
    context = remote.connect(router)
    counter = f"{tmp_path}/counter"
    context.call(there.append_line, counter, "0")
    remote.cut()
    begun = time.monotonic()
    futures = [context.submit(there.append_line, counter, str(number)) for number in range(1, 21)]
    until(lambda: time.monotonic() - begun >= 8)
    assert not any(future.done() for future in futures)
    remote.heal()
    for future in futures:
        future.result(NOTICED_SILENCE)
    with open(counter) as file:
        assert sorted(map(int, file.read().split())) == list(range(21))
