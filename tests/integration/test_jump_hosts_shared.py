"""Several hosts at once: what one of them waits for costs the others nothing, be it a person or a host that is dead."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA

from remotesvc import ConnectTimeout
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.connect import Effort
from remotesvc.ssh.jump_hosts import HANDSHAKES, JumpHosts
from remotesvc.ssh.keyexchange import Turn
from remotesvc.ssh.login.keyring import KeyRing
from remotesvc.ssh.paths.socket import Stream
from remotesvc.ssh.paths.tunnel import WINDOW, Tunnel
from tests.integration.password_server import PasswordServer
from tests.integration.ssh_servers import OpenSSHServer, make_key, one_client_server, openssh_server, running
from tests.integration.test_asked_together import blocked
from tests.kernel.contexts import LIMIT, until


class Person:
    """Types a passphrase, after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = 0

    def confirm(self, question: str) -> bool:
        raise AssertionError(question)

    def secret(self, prompt: str) -> str | None:
        self.asked += 1
        time.sleep(self.seconds)
        return "open"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """A server that is its own bastion, and takes a key with the passphrase "open", too."""
    directory = tmp_path_factory.mktemp("sshd")
    make_key(directory / "locked", passphrase="open")
    with openssh_server(directory, "MaxStartups 100") as server:
        with (directory / "authorized_keys").open("a") as file:
            file.write((directory / "locked.pub").read_text())
        yield server


@pytest.fixture
def ways() -> Iterator[JumpHosts]:
    ways = JumpHosts()
    yield ways
    ways.close()


def config_of(server: OpenSSHServer, directory: Path, key: str) -> Path:
    """The bastion takes the key in this file."""
    path = directory / "config"
    path.write_text(
        f"Host bastion\n  HostName 127.0.0.1\n  Port {server.port}\n  IdentityFile {key}\n"
        f"Host *\n  User {server.user}\n  IdentityAgent none\n  UserKnownHostsFile {server.known_hosts_file}\n"
        "  GlobalKnownHostsFile none\n"
    )
    return path


def log_in(ways: JumpHosts, options: SSHOptions, keys: KeyRing) -> dict[str, float]:
    """Log in, and return where the time went."""
    effort = Effort(time.monotonic() + options.connect_timeout, keys)
    ways.connect(options, effort).close()
    return effort.phases


@pytest.mark.parametrize("behind", [False, True], ids=["directly", "behind a bastion"])
def test_the_time_a_person_takes_counts_for_none_of_those_who_wait_for_the_answer(
    behind: bool, server: OpenSSHServer, ways: JumpHosts, tmp_path: Path
) -> None:
    person, locked = Person(4.5), str(server.directory / "locked")
    keys = KeyRing(person)
    options = server.options(
        ssh_config=config_of(server, tmp_path, locked), key_filename=server.key_file if behind else locked,
        jump="bastion" if behind else None, extra_options=(), connect_timeout=4.0,
    )  # fmt: skip
    with ThreadPoolExecutor(3) as pool:
        logins = [pool.submit(log_in, ways, options, keys) for _ in range(3)]
        phases = [login.result(LIMIT) for login in logins]
    assert person.asked == 1
    assert all(each["asked"] > 3 for each in phases)
    assert all(sum(each.values()) - each["asked"] < 4 for each in phases)


