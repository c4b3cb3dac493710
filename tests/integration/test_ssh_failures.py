"""Servers that are down, silent, broken, old or something else: the right error, in time, with a way out."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout, UnknownHost
from remotesvc.ssh import SSHOptions, keyexchange
from remotesvc.ssh.paths.channel import LAST_WORDS
from remotesvc.ssh.paths.packets import PACKET_LIMIT
from tests import listeners
from tests.integration.ssh_servers import (
    OpenSSHServer,
    connect_error,
    one_client_server,
    openssh_server,
    running,
)
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture",)

MIB = 1024 * 1024
ALLOWED, ALL_ALLOWED = 3.0, 6.0
"""Seconds for connecting where something never comes: enough to get that far on a busy machine, a login included."""

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def tcp_server(serve: Serve) -> Iterator[SSHOptions]:
    """Something on a port that is no SSH server; yields options that connect to it."""
    with listeners.tcp_server(serve) as port:
        yield SSHOptions.parse("127.0.0.1", port=port, ssh_config="none")


def timed_error(options: SSHOptions, seconds: float, at_least: float = 0.0) -> tuple[ConnectError, float]:
    """The error, and the seconds that it took."""
    started, watch = time.monotonic(), Stopwatch()
    error = connect_error(options, seconds)
    assert time.monotonic() - started > at_least
    return error, watch.seconds


def silent(connection: socket.socket) -> None:
    """Accept and say nothing."""


def test_a_name_that_does_not_resolve() -> None:
    error = connect_error(SSHOptions.parse("no-such-host.invalid", ssh_config="none"))
    assert isinstance(error, UnknownHost)
    assert error.stage == "tcp"
    assert "no-such-host.invalid" in error.message
    assert error.hint


def test_a_closed_port() -> None:
    with listeners.closed_port() as port:
        error = connect_error(SSHOptions.parse("127.0.0.1", port=port, ssh_config="none"))
    assert error.stage == "tcp"
    assert f"port {port}" in error.message
    assert "refused" in error.message
    assert "no SSH server" in error.hint


def test_a_port_that_does_not_answer() -> None:
    # A listener whose queue is full drops further connections, as a firewall does.
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        options = SSHOptions.parse("127.0.0.1", port=listener.getsockname()[1], ssh_config="none")
        error, seconds = timed_error(options, ALLOWED, ALLOWED - 0.1)
    assert isinstance(error, ConnectTimeout)
    assert error.stage == "tcp"
    assert seconds < ALLOWED + 2


def test_a_server_that_says_nothing() -> None:
    with tcp_server(silent) as options:
        error, seconds = timed_error(options, ALLOWED, ALLOWED - 0.1)
    assert isinstance(error, ConnectTimeout)
    assert isinstance(error, TimeoutError)
    assert error.stage == "kex"
    assert "no SSH greeting" in error.message
    assert seconds < ALLOWED + 2


def test_a_stage_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyexchange, "STAGE_TIMEOUT", 1.5)
    with tcp_server(silent) as options:
        error, seconds = timed_error(options, 30.0)
    assert error.stage == "kex"
    assert seconds < 5


def test_connect_timeout_of_ssh_config_is_the_limit_of_a_stage() -> None:
    with tcp_server(silent) as plain:
        options = SSHOptions.parse(
            "127.0.0.1", port=plain.port, ssh_config="none", extra_options=["ConnectTimeout=1"]
        )
        error, seconds = timed_error(options, 30.0, 0.9)
    assert isinstance(error, ConnectTimeout)
    assert seconds < 5


def test_a_greeting_and_then_silence() -> None:
    with tcp_server(lambda connection: connection.sendall(b"SSH-2.0-Tarpit\r\n")) as options:
        error, seconds = timed_error(options, ALLOWED)
    assert isinstance(error, ConnectTimeout)
    assert "did not finish the key exchange" in error.message
    assert seconds < ALLOWED + 2


def test_a_trickle_does_not_extend_the_deadline() -> None:
    def trickle(connection: socket.socket) -> None:
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                if not connection.recv(100):
                    return

    with tcp_server(trickle) as options:
        error, seconds = timed_error(options, 1.0)
    assert isinstance(error, ConnectTimeout)
    assert seconds < 3


def test_a_server_of_another_kind_is_quoted() -> None:
    def http(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: \x1b[2Jx\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)

    with tcp_server(http) as options:
        error, _ = timed_error(options, 10.0)
    assert "not an SSH server" in error.message
    assert "HTTP/1.1 400 Bad Request" in error.diagnostics
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    "piece", [b"x" * 4096, b"line\n" * 800, b"\n" * 4096, b"\0" * 4096, b"\xff\n" * 2048]
)
def test_endless_talk_before_the_greeting(piece: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(piece)

    with tcp_server(talk) as options:
        error, seconds = timed_error(options, 10.0)
    assert error.stage == "kex"
    assert "not an SSH server" in error.message
    assert len(error.diagnostics) < 64 * 1024
    assert seconds < 3


def test_a_server_that_hangs_up() -> None:
    with tcp_server(lambda connection: connection.shutdown(socket.SHUT_RDWR)) as options:
        error, _ = timed_error(options, 10.0)
    assert "closed the connection before its SSH greeting" in error.message
    assert "MaxStartups" in error.hint


@pytest.mark.parametrize(
    "greeting", [b"SSH-1.5-old\r\n", b"SSH-2.0\r\n", b"SSH-2.0-x\r\n\0\0\0\0garbage\r\n"]
)
def test_a_server_that_breaks_the_protocol(greeting: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_WR)

    with tcp_server(serve) as options:
        error, seconds = timed_error(options, 10.0)
    assert error.stage == "kex"
    assert seconds < 5
    assert ("the server speaks SSH 1.5 only" in error.message) == greeting.startswith(b"SSH-1")


@pytest.mark.parametrize("size", [PACKET_LIMIT + 1000, 2**32 - 1, 0, 3])
def test_a_packet_of_absurd_size_is_refused_at_once(size: int) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-Hostile\r\n" + size.to_bytes(4, "big"))
        while True:
            connection.sendall(bytes(65536))

    with tcp_server(serve) as options:
        error, seconds = timed_error(options, 10.0)
    assert error.stage == "kex"
    assert seconds < 5


@pytest.mark.parametrize("preface", [b"", b"Welcome to \xff\r\nour host\n"])
def test_a_stream_in_tiny_pieces_and_lines_before_the_greeting(preface: bytes, sshd: OpenSSHServer) -> None:
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(65536):
                for start in range(0, len(data), 7):
                    sink.sendall(data[start : start + 7])
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def relay(connection: socket.socket) -> None:
        connection.sendall(preface)
        with socket.create_connection((sshd.host, sshd.port)) as server:
            back = threading.Thread(target=copy, args=(server, connection))
            back.start()
            copy(connection, server)
            back.join(10)

    with tcp_server(relay) as relayed:
        known = Path(sshd.known_hosts_file).read_text().split(None, 1)[1]
        hosts = sshd.directory / "relayed_hosts"
        hosts.write_text(f"[127.0.0.1]:{relayed.port} {known}")
        with running(sshd.options(port=relayed.port, known_hosts=hosts), "exec cat", [bytes(100_000)]) as got:
            assert got.wait_size(100_000) == bytes(100_000)


@pytest.mark.parametrize(
    "setting",
    [
        "KexAlgorithms diffie-hellman-group14-sha1",
        "Ciphers aes128-cbc",
        "Ciphers 3des-cbc",
        "HostKeyAlgorithms ssh-rsa",
    ],
)
def test_broken_algorithms_are_refused(setting: str, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(tmp_path / "host_rsa")], check=True)
    with openssh_server(tmp_path, f"{setting}\nHostKey {tmp_path}/host_rsa") as server:
        error = connect_error(server.options())
    assert error.stage == "kex"
    assert "no common algorithm" in error.message


def test_sha1_macs_are_refused_where_they_would_matter(tmp_path: Path) -> None:
    with openssh_server(tmp_path, "MACs hmac-sha1\nCiphers aes128-ctr") as server:
        error = connect_error(server.options())
    assert "no common algorithm" in error.message


def test_a_program_that_does_not_read_its_input_does_not_hold_up_the_start(tmp_path: Path) -> None:
    waits = f"while [ ! -e {tmp_path}/started ]; do sleep 0.05; done"
    with (
        openssh_server(tmp_path, f"ForceCommand {waits}") as server,
        running(server.options(), "true", [b"input"]) as got,
    ):
        (tmp_path / "started").touch()  # if we were held up, it would go on for ever
        assert got.wait_end() == "the remote program ended with status 0"


def test_an_exhausted_deadline_is_a_timeout() -> None:
    error, seconds = timed_error(SSHOptions.parse("127.0.0.1", ssh_config="none"), 0.0)
    assert isinstance(error, ConnectTimeout)
    assert seconds < 1


class _Hostile(paramiko.ServerInterface):
    """Lets everybody in, and then does what `on_open` and `on_exec` do, on the server's transport thread."""

    def __init__(
        self,
        on_exec: Callable[[paramiko.Channel], bool] = lambda channel: True,
        on_open: Callable[[], int] = lambda: OPEN_SUCCEEDED,
    ) -> None:
        self.on_exec = on_exec
        self.on_open = on_open

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return self.on_open()

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self.on_exec(channel)


