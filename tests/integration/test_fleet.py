"""Fleets of real processes: every host has one outcome, whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, Cancelled, ConnectTimeout, Fleet, FleetError, Lost, Outcome, Status, UsageError
from remotesvc.fleet.results import Results
from tests.integration import fleet_tasks as tasks
from tests.integration.ssh_servers import OpenSSHServer
from tests.kernel.contexts import appears, until
from tests.scripts import shell_script

pytest_plugins = ("tests.integration.sshd_fixture", "tests.integration.fleet_fixtures")


def test_every_host_answers_and_connections_are_kept(fleet: Fleet) -> None:
    first = fleet.run(tasks.pid)
    assert list(first) == ["web1", "web2", "web3", "db1"] and len(first.ok) == 4
    assert len(set(first.by_host().values())) == 4
    assert fleet.run(tasks.pid).by_host() == first.by_host()


def test_facts_of_the_host_reach_the_function(fleet: Fleet) -> None:
    values = fleet.run(tasks.where, prefix="> ").by_host()
    assert values["db1"] == {"name": "> db1", "groups": ["db"], "colour": "blue",
                             "all": ["ansible_connection", "colour"]}  # fmt: skip
    assert values["web2"]["colour"] == "red"


def test_failures_stand_beside_values(fleet: Fleet) -> None:
    results = fleet.run(tasks.fail_if, "web2")
    assert list(results.ok) == ["web1", "web3", "db1"] and list(results.failed) == ["web2"]
    assert isinstance(results["web2"].error, KeyError) and isinstance(results["web2"].error, CallError)
    with pytest.raises(FleetError, match="1 of 4 hosts: failed: web2") as caught:
        results.raise_for_errors()
    assert caught.value.results is results and [type(each) for each in caught.value.exceptions] == [
        type(results["web2"].error)]  # fmt: skip
    assert results.ok.raise_for_errors() is not None
    assert repr(results) == "<Results 3 ok, 1 failed>"


def test_equal_answers_fold(fleet: Fleet) -> None:
    folded = fleet.run(tasks.fail_if, "db1").fold()
    assert [(names, outcome.status) for names, outcome in folded] == [
        ("web[1-3]", Status.OK), ("db1", Status.FAILED)]  # fmt: skip


def test_a_host_that_dies_is_lost_and_the_others_are_not(inventory: Path) -> None:
    with Fleet("all", inventory=inventory, reconnect=True) as fleet:
        before = fleet.run(tasks.pid).by_host()
        results = fleet.run(tasks.die_if, "web3")
        assert results["web3"].status is Status.LOST and len(results.ok) == 3
        after = fleet.run(tasks.pid).by_host()
        assert after.pop("web3") != before.pop("web3")
        assert after == before


def test_without_reconnecting_a_lost_host_stays_lost(fleet: Fleet) -> None:
    assert fleet.run(tasks.die_if, "web1")["web1"].status is Status.LOST
    again = fleet.run(tasks.pid)
    assert again["web1"].status is Status.NOT_RUN and len(again.ok) == 3


def test_connected_hosts_are_called_without_a_thread_for_each(fleet: Fleet, tmp_path: Path) -> None:
    pids = fleet.run(tasks.pid).by_host()

    def waiting() -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("remotesvc-host-")}

    until(lambda: not waiting(), what="the first run's threads")
    begun = {host: str(tmp_path / host) for host in fleet.hosts}
    gate = str(tmp_path / "gate")
    threads: list[set[str]] = []

    def release() -> None:
        for file in begun.values():
            appears(file)
        threads.append(waiting())
        Path(gate).touch()

    releasing = threading.Thread(target=release)
    releasing.start()
    assert set(fleet.map(tasks.said_and_wait_for, {host: (file, gate) for host, file in begun.items()}).by_host()
               .values()) == {gate}
    releasing.join()
    assert threads == [set()], "while all four were under way"
    assert fleet.run(tasks.count, 3).by_host() == dict.fromkeys(fleet.hosts, [0, 1, 2])
    assert list(fleet.run(tasks.fail_if, "web2").failed) == ["web2"]
    assert {outcome.status for outcome in fleet.options(timeout=0.3).run(tasks.sleep, 600).values()} == {Status.TIMEOUT}
    assert fleet.run(len, b"x" * 100_000).by_host() == dict.fromkeys(fleet.hosts, 100_000)  # not so small
    assert fleet.run(tasks.die_if, "web3")["web3"].status is Status.LOST
    del pids["web3"]
    assert fleet.run(tasks.pid).ok.by_host() == pids


def test_each_host_gets_its_own_arguments(fleet: Fleet) -> None:
    results = fleet.map(tasks.add, {"web1": (1, 2), "web2": {"one": 5}, "db1": 7})
    assert results.by_host() == {"web1": 3, "web2": 5, "db1": 7}
    with pytest.raises(UsageError, match="not in this fleet: web9"):
        fleet.map(tasks.add, {"web9": 1})


def test_filters_share_the_connections(fleet: Fleet) -> None:
    pids = fleet.run(tasks.pid).by_host()
    assert fleet.filter("web:!web2").hosts == ("web1", "web3")
    blue = fleet.filter(lambda host: host.variables["colour"] == "blue")
    assert blue.run(tasks.pid).by_host() == {"db1": pids["db1"]}


def test_results_stream_in_the_order_they_end(inventory: Path, tmp_path: Path) -> None:
    """Each but the first ends only once the result before it has been told."""
    arguments = {"web1": str(tmp_path / "web3"), "web2": "", "web3": str(tmp_path / "web2")}
    seen: list[str] = []

    def told(outcome: Outcome) -> None:
        seen.append(outcome.host)
        (tmp_path / outcome.host).touch()

    with Fleet("web", inventory=inventory, on_result=told) as fleet:
        results = fleet.map(tasks.wait_for, arguments)
    assert results.by_host() == arguments
    assert seen == ["web2", "web3", "web1"]


def test_leaving_the_stream_cancels_what_is_under_way(fleet: Fleet) -> None:
    fleet.run(tasks.pid)
    for outcome in fleet.filter("web").stream(tasks.sleep, 0.0):
        assert outcome.ok
        break
    begun = fleet.filter("db").stream(tasks.sleep, 600)
    threading.Timer(0.1, fleet.close).start()
    assert [outcome.status for outcome in begun] in ([Status.LOST], [Status.FAILED], [Status.NOT_RUN])


def test_generators_are_taken_to_their_end(fleet: Fleet) -> None:
    assert fleet.run(tasks.count, 3)["web1"].value == [0, 1, 2]


@pytest.mark.parametrize("task", [tasks.endless, tasks.stuck])
def test_a_stop_ends_generators_and_the_wait_for_their_items(tmp_path: Path, task: Any) -> None:
    for deadline in (1.0, 5.0, 25.0):  # on a busy machine the generator may not have begun after the first
        with Fleet("local:", deadline=deadline) as fleet:
            outcome = fleet.run(task, str(tmp_path / "closed"))["local:"]
            if "before the generator ended" not in str(outcome.error):
                continue
            assert outcome.status is Status.CANCELLED
            appears(tmp_path / "closed")
            return
    raise AssertionError(outcome)


def test_what_hosts_print_is_kept_where_that_is_wanted(
    inventory: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Fleet("web", inventory=inventory, keep_output=True) as fleet:
        for _ in range(2):  # the second time they are connected, and no thread waits for them
            for outcome in fleet.run(tasks.shout, "loud").values():
                assert (outcome.status, outcome.stdout, outcome.stderr) == (Status.FAILED, "loud\n", "")
        isolated = fleet.options(isolation="process").run(tasks.shout, "alone")
        assert {outcome.stdout for outcome in isolated.values()} == {"alone\n"}
        for host, outcome in fleet.run(tasks.say, "I am").items():
            assert (outcome.value, outcome.stdout) == ([1], f"I am {host}\nthe end\n")
            assert outcome.stderr == "a process\n" and not outcome.truncated
        fleet.push(b"x", str(tmp_path / "silent"))
        assert {outcome.stdout for outcome in fleet.run(tasks.pid).values()} == {""}
    assert capfd.readouterr() == ("", "")

    shown: list[str] = []
    with Fleet("web1", inventory=inventory, keep_output=True, on_output=lambda event: shown.append(event.data)) as one:
        assert one.run(tasks.shout, "both")["web1"].stdout == "both\n"
    assert shown == ["both\n"]


def test_what_other_calls_print_belongs_to_no_outcome(inventory: Path, tmp_path: Path) -> None:
    over, late = tmp_path / "over", tmp_path / "late"
    with Fleet("web1", inventory=inventory, keep_output=True) as fleet:
        with fleet.executor() as executor:
            executor.submit(print, "of a task").result(30)
        assert fleet.run(tasks.pid)["web1"].stdout == ""
        timed_out = fleet.options(timeout=0.5).run(tasks.told_at_the_end, "late", str(over), str(late))["web1"]
        assert (timed_out.status, timed_out.stdout) == (Status.TIMEOUT, "late begins\n")
        over.touch()
        appears(late)
        assert fleet.run(tasks.shout, "mine")["web1"].stdout == "mine\n"
        with ThreadPoolExecutor() as threads:
            gates = [tmp_path / "one", tmp_path / "two"]
            runs = [threads.submit(fleet.run, tasks.told_at_the_end, gate.name, str(gate)) for gate in gates]
            for gate, run in zip(gates, runs, strict=True):
                gate.touch()
                assert run.result(30)["web1"].stdout == f"{gate.name} begins\n{gate.name} ends\n"
        assert fleet.call_service(tasks.Counter, "say", "a service")["web1"].stdout == "a service\n"


def test_call_options_and_timeouts(fleet: Fleet) -> None:
    results = fleet.filter("web1").options(timeout=0.3).run(tasks.sleep, 600)
    assert results["web1"].status is Status.TIMEOUT


def test_hooks_are_told_of_starts_connections_and_results(inventory: Path) -> None:
    started: list[str] = []
    connected: list[str] = []
    ended: list[Outcome] = []
    with Fleet("web", inventory=inventory, on_start=started.append,
               on_connect=lambda host, context: connected.append(host), on_result=ended.append) as fleet:  # fmt: skip
        fleet.run(tasks.pid)
        fleet.run(tasks.pid)
    assert sorted(connected) == ["web1", "web2", "web3"] and len(ended) == 6
    assert sorted(started) == sorted(connected * 2)


def test_a_hook_that_raises_is_logged_once_and_changes_nothing(
    inventory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(*anything: Any) -> None:
        raise RuntimeError("a listener's own trouble")

    with Fleet("web", inventory=inventory, on_start=bad, on_connect=bad, on_result=bad) as fleet:
        assert len(fleet.run(tasks.pid).ok) == 3
        assert [outcome.status for outcome in fleet.stream(tasks.pid)] == [Status.OK] * 3
    said = [record.getMessage() for record in caplog.records]
    assert sorted(line.split()[0] for line in said) == ["on_connect", "on_result", "on_start"]
    assert all(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("kind", [SystemExit, pytest.fail.Exception, KeyboardInterrupt])
def test_a_hook_that_would_end_the_program_ends_no_thread_of_a_run(
    inventory: Path, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    def bad(*anything: Any) -> None:
        raise kind("a listener's own trouble")

    with Fleet("web1", inventory=inventory, reconnect=True, on_connect=bad, on_start=bad, on_lost=bad) as fleet:
        assert fleet.run(tasks.pid)["web1"].ok
        assert fleet.run("os:_exit", 3)["web1"].status is Status.LOST
        until(lambda: fleet.run(tasks.pid)["web1"].ok, what="the host is connected again")
    with Fleet("127.0.0.1", port=1, ssh_config="none", retries=1, retry_delay=0.1, on_retry=bad) as fleet:
        assert fleet.run(tasks.pid)["127.0.0.1"].attempts == 2
    assert {record.getMessage().split()[0] for record in caplog.records} == {
        "on_start", "on_connect", "on_lost", "on_retry"}  # fmt: skip


def test_ctrl_c_while_the_main_thread_runs_a_hook_is_raised(inventory: Path) -> None:
    def interrupted(outcome: Outcome) -> None:
        signal.raise_signal(signal.SIGINT)

    with Fleet("web1", inventory=inventory, on_result=interrupted) as fleet, pytest.raises(KeyboardInterrupt):
        fleet.run(tasks.pid)


def test_a_lost_host_is_told_of_while_nothing_is_under_way(inventory: Path) -> None:
    lost: dict[str, BaseException] = {}
    connected: list[str] = []
    with Fleet("web", inventory=inventory, reconnect=True, on_lost=lost.__setitem__,
               on_connect=lambda host, context: connected.append(host)) as fleet:  # fmt: skip
        before = fleet.run(tasks.pid).by_host()
        os.kill(before["web2"], signal.SIGKILL)
        until(lambda: lost, what="the loss")
        after = fleet.run(tasks.pid).by_host()  # connected again at its next call, and that is this one
        assert after.pop("web2") != before.pop("web2") and after == before
        assert fleet.run(tasks.die_if, "web3")["web3"].status is Status.LOST
        until(lambda: len(lost) == 2, what="the second loss")
    assert list(lost) == ["web2", "web3"] and {type(error) for error in lost.values()} == {Lost}
    assert str(lost["web2"]) == "web2: the process was killed by SIGKILL"
    assert connected.count("web2") == 2


def test_only_a_host_that_was_up_is_lost(inventory: Path) -> None:
    lost: list[str] = []
    with Fleet("web", inventory=inventory, on_lost=lambda host, error: lost.append(host), python="/bin/true") as fleet:
        assert {outcome.status for outcome in fleet.run(tasks.pid).values()} == {Status.UNREACHABLE}
        kernel: Any = fleet.router.kernel
        kernel.tree().callbacks.flush(20)  # where a loss would be told of
    with Fleet("web", inventory=inventory, on_lost=lambda host, error: lost.append(host)) as fleet:
        assert len(fleet.run(tasks.pid).ok) == 3
    assert lost == []


@pytest.mark.parametrize("retries", [0, 2])
def test_what_a_late_kernel_may_run_is_not_called_again(tmp_path: Path, retries: int) -> None:
    """A first call travels with the kernel, and nobody can call it back: here the kernel cannot tell that it is up."""
    ran = tmp_path / "ran"
    mute = shell_script(tmp_path / "python", f'exec 3>&1 > /dev/null; exec {sys.executable} "$@"')
    with Fleet("local:", python=str(mute), connect_timeout=2.0, retries=retries, retry_delay=0.0) as fleet:
        (outcome,) = fleet.run("os:system", f"echo ran >> {ran}").values()
    assert isinstance(outcome.error, ConnectTimeout)
    if retries:
        assert (outcome.status, outcome.attempts, ran.exists()) == (Status.UNREACHABLE, 3, False)
    else:
        assert (outcome.status, outcome.attempts, ran.read_text()) == (Status.LOST, 1, "ran\n")


def test_what_a_late_kernel_may_run_is_given_to_no_other_host(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    mute = shell_script(tmp_path / "python", f'exec 3>&1 > /dev/null; exec {sys.executable} "$@"')
    inventory = tmp_path / "hosts"
    inventory.write_text("a ansible_connection=local\nb ansible_connection=local\n")
    with Fleet("all", inventory=str(inventory), python=str(mute), connect_timeout=2.0) as fleet:
        future = fleet.executor().submit(os.system, f"echo ran >> {ran}")
        assert isinstance(future.exception(60), ConnectTimeout)
    assert ran.read_text() == "ran\n"


def test_asyncio(inventory: Path) -> None:
    async def main() -> tuple[Results, list[str]]:
        async with Fleet("all", inventory=inventory) as fleet:
            results = await fleet.arun(tasks.add, 1, two=2)
            hosts = [outcome.host async for outcome in fleet.astream(tasks.pid)]
            return results, hosts

    results, hosts = asyncio.run(main())
    assert set(results.by_host().values()) == {3} and sorted(hosts) == ["db1", "web1", "web2", "web3"]


def test_cancelling_a_task_cancels_the_remote_calls(inventory: Path, tmp_path: Path) -> None:
    async def main(fleet: Fleet) -> None:
        task = asyncio.create_task(fleet.arun(tasks.begin, str(tmp_path), 600))
        for host in fleet.hosts:
            await asyncio.to_thread(appears, tmp_path / host)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)

    with Fleet("web", inventory=inventory) as fleet:
        fleet.run(tasks.pid)
        asyncio.run(main(fleet))
        assert len(fleet.run(tasks.pid).ok) == 3  # their workers are free again


def test_a_loop_whose_threads_are_taken_does_not_hold_up_a_fleet(inventory: Path) -> None:
    release = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        taken = loop.run_in_executor(None, release.wait)  # until this fleet is through
        async with Fleet("web", inventory=inventory) as fleet:
            assert len((await asyncio.wait_for(fleet.arun(tasks.pid), 30)).ok) == 3
        release.set()
        await taken

    try:
        asyncio.run(main())
    finally:
        release.set()


def test_an_idempotent_call_is_made_again_where_it_was_lost(inventory: Path, tmp_path: Path) -> None:
    again: list[tuple[str, int, str]] = []
    with Fleet("web", inventory=inventory, retries=1, retry_delay=0.01, reconnect=True,
               on_retry=lambda host, tries, error: again.append((host, tries, type(error).__name__))) as fleet:
        results = fleet.options(idempotent=True).run(tasks.die_at_first, str(tmp_path))
        assert set(results.by_host().values()) == {"second time"}
        assert sorted(again) == [("web1", 1, "Lost"), ("web2", 1, "Lost"), ("web3", 1, "Lost")]
        assert {outcome.attempts for outcome in results.values()} == {2}
        # Without the word, what may have run is not run again; with it, no more often than was said.
        for path in tmp_path.glob("web*"):
            path.unlink()
        assert {each.status for each in fleet.run(tasks.die_at_first, str(tmp_path)).values()} == {Status.LOST}
        always = fleet.options(idempotent=True).run("os:_exit", 3)
        assert [(each.status, each.attempts) for each in always.values()] == [(Status.LOST, 2)] * 3


def test_what_cannot_be_is_said_before_anything_is_connected(inventory: Path) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        Fleet("web1", nonsense=1)
    with pytest.raises(UsageError, match="no jump host leads through bastion to docker:web1"):
        Fleet(["web1", "docker:web1"], jump="bastion")
    with pytest.raises(UsageError, match="no option fork,"):
        Fleet("local:", fork=3)
    with pytest.raises(UsageError, match="nobody logs in to local:; .* become_user='nobody'"):
        Fleet("local:", user="nobody")  # it ran as whoever called it
    Fleet(["web1", "local:"], user="nobody").close()  # web1's
    bad: dict[str, Any]
    for bad in ({"hosts": "wbe"}, {"forks": 0}, {"serial": ["x"]}, {"inventory": "/none"}, {"forks": "3"},
                {"forks": 2.5}, {"retries": "1"}, {"max_fail_percentage": "10"}, {"retry_delay": "x"},
                {"deadline": "3"}, {"deadline": float("nan")}, {"on_result": "x"}, {"hosts": None},
                {"hosts": [5]}, {"serial": 2.5}):
        with pytest.raises(UsageError):
            arguments: dict[str, Any] = {"hosts": "web", "inventory": str(inventory), **bad}
            Fleet(**arguments)


@pytest.mark.parametrize(("serial", "first"), [("25%", 1), ("3", 3), (2, 2), (["1", 2], 1)])
def test_one_size_is_that_of_all_batches(inventory: Path, serial: Any, first: int) -> None:
    begun: list[str] = []
    with Fleet("all", inventory=inventory, serial=serial, fail_fast=True, on_start=begun.append) as fleet:
        assert len(fleet.run("os:listdir", "/nonexistent")) == 4
    assert len(begun) == first


def test_options_that_mean_nothing_are_told_at_once(fleet: Fleet) -> None:
    for options in ({"timout": 3}, {"timeout": "3"}, {"isolation": "thread", "cwd": "/"}):
        with pytest.raises(UsageError):
            fleet.options(**options)


def test_a_closed_fleet_runs_nothing(inventory: Path) -> None:
    fleet = Fleet("web", inventory=inventory)
    fleet.close()
    assert {outcome.status for outcome in fleet.run(tasks.pid).values()} == {Status.NOT_RUN}


# -- over SSH


def test_a_fleet_over_ssh_with_a_host_that_is_down(sshd: OpenSSHServer, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        f"[up]\nn[1:3] ansible_host={sshd.host} ansible_port={sshd.port}\n"
        f"[down]\ngone ansible_host=127.0.0.1 ansible_port=1\n"
    )
    connection: dict[str, Any] = {
        "user": sshd.user, "key_filename": sshd.key_file, "known_hosts": sshd.known_hosts_file, "ssh_config": "none",
        "extra_options": ("IdentityAgent=none",)}  # fmt: skip
    again: list[tuple[str, int, str]] = []
    with Fleet("all", inventory=path, retries=2, retry_delay=0.01, **connection,
               on_retry=lambda host, tries, error: again.append((host, tries, type(error).__name__))) as fleet:
        results = fleet.run(tasks.add, 20, two=22)
    assert again == [("gone", 1, "ConnectError"), ("gone", 2, "ConnectError")]
    assert results.by_host() == {"n1": 42, "n2": 42, "n3": 42}
    assert list(results.unreachable) == ["gone"] and results["gone"].attempts == 3
    assert "gone" in str(results["gone"].error)


# -- services and files


def test_a_service_on_every_host(fleet: Fleet) -> None:
    first = fleet.call_service("tests.integration.fleet_tasks.Counter", "add", 2)
    again = fleet.call_service(tasks.Counter, "add", by=3)
    assert set(first.by_host().values()) == {2} and set(again.by_host().values()) == {5}
    assert len(fleet.call_service(tasks.Counter, "hidden").failed) == 4
    assert fleet.call_service(tasks.Counter, "where", "at ").by_host() == {host: f"at {host}" for host in fleet.hosts}


def test_files_to_every_host_and_back(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "tree" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("a" * 1000)
    (tmp_path / "tree" / "inner" / "b.txt").write_text("b")
    pushed = fleet.filter("web1").push(tmp_path / "tree", str(tmp_path / "there"))
    assert pushed.raise_for_errors() and (tmp_path / "there" / "inner" / "b.txt").read_text() == "b"
    fleet.push(b"word", str(tmp_path / "word")).raise_for_errors()
    pulled = fleet.pull(str(tmp_path / "word"), tmp_path / "back")
    assert len(pulled.ok) == 4 and (tmp_path / "back" / "db1" / "word").read_bytes() == b"word"
    (tmp_path / "tree" / "a.txt").write_text("changed")
    fleet.filter("web2").sync(tmp_path / "tree", str(tmp_path / "there")).raise_for_errors()
    assert (tmp_path / "there" / "a.txt").read_text() == "changed"
    missing = fleet.pull("/nonexistent/file", tmp_path / "none")
    assert len(missing.failed) == 4 and isinstance(missing["web1"].error, OSError)


@pytest.mark.parametrize("move", ["push", "pull", "sync"])
def test_the_end_of_the_time_ends_a_transfer_and_its_destination_stays(tmp_path: Path, move: str) -> None:
    tree, there = tmp_path / "tree", tmp_path / "there"
    for directory, content in ((tree, os.urandom(3_000_000)), (there, b"old")):
        directory.mkdir()
        (directory / "local").mkdir()
        (directory / "local" / "file").write_bytes(content)
    user = threading.Event()
    with Fleet("local:", deadline=0.5) as fleet:
        if move == "pull":
            outcome = fleet.pull(str(tree / "local" / "file"), there, limit=1_000_000, stop=user)["local:"]
        else:
            outcome = getattr(fleet, move)(tree, str(there), limit=1_000_000, stop=user)["local:"]
        assert (outcome.status, type(outcome.error)) == (Status.CANCELLED, Cancelled)
        assert outcome.seconds < 3, "it ended by itself"
        assert fleet.run("os:getpid")["local:"].status is Status.OK
    assert (there / "local" / "file").read_bytes() == b"old"
    user.set()
    with Fleet("local:") as fleet:
        assert isinstance(fleet.push(b"word", str(there / "word"), stop=user)["local:"].error, Cancelled)
        assert isinstance(fleet.push(b"word", str(there / "word"), stop=5)["local:"].error, UsageError)


def test_a_time_limit_among_the_call_options_holds_for_files(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(os.urandom(3_000_000))
    short = fleet.filter("web1").options(timeout=0.3)
    slow: dict[str, Any] = {"limit": 1_000_000}
    for results in (short.push(tmp_path / "tree" / "file", str(tmp_path / "pushed"), **slow),
                    short.pull(str(tmp_path / "tree" / "file"), tmp_path / "pulled", **slow),
                    short.sync(tmp_path / "tree", str(tmp_path / "synced"), **slow)):
        assert results["web1"].status is Status.TIMEOUT
    assert short.push(b"x", str(tmp_path / "word"), timeout=None)["web1"].ok
