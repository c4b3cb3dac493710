"""Calls in a process of their own."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.kernel import called, called_failing, called_output, called_processes, messages_there
from tests.kernel.contexts import LIMIT, Heard, alive, appears, gone, until

pytest_plugins = ("tests.kernel.call_fixtures",)


def test_options_of_a_process(context: Context, tmp_path: Path) -> None:
    own = context.call(called_processes.surroundings)
    there = context.options(
        cwd=str(tmp_path), env={"REMOTESVC_TEST_OPTION": "grün"}, umask=0o27, nice=3
    ).call(called_processes.surroundings)
    assert there == {
        "cwd": str(tmp_path),
        "env": "grün",
        "umask": 0o27,
        "nice": own["nice"] + 3,
        "pid": there["pid"],
    }
    assert there["pid"] != own["pid"]
    assert context.call(called_processes.surroundings) == own


@pytest.mark.parametrize(
    "options",
    [
        {"no_such": 1},
        {"thread": "other"},
        {"isolation": "container"},
        {"cwd": "/", "isolation": "thread"},
        {"raises": [int]},
        {"raises": ["ValueError"]},
    ],
)
def test_options_that_mean_nothing(context: Context, options: dict[str, Any]) -> None:
    with pytest.raises(remotesvc.UsageError):
        context.options(**options)


def test_calls_in_processes_share_nothing(context: Context) -> None:
    apart = context.options(isolation="process")
    pids = {apart.call(called.process) for _ in range(3)}
    assert len(pids) == 3
    assert context.info["pid"] not in pids
    apart.call(called.note, 1)
    assert context.call(called.noted) == []


def test_a_spare_that_was_killed_is_replaced(context: Context) -> None:
    apart = context.options(isolation="process")
    apart.call(called.process)
    (spare,) = context.call(called_processes.kernels_started)
    os.kill(spare, signal.SIGKILL)
    until(lambda: not context.call(called_processes.kernels_started), what="its parent knows")
    assert apart.call(called.process) not in (spare, context.info["pid"])


def test_calls_of_every_kind_in_a_process(context: Context) -> None:
    apart = context.options(isolation="process")
    assert apart.call(called.double, 4) == 8
    assert apart.call(lambda x: x + 1, 4) == 5
    assert apart.call(functools.partial(called.add, 1), b=2) == 3
    assert list(apart.call(called.count, 3)) == [0, 1, 2]
    with pytest.raises(FileNotFoundError) as caught:
        apart.call("os:stat", "/no/such/file")
    assert caught.value.filename == "/no/such/file"
    with pytest.raises(remotesvc.EncodeError):
        apart.call(called_failing.lock)
    with pytest.raises(FileNotFoundError):
        context.options(cwd="/no/such/directory").call(called.process)


def test_output_of_a_process_belongs_to_the_host(router: Router, heard: Heard) -> None:
    context = router.local(name="web1")
    context.options(isolation="process").call(called_output.say, "from apart\n")
    heard.wait_until(lambda: "from apart\n" in heard.text())
    assert {event.host.partition("/")[0] for event in heard.output} == {"web1"}


def test_a_process_that_dies_is_only_its_own_call(context: Context) -> None:
    with pytest.raises(remotesvc.Lost, match="7"):
        context.options(isolation="process").call(called_processes.die, "exit")
    with pytest.raises(remotesvc.Lost, match="SIGSEGV"):
        context.options(isolation="process").call(called_processes.segfault)
    assert context.options(isolation="process").call(called.add, 1, 1) == 2


def test_a_process_whose_call_has_ended_is_no_loss_to_a_receiver(router: Router, context: Context) -> None:
    receiver = remotesvc.Receiver(router)
    sender, apart = receiver.sender(), context.options(isolation="process")
    for number in range(2):
        apart.call(messages_there.send_and_leave_open, sender, number)
        assert receiver.get(LIMIT).value == number
        assert receiver.pending == 0
    assert list(apart.call(messages_there.send_and_count, sender, 3)) == [0, 1, 2]
    assert [receiver.get(LIMIT).value for _ in range(3)] == [0, 1, 2]
    assert apart.call(messages_there.send_numbers, sender, 3) == 3  # which closes it
    assert [message.value for message in receiver] == [0, 1, 2]


def test_a_process_that_dies_is_a_loss_that_does_not_name_the_host_alone(router: Router) -> None:
    context, receiver = router.local(name="web1"), remotesvc.Receiver(router)
    told = remotesvc.Receiver(router)
    apart = context.options(isolation="process")
    future = apart.submit(messages_there.send_and_die, receiver.sender(), told.sender())
    assert receiver.get(LIMIT).value == "last word"
    told.get(LIMIT).value.send("it is here")
    with pytest.raises(remotesvc.Lost, match="7"):
        future.result(LIMIT)
    with pytest.raises(remotesvc.Lost, match=r"web1: a process there, context \d+: .*7"):
        receiver.get(LIMIT)
    assert context.call(called.add, 1, 1) == 2


def test_the_other_side_of_a_channel_ends_with_its_process(router: Router, context: Context) -> None:
    with remotesvc.Channel(router) as channel:
        context.options(isolation="process").call(messages_there.join_and_leave_open, channel.invitation)
        with pytest.raises(remotesvc.Lost, match="its call has ended"):
            channel.get(LIMIT)


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_cancelled_process_is_killed_with_its_subprocesses(context: Context, tmp_path: Path, how: str) -> None:
    pids = tmp_path / "pids"
    # Its time is over when we say so: a real second might be, before there is any process.
    apart = context.options(isolation="process", timeout=None if how == "cancel" else 10 * LIMIT)
    future = apart.submit(called_processes.spawn_and_wait, str(pids))
    appears(pids)
    process, subprocess = map(int, pids.read_text().split())
    assert alive(process)
    assert alive(subprocess)
    if how == "cancel":
        assert future.cancel()
        with pytest.raises(remotesvc.Cancelled):
            future.result()
    else:
        future.expire()
        with pytest.raises(remotesvc.CallTimeout):
            future.result(LIMIT)
    gone(process)
    gone(subprocess)
    assert context.call(called.add, 1, 1) == 2


def test_a_generator_that_is_refused_ends_with_its_process(context: Context) -> None:
    assert len(list(context.options(isolation="process").call(called.count, 3))) == 3
    until(lambda: len(context.call(called_processes.children)) == 1, what="the spare is all there is")
    context.call(called_processes.allow_generators, 0)
    for _ in range(2):
        with pytest.raises(remotesvc.Busy):
            context.options(isolation="process").call(called.count, 3)
    until(lambda: len(context.call(called_processes.children)) == 1, what="the spare is all there is")


def test_the_spare_process_goes_with_the_context(router: Router) -> None:
    context = router.local()
    context.options(isolation="process").call(called.process)
    context.close()  # the leak check of this test sees what stays


# -- hosts that are short of something


def with_a_spare(context: Context) -> Context:
    """Calls in processes of their own, with a spare that is up: only then has it all it takes, a thread that writes to
    it among that, and the call that had it started did not wait for it."""
    apart = context.options(isolation="process")
    apart.call(called.process)
    assert len(context.call(called_processes.kernels_started)) == 1
    return apart


@pytest.mark.parametrize("more", [0, 2])
def test_a_limit_of_open_files_is_named_with_its_remedy(context: Context, more: int) -> None:
    apart = with_a_spare(context)
    before = context.call(called_processes.open_files)
    limit = context.call(called_processes.allow_open_files, more)
    assert apart.call(called.add, 1, 1) == 2, "the spare is there, and no other is needed"
    with pytest.raises(remotesvc.BootstrapError, match="open files") as caught:
        apart.call(called.process)
    assert f"{limit} files open" in caught.value.hint
    assert "ulimit -n" in caught.value.hint
    assert context.call(called_processes.open_files) <= before


def test_where_no_thread_can_be_started_no_process_stays_behind(context: Context) -> None:
    apart = with_a_spare(context)
    context.call(called_processes.forbid_threads)
    assert apart.call(called.add, 1, 1) == 2
    with pytest.raises(remotesvc.BootstrapError, match="thread") as caught:
        apart.call(called.process)
    assert "ulimit -u" in caught.value.hint
    until(lambda: not context.call(called_processes.children), what="nobody is left of it")


def test_why_a_context_cannot_start_another_arrives_as_it_was(router: Router, context: Context) -> None:
    with pytest.raises(remotesvc.BootstrapError, match="cannot start /no/such/python") as caught:
        router.local(via=context, python="/no/such/python")
    assert caught.value.stage == "exec"
    with pytest.raises(remotesvc.BootstrapError, match="status 1") as caught:
        router.local(via=context, python="/bin/false")
    assert caught.value.exit_status == 1
