"""Calls over SSH: to a real OpenSSH server and to the embedded one."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.testing.sshd import EmbeddedServer
from tests import interpreters
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer
from tests.kernel import called, called_failing, called_output, called_processes, called_waiting
from tests.kernel.contexts import LIMIT, Heard, alive, appears, end, gone, until
from tests.listeners import closed_port
from tests.scripts import shell_script
from tests.stopwatch import Stopwatch
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")

MEMORY = 15 * 1024
"""KiB that a child may occupy after its first call, on Python 3.11."""

Connect = Callable[..., Context]


@pytest.fixture(params=["openssh", "embedded", "openssh by ssh"])
def connect(
    request: pytest.FixtureRequest, router: Router, sshd_if_any: OpenSSHServer | None, embedded: EmbeddedServer
) -> Connect:
    """Each test that takes it runs against OpenSSH by both transports, and against the embedded server."""
    server: EmbeddedServer | OpenSSHServer = embedded
    if request.param != "embedded":
        server = request.getfixturevalue("sshd")  # skips where there is none
    transport = "openssh" if request.param == "openssh by ssh" else "paramiko"

    def connect(**changes: object) -> Context:
        return connect_to(router, server, **{"transport": transport, **changes})

    return connect


def test_calls(connect: Connect) -> None:
    context = connect()
    assert context.call(called.add, 1, b=2) == 3
    assert context.call(os.getpid) == context.info["pid"] != os.getpid()
    assert list(context.call(called.count, 10_000)) == list(range(10_000))
    assert context.call(called.double, 4) == 8
    assert context.call(lambda x: x + 1, 4) == 5
    assert context.options(thread="main").call(called.is_main_thread) is True
    assert context.options(isolation="process").call(called.process) != context.info["pid"]
    with context.chain() as chain:
        futures = [chain.submit(called.note, number) for number in range(50)]
    assert [future.result() for future in futures] == list(range(50))
    assert 0 < context.ping() < LIMIT
    assert {"tcp", "auth", "boot"} <= set(context.phases)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_every_interpreter(router: Router, embedded: EmbeddedServer, interpreter: interpreters.Interpreter) -> None:
    context = connect_to(router, embedded, python=interpreter.path)
    assert context.call(called.add, 1, 2) == 3
    assert tuple(context.info["version"][:2]) == interpreter.version


def test_the_python_is_found(connect: Connect) -> None:
    assert tuple(connect(python=None).info["version"]) >= (3, 6)


def test_errors_of_calls_over_ssh(connect: Connect) -> None:
    context = connect(name="web1")
    with pytest.raises(FileNotFoundError) as caught:
        context.call("os:stat", "/no/such/file")
    assert isinstance(caught.value, remotesvc.CallError)
    assert caught.value.host == "web1"
    with pytest.raises(remotesvc.EncodeError):
        context.call(called_failing.lock)
    with pytest.raises(remotesvc.CallTimeout):
        context.options(timeout=0.5).call("time:sleep", 30)
    with pytest.raises(remotesvc.CallError, match="SystemExit"):
        context.call(called_failing.fail, "SystemExit", 1)
    assert context.call(called.add, 1, 2) == 3


def test_the_end_is_heard_of_although_a_fork_lives_on(connect: Connect) -> None:
    """sshd ends a channel when nobody holds its pipes any more."""
    context = connect()
    fork = context.call(called_processes.leave_a_fork)
    dies = context.submit(called_processes.die, "exit")
    try:
        assert until(dies.done) < 10  # silence is noticed after 20 s, and the fork lives for longer
        with pytest.raises(remotesvc.Lost, match="status 7"):
            dies.result(0)
        assert alive(fork)
    finally:
        end(fork)


def test_output_is_attributed(connect: Connect, heard: Heard) -> None:
    context = connect(name="web1")
    context.call(called_output.say_in_all_ways)
    heard.wait_until(lambda: "no newline" in heard.text("stderr") and heard.text().count("\n") == 3)
    assert sorted(heard.text().split()) == ["a", "by", "by", "by", "print", "process", "write"]
    assert "its errors\n" in heard.text("stderr")
    assert {event.host for event in heard.output} == {"web1"}
    assert {event.context for event in heard.output} == {context.id}
    by_print = next(event for event in heard.output if event.data == "by print\n")
    by_process = next(event for event in heard.output if event.data == "by a process\n")
    assert by_print.call != 0
    assert by_process.call == 0
    context.call(called_output.burst, b"0123456789abcde\n", 1 << 16, 1)
    heard.wait_until(lambda: heard.text().count("0123456789abcde\n") == 1 << 16)


def test_64_mib_both_ways(connect: Connect) -> None:
    context = connect()
    data = random.Random(1).randbytes(1 << 20) * 64
    assert context.call(called.echo, data) == data


def test_200_calls_at_once(connect: Connect) -> None:
    context = connect()
    futures = [context.submit(called.add, number, 1) for number in range(200)]
    assert [future.result(LIMIT) for future in futures] == list(range(1, 201))
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for other in range(20):
                assert context.call(called.add, number, other) == number + other
        except BaseException as error:
            errors.append(error)

    together(partial(work, number) for number in range(20))
    assert errors == []


def test_a_ping_beside_a_large_transfer(connect: Connect) -> None:
    context = connect()
    assert context.call(called.add, 1, 2) == 3
    future = context.submit(called.echo, bytes(64 << 20))
    pings = [context.ping()]
    while not future.done():
        pings.append(context.ping())
    assert len(future.result()) == 64 << 20
    assert min(pings) < 1


def test_cancelling_a_call_over_ssh_ends_it_there(connect: Connect, tmp_path: Path) -> None:
    context = connect()
    future = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"), str(tmp_path / "told"))
    appears(tmp_path / "begun")
    assert future.cancel()
    appears(tmp_path / "told")
    pids = tmp_path / "pids"
    isolated = context.options(isolation="process").submit(called_processes.spawn_and_wait, str(pids))
    appears(pids)
    assert isolated.cancel()
    for pid in pids.read_text().split():
        gone(int(pid))


def test_closing_a_context_over_ssh_ends_its_processes(connect: Connect) -> None:
    context = connect()
    pid = context.call(called.process)
    sleeper = context.call(called_processes.spawn_sleep)
    daemon = context.call(called_processes.spawn_sleep, True)
    below = context.tree.local(via=context)
    pid_below = below.call(called.process)
    context.close()
    try:
        for each in (pid, sleeper, pid_below):
            gone(each)
        assert alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)
        gone(daemon)
    with pytest.raises(remotesvc.NotSent):
        below.call(called.add, 1, 2)


def test_a_context_takes_one_connection_one_login_and_one_program(router: Router) -> None:
    """One connection, one login, one program; and the first result needs no second turn of ours."""
    with EmbeddedServer() as server:
        context = connect_to(router, server)
        for number in range(50):
            assert context.call(called.add, number, 1) == number + 1
        stats = server.stats
        assert (stats.connections, stats.logins, stats.channels) == (1, 1, 1)
        context.close()


def test_several_contexts_on_a_host(connect: Connect) -> None:
    contexts = [connect(fresh=True) for _ in range(3)]
    futures = [context.submit(called.process) for context in contexts]
    assert len({future.result(LIMIT) for future in futures}) == 3


# -- what keeps one from connecting


def test_a_wrong_key(connect: Connect, tmp_path: Path) -> None:
    import paramiko

    key = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    with pytest.raises(remotesvc.AuthenticationError) as caught:
        connect(key_filename=str(key))
    assert caught.value.stage == "auth"


def test_an_unknown_host_key(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    with pytest.raises(remotesvc.HostKeyError, match="SHA256:"):
        connect(known_hosts=str(tmp_path / "known_hosts"))


def test_a_closed_port(router: Router, embedded: EmbeddedServer) -> None:
    watch = Stopwatch()
    with closed_port() as port, pytest.raises(remotesvc.ConnectError, match="refused") as caught:
        connect_to(router, embedded, port=port)
    assert watch.seconds < 10
    assert caught.value.stage == "tcp"


def test_an_unknown_host(router: Router) -> None:
    with pytest.raises(remotesvc.UnknownHost, match="no-such-host"):
        router.ssh("no-such-host.invalid", ssh_config="none")


def test_a_server_that_never_answers(router: Router, embedded: EmbeddedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watch = Stopwatch()
        with pytest.raises(remotesvc.ConnectTimeout):
            connect_to(router, embedded, port=listener.getsockname()[1], connect_timeout=1)
        assert watch.seconds < 10


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_no_python_there(connect: Connect, python: str) -> None:
    context = connect(python=python)
    with pytest.raises((remotesvc.PythonNotFound, remotesvc.BootstrapError)) as caught:
        context.call(called.add, 1, 2)
    assert isinstance(caught.value, remotesvc.PythonNotFound) == (python != "/bin/false")


def test_a_python_that_dies_there(connect: Connect, tmp_path: Path) -> None:
    without = "import sys;sys.modules['threading']=None;"
    python = shell_script(tmp_path / "python", f'exec {sys.executable} "$1" "{without}$2" "$3" "$4"')
    watch = Stopwatch()
    with pytest.raises(remotesvc.BootstrapError, match="threading") as caught:
        connect(python=str(python)).call(called.add, 1, 2)
    assert "Traceback" in caught.value.diagnostics
    assert watch.seconds < 10


# -- links and processes that go


def test_a_killed_process(connect: Connect, tmp_path: Path) -> None:
    context = connect()
    other = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    watch = Stopwatch()
    with pytest.raises(remotesvc.Lost):
        context.call(called_processes.die, "SIGKILL")
    assert isinstance(other.exception(LIMIT), remotesvc.Lost)
    assert watch.seconds < 5


def test_a_killed_session(router: Router, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """The sshd process that serves us dies: known within a second, and what ran behind it is gone, too."""
    context = connect_to(router, sshd)
    pid = context.call(called.process)
    future = context.submit(called_waiting.wait_cancelled, str(tmp_path / "begun"))
    appears(tmp_path / "begun")
    session = parent_of(pid)
    while parent_of(session) not in (sshd.process.pid, 1, 0):
        session = parent_of(session)
    ended = threading.Event()
    future.add_done_callback(lambda future: ended.set())
    watch = Stopwatch()
    for each in (session, parent_of(pid)):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue
    assert ended.wait(LIMIT)
    assert watch.seconds < 1
    assert isinstance(future.exception(), remotesvc.Lost)
    gone(pid)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def test_a_server_that_vanishes(router: Router) -> None:
    with EmbeddedServer() as server:
        context = connect_to(router, server)
        pid = context.call(called.process)
        future = context.submit("time:sleep", 60)
        server.drop_connections()
        assert isinstance(future.exception(LIMIT), remotesvc.Lost)
        with pytest.raises(remotesvc.NotSent):
            context.call(called.add, 1, 2)
        gone(pid)
        assert connect_to(router, server).call(called.add, 1, 2) == 3


def test_a_stopped_process(connect: Connect) -> None:
    context = connect()
    pid = context.call(called.process)
    link = context.tree.router.links[context.id]
    link.ping_after, link.lost_after, link.busy_lost_after = 0.5, 2.0, 2.0
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(remotesvc.Lost, match="nothing was heard"):
            context.call(called.add, 1, 2)
    finally:
        os.kill(pid, signal.SIGCONT)  # it ends by itself: its link is gone
    gone(pid)


# -- what it costs


@pytest.mark.parametrize("interpreter", [each for each in interpreters.found() if each.version == (3, 11)], ids=str)
def test_memory_of_a_child(router: Router, embedded: EmbeddedServer, interpreter: interpreters.Interpreter) -> None:
    context = connect_to(router, embedded, python=interpreter.path)
    assert context.call("operator:add", 1, 2) == 3
    status = Path(f"/proc/{context.info['pid']}/status").read_text()
    size = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert size <= MEMORY


def test_many_connections_leave_nothing(router: Router, embedded: EmbeddedServer) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with connect_to(router, embedded) as context:
            assert context.call(called.add, 1, 2) == 3
    until(lambda: len(os.listdir("/proc/self/fd")) <= before, what="descriptors are closed")


def test_a_crash_is_told_in_its_own_words(connect: Connect) -> None:
    with pytest.raises(remotesvc.Lost) as caught:
        connect().call("os:abort")
    assert caught.value.diagnostics.startswith("Fatal Python error: Aborted\n")
