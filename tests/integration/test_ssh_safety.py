"""What must not happen on the way to a host: weak algorithms, secrets in sight, forwarding, words that are commands."""

from __future__ import annotations

import base64
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from remotesvc import ssh
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError
from remotesvc.ssh import SSHOptions
from tests.integration.ssh_servers import (
    OpenSSHServer,
    connect_error,
    connects,
    make_key,
    one_client_server,
    openssh_server,
    running,
)
from tests.listeners import tcp_server
from tests.scripts import shell_script

pytest_plugins = ("tests.integration.sshd_fixture",)

# -- algorithms


def test_rsa_keys_sign_with_sha2_only(tmp_path: Path) -> None:
    key = tmp_path / "mine"
    line = make_key(key, "rsa")
    for accepted, works in (("rsa-sha2-512", True), ("ssh-rsa", False)):
        with openssh_server(tmp_path / accepted, f"PubkeyAcceptedAlgorithms {accepted}") as server:
            (server.directory / "authorized_keys").write_text(line + "\n")
            if works:
                connects(server.options(key_filename=key))
            else:
                assert isinstance(connect_error(server.options(key_filename=key)), AuthenticationError)


class _Open(paramiko.ServerInterface):
    """Lets everybody in, and remembers what was asked for beside a program."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.asked.append(kind)
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.asked.append("exec")
        return True

    def check_channel_forward_agent_request(self, channel: paramiko.Channel) -> bool:
        self.asked.append("agent")
        return True

    def check_channel_x11_request(self, *arguments: object) -> bool:
        self.asked.append("x11")
        return True

    def check_channel_pty_request(self, *arguments: object) -> bool:
        self.asked.append("pty")
        return True

    def check_channel_env_request(self, *arguments: object) -> bool:
        self.asked.append("env")
        return True

    def check_global_request(self, kind: str, message: object) -> bool:
        self.asked.append(kind)
        return True

    def check_port_forward_request(self, address: str, port: int) -> int:
        self.asked.append("forward")
        return 1


def to(settings: dict[str, object], directory: Path, **changes: object) -> SSHOptions:
    nothing = ("IdentityAgent=none", f"IdentityFile={directory}/absent")
    return SSHOptions.parse("127.0.0.1", **{"extra_options": nothing, **settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("offered", ["rsa-sha2-256", "rsa-sha2-512"])
def test_of_the_signatures_for_rsa_one_the_server_names_is_made(offered: str, tmp_path: Path) -> None:
    class Keys(_Open):
        def check_auth_none(self, username: str) -> int:
            return AUTH_FAILED

        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            return AUTH_SUCCESSFUL

    def greet(transport: paramiko.Transport) -> None:
        vars(transport)["_preferred_pubkeys"] = (offered,)

    make_key(tmp_path / "mine", "rsa")
    with one_client_server(Keys(), tmp_path, greet) as settings:
        options = to(settings, tmp_path, key_filename=tmp_path / "mine", extra_options=("IdentityAgent=none",))
        with running(options, "true"):
            pass


@pytest.mark.parametrize(
    ("strict", "cipher", "mac", "works"),
    [
        (False, "aes128-ctr", "hmac-sha2-256-etm@openssh.com", False),
        (False, "aes128-ctr", "hmac-sha2-256", True),
        (False, "aes128-gcm@openssh.com", "hmac-sha2-256-etm@openssh.com", True),
        (True, "aes128-ctr", "hmac-sha2-256-etm@openssh.com", True),
    ],
)
def test_what_terrapin_can_cut_is_refused(strict: bool, cipher: str, mac: str, works: bool, tmp_path: Path) -> None:
    def greet(transport: paramiko.Transport) -> None:
        vars(transport)["advertise_strict_kex"] = strict
        security = transport.get_security_options()
        security.ciphers, security.digests = (cipher,), (mac,)

    with one_client_server(_Open(), tmp_path, greet) as settings:
        if works:
            with running(to(settings, tmp_path), "true"):
                pass
        else:
            error = connect_error(to(settings, tmp_path))
            assert error.stage == "kex"
            assert "Terrapin" in error.hint


# -- what is asked of a server


def test_nothing_is_asked_for_but_a_session_and_a_program(tmp_path: Path) -> None:
    rules = _Open()
    with (
        one_client_server(rules, tmp_path) as settings,
        running(to(settings, tmp_path), "true"),
    ):
        assert rules.asked == ["session", "exec"]


def test_no_agent_and_no_display_arrive(sshd: OpenSSHServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    with running(sshd.options(), 'echo "[$SSH_AUTH_SOCK$DISPLAY]"') as got:
        assert got.wait_size(3) == b"[]\n"


# -- words that are commands


COMMANDS = ["-oProxyCommand=touch x", "a;touch x", "$(touch x)", "a\nb", "a\0b", "a b", "\u202ea"]


@pytest.mark.parametrize("host", COMMANDS)
def test_a_host_that_is_a_command_starts_nothing(host: str, recorded_ssh: Callable[[], str]) -> None:
    wrong: list[dict[str, Any]] = [{"host": host}, {"host": "web1", "user": host}, {"host": f"{host}@web1"}]
    for options in wrong:
        with pytest.raises(UsageError):
            ssh.open(SSHOptions.parse(**options), lambda peer: "true")
    assert recorded_ssh() == ""


@pytest.mark.parametrize("setting", ["HostName -oProxyCommand=x", "HostName $(id)", "User -x", "User a$(id)"])
def test_what_ssh_config_says_of_a_host_is_no_command_either(setting: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"Host web1\n    {setting}\n")
    error = connect_error(SSHOptions.parse("web1", ssh_config=tmp_path / "config"))
    assert error.stage == "config"


def test_a_greeting_reaches_no_terminal_as_a_command(tmp_path: Path) -> None:
    with tcp_server(lambda connection: connection.sendall(b"SSH-1.0-\x1b]0;owned\x07\x9b2J\r\n")) as port:
        error = connect_error(to({"port": port, "ssh_config": "none", "user": "ann"}, tmp_path))
    assert not any(sign in str(error) for sign in "\x1b\x07\x9b")

    def greet(transport: paramiko.Transport) -> None:
        transport.local_version = "SSH-2.0-\x1b[2Jowned"

    with (
        one_client_server(_Open(), tmp_path, greet) as settings,
        running(to(settings, tmp_path), "true") as got,
    ):
        assert got.path.peer.version == r"SSH-2.0-\x1b[2Jowned"


# -- secrets


@pytest.fixture
def recorded_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """An `ssh` first on the PATH that notes its words and environment, and then is the real one."""
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("no ssh here: what it is given is NOT looked at")
    directory = tmp_path / "bin"
    directory.mkdir()
    record = tmp_path / "record"
    shell_script(directory / "ssh", f'{{ printf "%s\\n" "$@"; env; }} >> {record}\nexec {real} "$@"')
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return lambda: record.read_text() if record.exists() else ""


def everything_in_proc() -> str:
    """The words and environments of all processes that may be seen."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            for name in ("cmdline", "environ"):
                try:
                    found.append((entry / name).read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue  # it has ended, or is not ours to see
    return "\n".join(found)


def test_secrets_are_nowhere_to_be_seen(
    recorded_ssh: Callable[[], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "remotesvc.ssh.paramiko")
    secrets = ("canary-of-password", "canary-of-passphrase")
    seen: list[str] = []
    with openssh_server(tmp_path / "server", "AuthenticationMethods publickey") as server:
        key = tmp_path / "mine"
        line = make_key(key, passphrase=secrets[1])
        options = server.options(key_filename=key, password=Secret(secrets[0]), passphrase=secrets[1])
        error = connect_error(options)
        assert isinstance(error, AuthenticationError)
        seen += [str(error), repr(error), repr(vars(error))]
        (server.directory / "authorized_keys").write_text(line + "\n")
        path = ssh.open(options, lambda peer: "cat")
        try:
            # With the program running: its words, its environment, and sshd's.
            seen += [everything_in_proc(), repr(path.peer), repr(path.peer.host), repr(options), str(options)]
        finally:
            path.close()
            path.join(10)
        seen += [*server.log, *(record.getMessage() for record in caplog.records)]
    assert recorded_ssh()
    assert len(caplog.records) > 10  # paramiko did talk
    seen.append(recorded_ssh())
    for secret in secrets:
        assert not any(secret in text for text in seen)


def test_a_secret_of_another_type_is_refused_without_being_shown() -> None:
    for wrong in (b"canary", Secret(b"canary"), 7):
        for name in ("password", "passphrase"):
            with pytest.raises(UsageError) as caught:
                SSHOptions.parse("web1", **{name: wrong})  # type: ignore[arg-type]
            assert name in str(caught.value)
            assert "canary" not in str(caught.value)


def test_a_signature_is_made_for_this_connection_only(sshd: OpenSSHServer, tmp_path: Path) -> None:
    """A server that shows another server's host key cannot prove that it has it."""

    class Impostor(paramiko.ECDSAKey):
        def asbytes(self) -> bytes:
            return victim

    victim = paramiko.ECDSAKey.generate().asbytes()

    def greet(transport: paramiko.Transport) -> None:
        own = paramiko.ECDSAKey.generate()
        key = Impostor(vals=(own.signing_key, own.verifying_key))
        vars(transport)["server_key_dict"].clear()
        transport.add_server_key(key)

    with one_client_server(_Open(), tmp_path, greet) as settings:
        known = tmp_path / "victim"
        known.write_text(f"[127.0.0.1]:{settings['port']} ecdsa-sha2-nistp256 {base64.b64encode(victim).decode()}\n")
        error = connect_error(to(settings, tmp_path, known_hosts=known))
    assert isinstance(error, ConnectError)
    assert error.stage == "kex"
    assert "Signature verification" in error.message


def test_a_server_that_asks_for_a_signature_it_has_been_sent(sshd: OpenSSHServer, tmp_path: Path) -> None:
    class Forgetful(paramiko.ServerInterface):
        def get_allowed_auths(self, username: str) -> str:
            return "publickey"

        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            answer = paramiko.Message()
            answer.add_byte(bytes([60]))
            answer.add_string(key.get_name())
            answer.add_string(key.asbytes())
            transports[0]._send_message(answer)  # type: ignore[attr-defined]
            return AUTH_FAILED

    transports: list[paramiko.Transport] = []
    with one_client_server(Forgetful(), tmp_path, transports.append) as reach:
        error = connect_error(SSHOptions.parse("127.0.0.1", key_filename=sshd.key_file, **reach))
    assert isinstance(error, AuthenticationError)
    assert "the server closed the connection" in error.message
