"""Trees of real processes that lose a hop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.kernel import called, called_output, called_waiting
from tests.kernel.contexts import LIMIT, PROMISED, Heard, alive, appears, gone, hasten, usable
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.fixture
def hops(router: Router) -> Iterator[list[Context]]:
    """A chain of contexts, each the child of the one before it."""
    yield chain(router, 5)


def chain(router: Router, length: int) -> list[Context]:
    contexts = [router.local(name="hop0")]
    for number in range(1, length):
        contexts.append(router.local(via=contexts[-1], name=f"hop{number}"))
    return contexts


def test_five_hops(hops: list[Context], heard: Heard) -> None:
    pids = [context.call(called.process) for context in hops]
    assert len(set(pids)) == 5
    assert [context.info["pid"] for context in hops] == pids
    assert len({context.id for context in hops}) == 5
    last = hops[-1]
    assert list(last.call(called.count, 1000)) == list(range(1000))
    assert len(last.call(called.echo, bytes(20 << 20))) == 20 << 20
    with pytest.raises(FileNotFoundError) as caught:
        last.call("os:stat", "/no/such/file")
    assert isinstance(caught.value, remotesvc.CallError)
    assert caught.value.host == "hop4"
    last.call(called_output.say, "from far away\n")
    heard.wait_until(lambda: "from far away\n" in heard.text())
    assert {event.host for event in heard.output} == {"hop4"}
    assert last.ping() < LIMIT


@pytest.mark.parametrize("victim", range(5))
def test_a_lost_hop_releases_everybody_beyond_it(hops: list[Context], tmp_path: Path, victim: int) -> None:
    pids = [context.call(called.process) for context in hops]
    futures = [
        context.submit(called_waiting.wait_cancelled, str(tmp_path / f"begun{n}")) for n, context in enumerate(hops)
    ]
    streams = [context.call(called.until_closed, os.devnull) for context in hops]
    for n in range(5):
        appears(tmp_path / f"begun{n}")
        next(streams[n])
    os.kill(pids[victim], signal.SIGKILL)
    watch = Stopwatch()
    for future in futures[victim:]:
        assert isinstance(future.exception(LIMIT), remotesvc.Lost)
    for stream in streams[victim:]:
        with pytest.raises(remotesvc.Lost):
            for _ in stream:
                pass
    assert watch.seconds < 5
    for context in hops[victim:]:
        with pytest.raises(remotesvc.NotSent):
            context.call(called.add, 1, 1)
    for context in hops[:victim]:
        usable(context)
    assert not any(future.done() for future in futures[:victim])
    for pid in pids[victim:]:
        gone(pid, PROMISED + 3)


def test_a_chain_of_ten(router: Router, tmp_path: Path) -> None:
    hops = chain(router, 10)
    assert hops[9].call(called.add, 1, 2) == 3
    futures = [hop.submit(called_waiting.wait_cancelled, str(tmp_path / f"begun{n}")) for n, hop in enumerate(hops)]
    for n in range(10):
        appears(tmp_path / f"begun{n}")
    pids = [hop.info["pid"] for hop in hops]
    os.kill(pids[4], signal.SIGKILL)
    for future in futures[4:]:
        assert isinstance(future.exception(LIMIT), remotesvc.Lost)
    assert not any(future.done() for future in futures[:4])
    usable(hops[3])
    for pid in pids[4:]:
        gone(pid, PROMISED + 3)


def test_closing_a_hop_ends_those_beyond_it(hops: list[Context], tmp_path: Path) -> None:
    pids = [context.call(called.process) for context in hops]
    waiting = hops[4].submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    hops[2].close()
    assert isinstance(waiting.exception(LIMIT), remotesvc.Lost)
    for pid in pids[2:]:
        gone(pid)
    usable(hops[1])
    again = hops[1].tree.local(via=hops[1])
    usable(again)


def test_a_stopped_hop_loses_those_beyond_it(hops: list[Context]) -> None:
    pids = [context.call(called.process) for context in hops]
    for context in hops:
        usable(context)
    future = hops[4].submit(called_waiting.wait_for_file, os.devnull, "/no/such/file")
    hasten(hops[0], 0.5, 2.0, 2.0)
    os.kill(pids[0], signal.SIGSTOP)
    assert isinstance(future.exception(LIMIT), remotesvc.Lost)
    for pid in pids:
        gone(pid)


def test_children_that_a_child_started_are_lost_with_it(context: Context) -> None:
    pids = context.call(called.open_children, 3)
    assert all(map(alive, pids))
    os.kill(context.info["pid"], signal.SIGKILL)
    for pid in pids:
        gone(pid, PROMISED + 3)


def test_a_child_that_dies_is_an_error_in_its_parent_only(context: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="status 7"):
        context.call(called.call_child, "os:_exit", 7)
    usable(context)


def test_contexts_that_start_children_at_the_same_time_name_them_differently(router: Router) -> None:
    """Two siblings and one of their children, two calls in each, and the master itself."""
    starters = [router.local(), router.local()]
    starters.append(router.local(via=starters[0]))
    futures = [starter.submit(called.ids_of_children, 5) for starter in starters for _ in range(2)]
    own = [router.local().id for _ in range(3)]
    below = [number for future in futures for number in future.result(LIMIT)]
    assert len({*below, *own, *(starter.id for starter in starters)}) == 30 + 3 + 3
    for starter in starters:
        usable(starter)


def test_many_children_of_a_child(context: Context) -> None:
    pids = context.call(called.open_children, 12)
    assert len(set(pids)) == 12
    context.close()
    for pid in pids:
        gone(pid)
