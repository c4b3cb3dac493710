"""Jump hosts and proxy commands, on real sshds: end to end, shared, and as real `ssh` understands the same file."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Lost, Router, ssh
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, ConnectTimeout, HostKeyError
from remotesvc.ssh import SSHOptions, jump_hosts, keyexchange, reach
from remotesvc.ssh import connect as connecting
from remotesvc.ssh.connect import Effort
from remotesvc.ssh.jump_hosts import JumpHosts
from remotesvc.ssh.keyexchange import Turn
from remotesvc.ssh.login.keyring import KeyRing
from remotesvc.ssh.paths.socket import Stream
from tests.integration.ssh_servers import (
    MISSING,
    PATIENCE,
    SSHD,
    OpenSSHServer,
    connect_error,
    openssh_server,
    running,
)
from tests.kernel.contexts import LIMIT, until
from tests.listeners import closed_port
from tests.stopwatch import Stopwatch
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")
pytestmark = pytest.mark.skipif(SSHD is None, reason=MISSING)

NAMES = ("bastion", "inner", "deep", "closed")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, OpenSSHServer]]:
    """Hosts by name; `closed` forwards nothing."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(
                openssh_server(tmp_path_factory.mktemp(name), "AllowTcpForwarding no" if name == "closed" else "")
            )
            for name in NAMES
        }