def test_who_waits_for_a_passphrase_is_asked_if_another_is_interrupted(
    server: OpenSSHServer, ways: JumpHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was as if there were none."""
    person = Person(0)
    answer = person.secret

    def interrupted_once(prompt: str) -> str | None:
        if answer(prompt) and person.asked == 1:
            until(lambda: blocked("remotesvc.ssh.login.keyring", "held") > 0)
            raise KeyboardInterrupt
        return "open"

    monkeypatch.setattr(person, "secret", interrupted_once)
    options, keys = server.options(key_filename=str(server.directory / "locked")), KeyRing(person)
    with ThreadPoolExecutor(2) as pool:
        logins = [pool.submit(log_in, ways, options, keys) for _ in range(2)]
        errors = [login.exception(LIMIT) for login in logins]
    assert set(map(type, errors)) == {type(None), KeyboardInterrupt}
    assert person.asked == 2


@pytest.fixture
def through(server: OpenSSHServer, tmp_path: Path) -> Callable[..., SSHOptions]:
    config = config_of(server, tmp_path, server.key_file)

    def through(**changes: object) -> SSHOptions:
        return server.options(**{"ssh_config": config, "jump": "bastion", "extra_options": (), **changes})

    return through


@pytest.mark.parametrize("last_words", ["", "a greeting", "a proposal"])
def test_hosts_that_do_not_answer_keep_nobody_waiting(
    last_words: str, server: OpenSSHServer, through: Callable[..., SSHOptions], ways: JumpHosts
) -> None:
    keys = KeyRing()
    words = b"SSH-2.0-x\r\n" if last_words else b""
    if last_words == "a proposal":
        with socket.create_connection((server.host, server.port)) as real:
            real.sendall(words)
            got = b""
            while len(got) < 500:  # the greeting, and all of what OpenSSH proposes: it is one write
                got += real.recv(65536)
            words = got
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2 * HANDSHAKES) as pool:
        dead = through(port=silent.getsockname()[1])
        before = [pool.submit(log_in, ways, dead, keys) for _ in range(HANDSHAKES + 2)]
        connections = [silent.accept()[0] for _ in before]
        for connection in connections:
            connection.sendall(words)
        for login in [pool.submit(log_in, ways, through(), keys) for _ in range(3)]:
            login.result(LIMIT)
        assert not any(login.done() for login in before)
        ways.close()  # they need not go on
        for connection in connections:
            connection.close()


def test_a_jump_host_that_sends_more_than_it_was_granted_is_left(tmp_path: Path) -> None:
    class Flooding(PasswordServer):
        def check_channel_direct_tcpip_request(self, number: int, origin: object, destination: object) -> int:
            return paramiko.common.OPEN_SUCCEEDED

    def flood() -> None:
        channel = transports[0].accept(LIMIT)
        assert channel is not None
        for kind in (MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA):
            for _ in range(WINDOW // 32000 + 3):
                message = paramiko.Message()
                message.add_byte(bytes([kind]))
                message.add_int(channel.remote_chanid)
                if kind == MSG_CHANNEL_EXTENDED_DATA:
                    message.add_int(1)
                message.add_string(bytes(32000))
                transports[0]._send_user_message(message)  # type: ignore[attr-defined]
        channel.close()

    transports: list[paramiko.Transport] = []
    with one_client_server(Flooding("password"), tmp_path, transports.append) as settings:
        none = ("IdentityAgent=none",)
        options = SSHOptions.parse("127.0.0.1", password="open sesame", extra_options=none, **settings)
        with running(options, "true") as got:
            assert transports[0].accept(LIMIT) is not None  # the program's
            thread = threading.Thread(target=flood)
            thread.start()
            channel = got.path.peer.transport.open_channel("direct-tcpip", ("inner", 22), ("", 0), window_size=WINDOW)
            tunnel = Tunnel(channel, lambda: None)
            thread.join(LIMIT)
            until(lambda: channel.closed)
            assert len(channel.in_buffer) + len(channel.in_stderr_buffer) <= WINDOW
            with pytest.raises(paramiko.SSHException, match="the jump host sent more than it was granted"):
                tunnel.recv(1)
            tunnel.close()


def test_keys_are_exchanged_in_turn(
    through: Callable[..., SSHOptions], ways: JumpHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyRing()
    at_it: set[Turn] = set()
    most: list[int] = []

    class Watched(Turn):
        def take(self, sock: Stream) -> None:
            super().take(sock)
            at_it.add(self)
            most.append(len(at_it))

        def give_back(self) -> None:
            at_it.discard(self)
            super().give_back()

    monkeypatch.setattr("remotesvc.ssh.jump_hosts.HANDSHAKES", 1)
    monkeypatch.setattr("remotesvc.ssh.keyexchange._SILENT", LIMIT)
    monkeypatch.setattr("remotesvc.ssh.jump_hosts.Turn", Watched)
    with ThreadPoolExecutor(3) as pool:
        for login in [pool.submit(log_in, ways, through(), keys) for _ in range(3)]:
            login.result(LIMIT)
    assert most == [1, 1, 1]


def test_a_turn_that_does_not_come_in_time_is_told(
    through: Callable[..., SSHOptions], ways: JumpHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyRing()
    monkeypatch.setattr("remotesvc.ssh.jump_hosts.HANDSHAKES", 0)
    with pytest.raises(ConnectTimeout, match="other hosts behind bastion") as caught:
        log_in(ways, through(connect_timeout=1.5), keys)
    assert caught.value.stage == "jump"


def test_who_goes_to_the_jump_host_for_all_may_be_interrupted(
    through: Callable[..., SSHOptions], ways: JumpHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C there was the failure of all behind it."""
    first = threading.Event()
    connect = ways.connect

    def interrupted(options: SSHOptions, *args: Any) -> Any:
        if options.host == "bastion" and not first.is_set():
            first.set()
            until(lambda: blocked("remotesvc.ssh.jump_hosts", "_wait") > 0)
            raise KeyboardInterrupt
        return connect(options, *args)

    monkeypatch.setattr(ways, "connect", interrupted)
    keys = KeyRing()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(log_in, ways, through(), keys)
        assert first.wait(LIMIT)
        other = pool.submit(log_in, ways, through(), keys)
        assert isinstance(one.exception(LIMIT), KeyboardInterrupt)
        assert other.result(LIMIT)