def hostile_options(settings: dict[str, Any], directory: Path) -> SSHOptions:
    nothing = ("IdentityAgent=none", f"IdentityFile={directory}/absent")
    return SSHOptions.parse("127.0.0.1", extra_options=nothing, **settings)


@pytest.mark.parametrize("stage", ["open", "exec"])
def test_a_server_that_stops_answering_after_login(stage: str, tmp_path: Path) -> None:
    release = threading.Event()

    def hang(*arguments: object) -> int:
        release.wait(20)
        return AUTH_FAILED

    rules = _Hostile(on_open=hang) if stage == "open" else _Hostile(on_exec=lambda channel: bool(hang()))
    with one_client_server(rules, tmp_path) as settings:
        try:
            error, seconds = timed_error(hostile_options(settings, tmp_path), ALL_ALLOWED, ALL_ALLOWED - 0.1)
        finally:
            release.set()
    assert isinstance(error, ConnectTimeout)
    assert error.stage == stage
    assert seconds < ALL_ALLOWED + 2


class _TimeLimit(Exception):
    """What a signal's handler raises."""


@contextlib.contextmanager
def time_limit() -> Iterator[Callable[[], None]]:
    """Yields what has the main thread raise _TimeLimit in a moment: what it sends paramiko has sent by then."""

    def over(*arguments: object) -> None:
        raise _TimeLimit

    def soon() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    before = signal.signal(signal.SIGALRM, over)
    try:
        yield soon
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("stage", ["kex", "open", "exec"])
def test_what_a_handler_of_a_signal_raises_while_connecting_is_the_callers(stage: str, tmp_path: Path) -> None:
    release = threading.Event()
    with time_limit() as end_soon:

        def hang(*arguments: object) -> int:
            end_soon()
            release.wait(20)
            return AUTH_FAILED

        def greet(connection: socket.socket) -> None:
            connection.sendall(b"SSH-2.0-Tarpit\r\n")
            connection.recv(1)
            hang()

        with contextlib.ExitStack() as stack:
            if stage == "kex":
                options = stack.enter_context(tcp_server(greet))
            else:
                rules = _Hostile(on_open=hang) if stage == "open" else _Hostile(on_exec=lambda channel: bool(hang()))
                options = hostile_options(stack.enter_context(one_client_server(rules, tmp_path)), tmp_path)
            stack.callback(release.set)
            with pytest.raises(_TimeLimit):
                connect_error(options, ALL_ALLOWED)


