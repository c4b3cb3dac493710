"""Hooks of users that raise: they are named in the log, and whatever else was under way goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Latch, Lost, Receiver, Router, Select
from remotesvc.messages.hooks import hook_failed
from tests.kernel import called, called_output, called_waiting, messages_there
from tests.kernel.contexts import LIMIT, appears, end, until, usable

pytest_plugins = ("tests.kernel.call_fixtures",)


def fail(*_: Any) -> None:
    raise RuntimeError("the user's")


def waits_for_log(caplog: pytest.LogCaptureFixture, *texts: str) -> None:
    """Wait until there are records of these texts; each has the user's traceback, and none is an error of ours."""
    until(lambda: set(texts) <= set(caplog.messages), what=f"the log tells of {texts}: {caplog.messages}")
    for record in caplog.records:
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == "the user's"
    assert "internal" not in caplog.text


def test_a_hook_that_raises_costs_no_call(
    router: Router, context: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(router)
    receiver.notify = fail
    other = context.submit(called_waiting.wait_for_file, str(tmp_path / "begun"), str(tmp_path / "end"))
    appears(tmp_path / "begun")
    assert context.call(messages_there.send_numbers, receiver.sender(), 3) == 3
    assert [receiver.get(LIMIT).value for _ in range(3)] == [0, 1, 2]
    usable(context)
    (tmp_path / "end").touch()
    assert other.result(LIMIT) == "done"
    waits_for_log(caplog, "the notify hook of a Receiver raised RuntimeError")


def test_hooks_that_raise_all_the_time_cost_one_thread(caplog: pytest.LogCaptureFixture) -> None:
    writing = threading.Event()
    caplog.handler.addFilter(lambda record: writing.wait(LIMIT))
    for _ in range(1000):
        hook_failed("a hook", RuntimeError("the user's"))
    assert [thread.name for thread in threading.enumerate()].count("remotesvc-hook") == 1
    writing.set()
    until(lambda: "remotesvc-hook" not in [thread.name for thread in threading.enumerate()])
    assert 1 < len(caplog.messages) <= 102  # of the rest, the newest, besides those that it had begun with


def test_a_hook_that_raises_when_a_host_dies_leaves_nobody_waiting(
    router: Router, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(router, source=context)
    sender = receiver.sender()
    receiver.notify = fail
    futures = [context.submit(called.nap, 60) for _ in range(3)]
    end(context.info["pid"])
    for future in futures:
        with pytest.raises(Lost, match="SIGKILL"):
            future.result(LIMIT)
    with pytest.raises(Lost):
        receiver.get(LIMIT)
    sender.close()
    waits_for_log(caplog, "the notify hook of a Receiver raised RuntimeError")


def test_a_router_closes_whatever_hooks_raise(caplog: pytest.LogCaptureFixture) -> None:
    router = Router()
    contexts = [router.local() for _ in range(2)]
    waiting = [context.submit(called.nap, 60) for context in contexts]
    kept = [Receiver(router, source=context).sender() for context in contexts]
    receivers = [Receiver(router, source=context) for context in contexts]
    select = Select([*waiting, *receivers], notify=fail)
    kept += [receiver.sender() for receiver in receivers]
    router.close()
    assert all(future.done() for future in waiting)
    select.close()
    waits_for_log(caplog, "the notify hook of a Select raised RuntimeError")


def test_who_puts_into_a_latch_has_no_part_in_its_hook(caplog: pytest.LogCaptureFixture) -> None:
    latch = Latch()
    latch.notify = fail
    latch.put(1)
    latch.close()
    assert list(latch) == [1]
    latch.notify = fail  # it has ended, so that is told at once
    waits_for_log(caplog, "the notify hook of a Latch raised RuntimeError")


def test_ctrl_c_in_a_hook_is_for_who_waits_for_it() -> None:
    def interrupt(_latch: Any) -> None:
        raise KeyboardInterrupt

    latch = Latch()
    latch.notify = interrupt
    with pytest.raises(KeyboardInterrupt):
        latch.put(1)


def test_a_hook_on_a_target_that_raises_is_in_its_log(router: Router, context: Context, heard: Any) -> None:
    sender = context.call(messages_there.receive_with_a_bad_hook)
    sender.send("still here")
    assert context.call(messages_there.received_there) == "still here"
    usable(context)
    heard.wait_until(lambda: any("notify hook of a Receiver raised" in event.msg for event in heard.logs))


Use = Callable[[Context], Any]


@pytest.mark.parametrize(("name", "use"), [
    ("on_output", lambda context: context.call(called_output.say, "one")),
    ("on_log", lambda context: context.call(called_output.log, logging.WARNING, "one")),
])  # fmt: skip
def test_callbacks_of_a_router_that_raise_are_named(
    name: str, use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {name: fail}
    with remotesvc.Router(**options) as router:
        use(router.local())
    waits_for_log(caplog, f"the router's {name} raised RuntimeError: the user's")
