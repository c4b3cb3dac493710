"""How connecting ends: what a server says on leaving is told, and nothing is waited for, or left, that need not be."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_UNIMPLEMENTED

from remotesvc.bootstrap.unreachable import UnknownHost
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.login.agent import Agent, AgentError
from remotesvc.ssh.paths.proxy import CommandSocket
from tests.integration.ssh_servers import OpenSSHServer, connect_error, one_client_server, running
from tests.integration.test_jump_hosts import RELAY
from tests.kernel.contexts import until
from tests.listeners import serving, tcp_server

pytest_plugins = ("tests.integration.sshd_fixture",)

WORDS = b"down for maintenance\x1b[2J"


def disconnect() -> bytes:
    """The packet by which a server leaves, saying why, before there are keys."""
    said = b"\x01" + (11).to_bytes(4, "big") + len(WORDS).to_bytes(4, "big") + WORDS + bytes(4)
    padding = 16 - (len(said) + 5) % 8
    return (len(said) + 1 + padding).to_bytes(4, "big") + bytes([padding]) + said + bytes(padding)


def test_why_a_server_leaves_during_the_key_exchange() -> None:
    with tcp_server(lambda connection: connection.sendall(b"SSH-2.0-test\r\n" + disconnect())) as port:
        error = connect_error(SSHOptions.parse("127.0.0.1", port=port, ssh_config="none"))
    assert error.stage == "kex"
    assert "down for maintenance" in str(error)
    assert "\x1b" not in str(error)


def test_why_a_server_leaves_before_it_runs_a_program(tmp_path: Path) -> None:
    class Leaves(paramiko.ServerInterface):
        def check_auth_none(self, username: str) -> int:
            return paramiko.common.AUTH_SUCCESSFUL

        def check_channel_request(self, kind: str, chanid: int) -> int:
            message = paramiko.Message()
            message.add_byte(b"\x01")
            message.add_int(11)
            message.add_string(WORDS)
            message.add_string("")
            transports[0]._send_message(message)  # type: ignore[attr-defined]
            raise EOFError

    transports: list[paramiko.Transport] = []
    with one_client_server(Leaves(), tmp_path, transports.append) as reach:
        error = connect_error(SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach))
    assert error.stage == "open"
    assert "down for maintenance" in str(error)


class Says(paramiko.ServerInterface):
    """Lets anybody in, and sends a message at the stage that its name is given for: "open", "exec" or "running"."""

    def __init__(self, stage: str, *fields: bytes | int) -> None:
        self.stage = stage
        self.message = paramiko.Message()
        for field in fields:
            self.message.add_int(field) if isinstance(field, int) else self.message.add_bytes(field)
        self.transport: paramiko.Transport | None = None

    def greet(self, transport: paramiko.Transport) -> None:
        self.transport = transport

    def now(self, stage: str) -> None:
        if stage == self.stage and self.transport is not None:
            self.transport._send_message(self.message)  # type: ignore[attr-defined]

    def check_auth_none(self, username: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.now("open")
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(self, number: int, origin: object, destination: object) -> int:
        return self.check_channel_request("direct-tcpip", number)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.now("exec")
        return True

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return False


FAREWELL = (b"\x01", 11, 7, b"adi\xf3s \x1b", 0)  # not UTF-8, and a character that commands a terminal


@pytest.mark.parametrize("stage", ["open", "exec", "jump"])
def test_a_farewell_in_another_encoding_is_told(stage: str, tmp_path: Path) -> None:
    rules = Says("exec" if stage == "exec" else "open", *FAREWELL)
    with one_client_server(rules, tmp_path, rules.greet) as reach:
        options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach)
        if stage == "jump":
            options = SSHOptions.parse("inner", jump=[options], ssh_config="none")
        error = connect_error(options)
    assert error.stage == stage
    assert str(error).count("adi\ufffds \\x1b") == 1


def test_why_a_server_ends_a_connection_that_stands_is_told(tmp_path: Path) -> None:
    rules = Says("running", *FAREWELL)
    with one_client_server(rules, tmp_path, rules.greet) as reach:
        options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach)
        with running(options, "true") as got:
            rules.now("running")
            assert got.wait_end() == "the server closed the connection: adi\ufffds \\x1b"


def test_a_message_of_an_unknown_number_is_answered_and_ends_nothing(tmp_path: Path) -> None:
    rules = Says("open", b"\xc0")
    unknown: list[int] = []

    def greet(transport: paramiko.Transport) -> None:
        rules.greet(transport)
        handlers = {MSG_UNIMPLEMENTED: lambda message: unknown.append(message.get_int())}
        transport._handler_table = {**transport._handler_table, **handlers}  # type: ignore[attr-defined]

    with one_client_server(rules, tmp_path, greet) as reach:
        options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach)
        with running(options, "true"):
            until(lambda: len(unknown) == 1)


def test_an_address_to_bind_that_does_not_resolve_is_not_the_hosts(sshd: OpenSSHServer) -> None:
    error = connect_error(sshd.options(extra_options=("BindAddress=nowhere.invalid",)))
    assert not isinstance(error, UnknownHost)
    assert "BindAddress nowhere.invalid" in error.message


@pytest.fixture
def dribbling(tmp_path: Path) -> Iterator[str]:
    """An agent whose answer comes byte by byte, for ever."""

    def serve(connection: socket.socket) -> None:
        connection.sendall((1000).to_bytes(4, "big"))
        while True:  # until its client has gone
            connection.sendall(b"\x0c")
            time.sleep(0.1)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()
        with serving(listener, serve):
            yield str(tmp_path / "agent")


def test_an_agent_has_so_much_time_in_all(dribbling: str) -> None:
    started = time.monotonic()
    agent = Agent(dribbling, lambda: started + 0.5 - time.monotonic())
    try:
        with pytest.raises(AgentError, match="timed out"):
            agent.keys()
        assert 0.5 <= time.monotonic() - started < 10
    finally:
        agent.close()


def test_a_proxy_command_for_which_there_are_no_descriptors_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    files = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr("os.pipe", no_more)
        with pytest.raises(OSError, match="Too many"):
            CommandSocket.start(f"touch {tmp_path}/started", time.monotonic() + 5)
    assert len(os.listdir("/proc/self/fd")) == files
    assert not (tmp_path / "started").exists()


def test_a_child_of_a_proxy_command_that_holds_its_stderr_is_not_waited_for(
    sshd: OpenSSHServer, tmp_path: Path
) -> None:
    """It took a second to close, and left a thread and a descriptor."""
    (tmp_path / "relay.py").write_text(RELAY)
    child = tmp_path / "child"
    script = f"setsid sh -c 'echo $$ > {child}; exec sleep 60' </dev/null >/dev/null & exec \"$@\""
    relay = shlex.join([sys.executable, str(tmp_path / "relay.py")])
    command = f"ProxyCommand=sh -c {shlex.quote(script)} x {relay} %h %p"
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    try:
        with running(sshd.options(extra_options=("IdentityAgent=none", command)), "echo fine") as got:
            assert got.wait_size(5) == b"fine\n"
        until(lambda: threading.active_count() == threads)
        until(lambda: len(os.listdir("/proc/self/fd")) == files)
    finally:
        until(lambda: child.exists() and child.read_text().endswith("\n"))
        os.kill(int(child.read_text()), 9)