def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    with one_client_server(_Hostile(on_exec=lambda channel: False), tmp_path) as settings:
        error = connect_error(hostile_options(settings, tmp_path))
    assert error.stage == "exec"
    assert "does not let this user run a program" in error.message


def test_a_status_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    """A busy server tells the end of the output first, and that the program failed when it gets round to it."""
    finishing: list[threading.Thread] = []

    def runs(channel: paramiko.Channel) -> bool:
        def finish() -> None:
            channel.shutdown_write()
            threading.Event().wait(2 * LAST_WORDS)
            channel.send_exit_status(127)
            channel.close()

        finishing.append(threading.Thread(target=finish))
        return True

    with (
        one_client_server(_Hostile(on_exec=runs), tmp_path) as settings,
        running(hostile_options(settings, tmp_path), "true") as got,
    ):
        finishing[0].start()
        assert got.wait_end() == "the remote program ended with status 127"
        finishing[0].join()


def test_a_flood_before_the_program_runs_is_cut_off(tmp_path: Path) -> None:
    def flood(channel: paramiko.Channel) -> bool:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            for _ in range(64):
                channel.sendall(bytes(MIB))
        return True

    with one_client_server(_Hostile(on_exec=flood), tmp_path) as settings:
        error = connect_error(hostile_options(settings, tmp_path))
    assert error.stage == "exec"
    assert "flooded" in error.message


def test_channels_that_a_server_opens_are_refused(tmp_path: Path) -> None:
    transports: list[paramiko.Transport] = []
    with (
        one_client_server(_Hostile(), tmp_path, transports.append) as settings,
        running(hostile_options(settings, tmp_path), "true"),
    ):
        (server,) = transports
        here = ("127.0.0.1", 1)
        for kind in ("x11", "auth-agent@openssh.com", "forwarded-tcpip", "session", "direct-tcpip"):
            with pytest.raises(paramiko.ChannelException) as caught:
                server.open_channel(kind, here, here)
            assert caught.value.code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