class Lines:
    """What an sshd has logged since now."""

    def __init__(self, server: OpenSSHServer) -> None:
        self._server = server
        self._start = len(server.written())

    def count(self, text: str) -> int:
        return sum(text in line for line in self._server.written()[self._start :])

    def wait(self, text: str, count: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.count(text) < count:
            assert time.monotonic() < deadline, self._server.log
            time.sleep(0.02)


@pytest.fixture
def config(servers: dict[str, OpenSSHServer], tmp_path: Path) -> Path:
    """An ssh_config in which inner is behind bastion, deep behind inner; each host has a key of its own."""
    path = tmp_path / "config"
    text = ""
    jump_hosts = {"inner": "bastion", "deep": "inner"}
    for name, server in servers.items():
        text += (
            f"Host {name}\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n"
            f" IdentityFile {server.key_file}\n IdentitiesOnly yes\n IdentityAgent none\n"
            f" UserKnownHostsFile {server.known_hosts_file}\n GlobalKnownHostsFile none\n"
        )
        if name in jump_hosts:
            text += f" ProxyJump {jump_hosts[name]}\n"
    path.write_text(text)
    return path


def options(config: Path, host: str, **changes: Any) -> SSHOptions:
    return SSHOptions.parse(host, **{"ssh_config": config, "host_keys": "yes", **changes})


def output(options: SSHOptions) -> bytes:
    """Where a command that was run there came from and went to."""
    with running(options, "echo $SSH_CONNECTION; head -c 10", [b"in and out"]) as got:
        got.wait_end()
        return got.data


def port_reached(options: SSHOptions) -> int:
    return int(output(options).split()[3])


@pytest.mark.parametrize(
    ("host", "jump", "hops"),
    [("inner", None, ["bastion"]), ("deep", None, ["bastion", "inner"]), ("inner", "none", []),
     ("deep", "bastion", ["bastion"]), ("deep", "bastion,inner", ["bastion", "inner"]),
     ("deep", ["inner"], ["bastion", "inner"]), ("bastion", "inner", ["bastion", "inner"])],
)  # fmt: skip
def test_the_way_is_the_one_that_ssh_takes(
    host: str, jump: Any, hops: list[str], config: Path, servers: dict[str, OpenSSHServer]
) -> None:
    def logins() -> list[str]:
        for name in hops:
            logs[name].wait("Accepted publickey", 1 + (name == host))
        return [name for name in NAMES if name != host and logs[name].count("Accepted publickey")]

    logs = {name: Lines(server) for name, server in servers.items()}
    assert port_reached(options(config, host, jump=jump)) == servers[host].port
    ours = logins()
    logs = {name: Lines(server) for name, server in servers.items()}
    flags = [] if jump is None else ["-J", jump if isinstance(jump, str) else ",".join(jump)]
    command = ["ssh", "-F", str(config), "-o", "BatchMode=yes", *flags, host, "echo $SSH_CONNECTION"]
    theirs = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert int(theirs.stdout.split()[3]) == servers[host].port
    assert sorted(ours) == sorted(logins()) == sorted(name for name in hops if name != host)


def test_hosts_behind_a_jump_host_share_its_connection_which_ends_with_the_last(
    config: Path, servers: dict[str, OpenSSHServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    many, at_once, most, came = 12, 0, 0, 0
    lock = threading.Lock()
    meeting = threading.Barrier(3)  # that so many go at the same time is waited for, not hoped for

    class Counted(Turn):
        def take(self, sock: Stream) -> None:
            nonlocal at_once, most, came
            super().take(sock)
            with lock:
                at_once, came = at_once + 1, came + 1
                most = max(most, at_once)
                meets = came <= meeting.parties
            if meets:
                meeting.wait(LIMIT)

        def give_back(self) -> None:
            nonlocal at_once
            with lock:
                at_once -= self in self._turns.at_it
            super().give_back()

    monkeypatch.setattr(jump_hosts, "Turn", Counted)
    monkeypatch.setattr(jump_hosts, "HANDSHAKES", 3)
    monkeypatch.setattr(keyexchange, "_SILENT", LIMIT)
    shared, bastion, inner = JumpHosts(), Lines(servers["bastion"]), Lines(servers["inner"])
    paths: list[Any] = []

    def open_one() -> None:
        path = ssh.open(options(config, "inner"), lambda peer: "exec cat", jump_hosts=shared)
        with lock:
            paths.append(path)

    together(open_one for _ in range(many))
    assert len(paths) == many
    inner.wait("Accepted publickey", many)
    bastion.wait("Accepted publickey")
    assert bastion.count("Accepted publickey") == 1
    assert most == 3
    for path in paths[1:]:
        path.close()
        path.join(10)
    path = ssh.open(options(config, "inner"), lambda peer: "exec cat", jump_hosts=shared)
    assert bastion.count("Accepted publickey") == 1
    for last in (path, paths[0]):
        last.close()
        last.join(10)
    assert not shared._bastions
    bastion.wait("Connection closed by")
    output(options(config, "inner"))
    bastion.wait("Accepted publickey", 2)


def test_functions_run_behind_two_jump_hosts_and_loss_is_noticed(
    config: Path, servers: dict[str, OpenSSHServer], router: Router
) -> None:
    context = router.ssh("deep", ssh_config=config, python=sys.executable)
    assert context.call("math:factorial", 20) == 2432902008176640000
    assert len(context.call("os:urandom", 3_000_000)) == 3_000_000
    assert context.call("builtins:len", bytes(3_000_000)) == 3_000_000
    assert {"jump", "tcp", "kex", "auth", "open", "exec", "boot"} <= set(context.phases)
    (outer,) = [each for key, each in router._ssh.jump_hosts()._bastions.items() if key.host == "bastion"]
    future = context.submit("time:sleep", 60)
    watch = Stopwatch()
    assert outer.opening.value is not None
    outer.opening.value.socket.sever()
    with pytest.raises(Lost):
        future.result(30)
    assert watch.seconds < 10
    # Reconnecting is explicit, and makes new connections all the way.
    assert router.ssh("deep", ssh_config=config, python=sys.executable).call("os:getpid")


def test_the_key_of_the_inner_host_is_checked_here(config: Path, servers: dict[str, OpenSSHServer]) -> None:
    impostor = servers["closed"].port
    error = connect_error(
        options(config, "inner", port=impostor, known_hosts=[servers["bastion"].known_hosts_file]),
    )
    assert isinstance(error, HostKeyError)
    known = config.with_name("known")
    key = Path(servers["inner"].known_hosts_file).read_text().split(None, 1)[1]
    known.write_text(
        Path(servers["bastion"].known_hosts_file).read_text() + f"[127.0.0.1]:{impostor} {key}"
    )
    inner = Lines(servers["closed"])
    error = connect_error(options(config, "inner", port=impostor, known_hosts=known))
    assert "CHANGED" in error.message
    assert "jump host" not in error.message
    assert not inner.count("publickey")


def test_what_goes_wrong_at_the_jump_host_says_so(config: Path, servers: dict[str, OpenSSHServer]) -> None:
    error = connect_error(options(config, "deep", jump="closed"))
    assert "jump host closed cannot reach 127.0.0.1" in error.message
    assert "AllowTcpForwarding" in error.hint
    with closed_port() as port:
        error = connect_error(options(config, "inner", port=port))
        assert error.stage == "tcp"
        assert f"jump host bastion cannot reach 127.0.0.1 port {port}" in error.message
        assert "refused" in error.message and not error.hint
        error = connect_error(options(config, "inner", jump=f"bastion:{port}"))
        assert error.message.startswith(f"jump host bastion: cannot connect to 127.0.0.1 port {port}")
    error = connect_error(options(config, "inner", jump="nobody_there@bastion", key_filename=servers["inner"].key_file))
    assert isinstance(error, AuthenticationError)
    assert error.message.startswith("jump host bastion: login as nobody_there failed")
    assert "IdentityFile" in error.hint
    error = connect_error(options(config, "inner", jump="bastion", known_hosts=servers["inner"].known_hosts_file))
    assert isinstance(error, HostKeyError)
    assert error.message.startswith("jump host bastion: the host key is not known")


def test_one_failure_of_a_jump_host_is_the_failure_of_all_behind_it(
    config: Path, servers: dict[str, OpenSSHServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, bastion = JumpHosts(), Lines(servers["bastion"])
    attempts, errors = 8, []
    target = options(config, "inner", jump="nobody_there@bastion")
    connect = connecting.connect

    def held_up(*arguments: Any) -> Any:
        # Who comes once it has failed would make an attempt of his own.
        until(lambda: sum(each.users for each in shared._bastions.values()) == attempts)
        return connect(*arguments)

    monkeypatch.setattr(jump_hosts, "connect", held_up)

    def attempt() -> None:
        with pytest.raises(AuthenticationError) as caught:
            ssh.open(target, lambda peer: "true", jump_hosts=shared)
        errors.append(caught.value)

    together(attempt for _ in range(attempts))
    assert len(errors) == attempts == len(set(map(id, errors)))
    assert bastion.count("Connection from") < attempts
    assert not shared._bastions


def test_hosts_that_fail_together_behind_a_jump_host_have_each_its_own_reason_and_its_retries(
    config: Path, servers: dict[str, OpenSSHServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing, each = 1, 6
    meeting, met = threading.Barrier(2 * each), threading.local()
    through = reach.through

    def at_once(*arguments: Any) -> Stream:
        if not hasattr(met, "once"):
            met.once = True
            meeting.wait(LIMIT)
        return through(*arguments)

    monkeypatch.setattr(reach, "through", at_once)
    reasons: list[tuple[int, str]] = []

    def attempt(port: int) -> None:
        target = options(config, "inner", port=port, jump="picky", extra_options=["ConnectionAttempts=2"])
        with pytest.raises(ConnectError) as caught:
            ssh.open(target, lambda peer: "true", jump_hosts=shared)
        reasons.append((port, caught.value.reason))

    with openssh_server(tmp_path / "picky", f"PermitOpen 127.0.0.1:{refusing}") as picky:
        with config.open("a") as file:
            file.write(
                f"Host picky\n HostName 127.0.0.1\n Port {picky.port}\n User {picky.user}\n"
                f" IdentityFile {picky.key_file}\n IdentitiesOnly yes\n IdentityAgent none\n"
                f" UserKnownHostsFile {picky.known_hosts_file}\n GlobalKnownHostsFile none\n"
            )
        shared, lines = JumpHosts(), Lines(picky)
        prohibited = servers["inner"].port
        together(partial(attempt, port) for port in (refusing, prohibited) * each)
        lines.wait(f"port {refusing}: failed", 2 * each)
    assert Counter(reasons) == {
        (refusing, f"jump host picky cannot reach 127.0.0.1 port {refusing}: refused or unreachable from there, "
         "or a name unknown there"): each,
        (prohibited, f"jump host picky cannot reach 127.0.0.1 port {prohibited}: it does not forward this "
         "connection"): each,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["Host a\n ProxyJump b\nHost b\n ProxyJump a\n", "Host *\n ProxyJump b\n",
                                  "Host b\n ProxyJump c\nHost *\n ProxyJump b\n"])  # fmt: skip
def test_a_circle_is_noticed(text: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    watch = Stopwatch()
    error = connect_error(options(tmp_path / "config", "a"))
    assert error.stage == "jump"
    assert "stage config" in error.message
    assert "circle" in error.message or "loop" in error.diagnostics
    assert watch.seconds < 10


def test_a_jump_host_that_goes_silent_costs_no_more_than_the_time_allowed(
    config: Path, servers: dict[str, OpenSSHServer]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        watch = Stopwatch()
        # Time enough to get past the jump host on a busy machine.
        error = connect_error(options(config, "inner", port=port), 6.0)
        assert isinstance(error, ConnectTimeout)
        assert error.stage == "kex"
        error = connect_error(options(config, "inner", jump=f"bastion:{port}"), 1.0)
        assert isinstance(error, ConnectTimeout)
        assert "jump host bastion" in error.message
        assert watch.seconds < 15


# -- ProxyCommand

RELAY = """\
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""


@pytest.fixture
def through(config: Path, tmp_path: Path, servers: dict[str, OpenSSHServer]) -> Callable[[str], SSHOptions]:
    """Options for bastion by way of a proxy command."""
    (tmp_path / "relay.py").write_text(RELAY)

    def through(command: str) -> SSHOptions:
        relay = f"{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / 'relay.py'))}"
        return options(config, "bastion", extra_options=[f"ProxyCommand={command.replace('RELAY', relay)}"])

    return through


@pytest.mark.parametrize(
    "command", ["RELAY %h %p", 'RELAY "%h" %p', "sh -c 'test %n%% = bastion%% && exec RELAY %h %p'"]
)
def test_a_proxy_command(command: str, through: Callable[[str], SSHOptions]) -> None:
    assert output(through(command)).endswith(b"in and out")


def test_a_proxy_command_may_be_ssh_itself(config: Path, servers: dict[str, OpenSSHServer]) -> None:
    command = f"ssh -F {shlex.quote(str(config))} -W %h:%p bastion"
    direct = options(config, "inner", jump=None, extra_options=[f"ProxyCommand={command}"])
    bastion = Lines(servers["bastion"])
    assert port_reached(direct) == servers["inner"].port
    bastion.wait("Accepted publickey")
    assert bastion.count("Accepted publickey") == 1


def test_a_proxy_command_that_fails_is_quoted(through: Callable[[str], SSHOptions]) -> None:
    error = connect_error(through("echo no way >&2; exit 3"), 20.0)
    assert error.stage == "tcp"
    assert "the proxy command ended" in error.message
    assert error.diagnostics == "no way\n"
    error = connect_error(through("/no/such/program %h"), 20.0)
    assert "/no/such/program" in error.diagnostics


def test_a_proxy_command_that_says_nothing_is_named(
    through: Callable[[str], SSHOptions], tmp_path: Path
) -> None:
    """Of the server nothing is known then: it was said to have too many logins."""
    begun = tmp_path / "begun"
    command = f"sh -c 'echo >>{begun}; exit 3'"
    error = connect_error(through(command), 20.0)
    assert (error.stage, error.reason) == (
        "tcp", f"the proxy command ended, without a word, before there was an SSH greeting: {command}")
    assert begun.read_text() == "\n", "it would fail again"
    assert "ProxyCommand=none" in error.hint


def test_a_proxy_command_that_hangs(through: Callable[[str], SSHOptions]) -> None:
    watch = Stopwatch()
    error = connect_error(through("sleep 600"), 1.0)
    assert isinstance(error, ConnectTimeout)
    assert watch.seconds < 10


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a;id", "$(id)", "a b", "a\nb"])
def test_nothing_of_a_host_reaches_a_shell(host: str) -> None:
    for attempt in (host, f"x@{host}", f"{host}@x"):
        with pytest.raises(ValueError):
            SSHOptions.parse(attempt)
        with pytest.raises(ValueError):
            SSHOptions.parse("fine", jump=attempt)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: what it refuses is NOT compared")
def test_a_jump_host_that_is_none_is_an_error_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host a\n ProxyJump b;id\n")
    with pytest.raises(ConnectError) as caught:
        JumpHosts().connect(options(tmp_path / "config", "a"), Effort(time.monotonic() + 5, KeyRing()))
    assert caught.value.stage == "config"
