"""What the public names of messages are given: wrong things are refused at the door, in words of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import remotesvc
from remotesvc import Channel, Latch, Receiver, Router, Select, Sender, UsageError, WaitTimeout

TIMES = ("x", b"1", [1], True, float("nan"), object())


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    with Router() as made:
        yield made


api: Any = remotesvc
"""Without its types: what is given here is wrong."""

Made = Callable[[Router], Any]
WAITS: list[Callable[[Router, Any], object]] = [
    lambda router, timeout: Receiver(router).get(timeout=timeout),
    lambda router, timeout: Receiver(router).get(timeout, block=False),
    lambda router, timeout: Receiver(router).sender().send(1, timeout=timeout),
    lambda router, timeout: Receiver(router).sender().close(timeout=timeout),
    lambda router, timeout: Latch().get(timeout=timeout),
    lambda router, timeout: Latch().put(1, timeout=timeout),
    lambda router, timeout: Select([Latch()]).get(timeout=timeout),
    lambda router, timeout: Channel(router).get(timeout=timeout),
    lambda router, timeout: Channel(router).send(1, timeout=timeout),
    lambda router, timeout: Channel(router).close(timeout=timeout),
    lambda router, timeout: Channel.join(Channel(router).invitation, timeout=timeout),
]


@pytest.mark.parametrize("timeout", TIMES, ids=[*map(repr, TIMES[:-1]), "object"])
@pytest.mark.parametrize("wait", WAITS)
def test_timeouts_that_are_no_number_of_seconds_are_refused(
    wait: Callable[[Router, Any], object], timeout: Any, router: Router
) -> None:
    with pytest.raises(UsageError, match="timeout is a number of seconds, or None for no limit, not "):
        wait(router, timeout)


@pytest.mark.parametrize("made", [
    lambda router: api.Receiver("web1"),
    lambda router: api.Channel("web1"),
    lambda router: api.Receiver(router, source="web1"),
    lambda router: api.Receiver(router).sender("web1"),
    lambda router: api.Channel(router, peer="web1"),
    lambda router: api.Channel.join("web1"),
    lambda router: api.Channel.join(api.Channel(router)),
    lambda router: api.Latch("10"),
    lambda router: api.Latch(0),
    lambda router: api.Select(["web1"]),
    lambda router: api.Select(api.Receiver(router)),
    lambda router: api.Select(api.Latch()),
    lambda router: api.Select(5),
    lambda router: api.Select([api.Latch()], notify="x"),
    lambda router: setattr(api.Latch(), "notify", 5),
])  # fmt: skip
def test_arguments_of_a_wrong_type_are_refused(made: Made, router: Router) -> None:
    with pytest.raises(UsageError):
        made(router)


def test_times_beyond_what_python_waits_are_for_ever(router: Router) -> None:
    receiver = Receiver(router)
    with receiver.sender() as sender:
        sender.send("here", timeout=float("inf"))
        assert receiver.get(timeout=1e30).value == "here"
        assert isinstance(sender, Sender)
    with pytest.raises(WaitTimeout):
        Latch().get(timeout=-5)
