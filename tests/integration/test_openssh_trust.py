"""Host keys and logins by the `ssh` program: refused, asked and answered as by the other transport."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Router, Secret
from tests.integration.openssh_client import Connect, connect_to, fingerprint, refused, ssh_of
from tests.integration.password_server import PasswordServer
from tests.integration.ssh_servers import (
    MISSING,
    SSHD,
    OpenSSHServer,
    agent,
    make_key,
    one_client_server,
    openssh_server,
)
from tests.scripts import shell_script

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")
pytestmark = pytest.mark.skipif(SSHD is None, reason=MISSING)


@pytest.fixture
def connect(router: Router, sshd: OpenSSHServer) -> Connect:
    return lambda server=sshd, **changes: connect_to(router, server, **changes)


# -- is it the right host?


@pytest.mark.parametrize("mode", ["yes", "ask", None])
def test_an_unknown_key(mode: str | None, connect: Connect, sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known hosts"
    error = refused(connect, remotesvc.HostKeyError, "hostkey", known_hosts=file, host_keys=mode)
    for text in (fingerprint(sshd.directory / "host_ed25519.pub"), f"[127.0.0.1]:{sshd.port}", str(file)):
        assert text in error.message
    assert not file.exists()


@pytest.mark.parametrize("mode", ["yes", "ask", "accept-new", "no"])
def test_a_changed_key_and_one_of_another_type(
    mode: str, connect: Connect, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    for kind, says in (("ed25519", "CHANGED"), ("ecdsa", "type not on file")):
        other = make_key(tmp_path / kind, kind)
        file.write_text(f"\n[127.0.0.1]:{sshd.port} {other}\n")
        error = refused(connect, remotesvc.HostKeyError, "hostkey", known_hosts=file, host_keys=mode)
        for text in (says, f"{file}:2", fingerprint(tmp_path / f"{kind}.pub")):
            assert text in error.message
        assert fingerprint(sshd.directory / "host_ed25519.pub") in error.message
    assert len(file.read_text().splitlines()) == 2


def test_a_changed_key_is_refused_whatever_ssh_config_says(
    connect: Connect, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{sshd.port} {make_key(tmp_path / 'other')}\n")
    options = ("IdentityAgent=none", "StrictHostKeyChecking=no", f"UserKnownHostsFile={file}")
    refused(connect, remotesvc.HostKeyError, "hostkey", known_hosts=None, extra_options=options)


def test_a_revoked_key(connect: Connect, sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    good = Path(sshd.known_hosts_file).read_text()
    file.write_text(good + "@revoked * " + good.split(None, 1)[1])
    assert "revoked" in refused(connect, remotesvc.HostKeyError, "hostkey", known_hosts=file).message


@pytest.mark.parametrize("mode", ["accept-new", "no"])
def test_a_new_key_is_noted(
    mode: str, connect: Connect, sshd: OpenSSHServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "known hosts"
    assert connect(known_hosts=file, host_keys=mode).call("os:getpid")
    assert "Permanently added" in caplog.text
    assert file.read_text().split()[2] == Path(sshd.known_hosts_file).read_text().split()[2]
    assert connect(known_hosts=file, host_keys="yes").call("os:getpid")


class Person:
    """Somebody at the terminal who answers `answers`, by words of the question."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def _answer(self, question: str) -> Any:
        self.asked.append(question)
        return next((answer for word, answer in self.answers.items() if word in question), None)

    def confirm(self, question: str) -> bool:
        return bool(self._answer(question))

    def secret(self, prompt: str) -> str | None:
        return self._answer(prompt)  # type: ignore[no-any-return]


@pytest.fixture
def asking(router: Router) -> Iterator[Callable[[Person], None]]:
    def ask(person: Person) -> None:
        router._ssh._keys.questions = person

    yield ask


def test_the_mode_ask_asks_about_an_unknown_key(
    connect: Connect, asking: Callable[..., None], sshd: OpenSSHServer, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    person = Person(authenticity=False)
    asking(person)
    refused(connect, remotesvc.HostKeyError, "hostkey", known_hosts=file, host_keys="ask")
    person.answers["authenticity"] = True
    context = connect(known_hosts=file, host_keys="ask")
    assert context.phases["asked"] > 0
    assert len(person.asked) == 2
    assert fingerprint(sshd.directory / "host_ed25519.pub") in person.asked[0]


# -- are we welcome?


def test_a_wrong_key(connect: Connect, sshd: OpenSSHServer, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    error = refused(connect, remotesvc.AuthenticationError, "auth", key_filename=tmp_path / "other")
    assert f"login as {sshd.user} failed" in error.message
    assert str(tmp_path / "other") in error.message
    assert "the server takes publickey" in error.message


def test_keys_of_an_agent(connect: Connect, sshd: OpenSSHServer, tmp_path: Path) -> None:
    with agent(tmp_path, Path(sshd.key_file)) as path:
        assert connect(key_filename=None, extra_options=(f"IdentityAgent={path}",)).call("os:getpid")


def test_an_encrypted_key(connect: Connect, asking: Callable[..., None], tmp_path: Path) -> None:
    with openssh_server(tmp_path / "server") as server:
        (server.directory / "authorized_keys").write_text(make_key(tmp_path / "my key", passphrase="open sesame"))
        mine: dict[str, Any] = {"server": server, "key_filename": tmp_path / "my key", "fresh": True}
        error = refused(connect, remotesvc.AuthenticationError, "auth", **mine)
        assert f"takes the key {tmp_path}/my key, but" in error.hint and "encrypted" in error.hint
        refused(connect, remotesvc.AuthenticationError, "auth", passphrase=Secret("wrong"), **mine)
        context = connect(passphrase=Secret("open sesame"), **mine)
        assert context.call("os:getpid")
        person = Person(passphrase="open sesame")
        asking(person)
        for _ in range(2):
            with connect(**mine) as other:
                assert other.call("os:getpid")
        assert len(person.asked) == 1
        assert "open sesame" not in str(error)
        for seen in ("cmdline", "environ"):
            assert b"sesame" not in Path(f"/proc/{ssh_of(context)}/{seen}").read_bytes()
        context.close()


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
@pytest.mark.parametrize("password", ["open sesame", "wrong"])
def test_a_password(method: str, password: str, router: Router, tmp_path: Path) -> None:
    rules = PasswordServer(method)
    with one_client_server(rules, tmp_path) as settings:
        begin: dict[str, Any] = {**settings, "password": password, "transport": "openssh", "connect_timeout": 5,
                 "extra_options": ("IdentityAgent=none", f"IdentityFile={tmp_path}/absent")}  # fmt: skip
        with pytest.raises(remotesvc.ConnectError) as caught:
            router.ssh("127.0.0.1", **begin).wait_ready()  # a server that runs nothing
        assert isinstance(caught.value, remotesvc.AuthenticationError) == (password == "wrong")
        assert password == "wrong" or caught.value.stage in ("open", "exec", "boot")
        assert "sesame" not in str(caught.value)
    assert rules.heard == [method]


class _Curious(PasswordServer):
    """Remembers what it was told."""

    def __init__(self, takes: str) -> None:
        super().__init__(takes)
        self.told: list[str] = []

    def _result(self, method: str, password: str) -> int:
        self.told.append(password)
        return super()._result(method, password)


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_jump_host_is_not_told_the_password(
    method: str, router: Router, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    rules = _Curious(method)
    with one_client_server(rules, tmp_path) as settings:
        config = tmp_path / "config"
        config.write_text(
            f"Host hop\n HostName 127.0.0.1\n Port {settings['port']}\n User {sshd.user}\n IdentityAgent none\n"
            f" IdentityFile {tmp_path}/absent\n UserKnownHostsFile {settings['known_hosts']}\n"
            f"Host web\n HostName 127.0.0.1\n Port {sshd.port}\n User {sshd.user}\n"
        )
        with pytest.raises(remotesvc.AuthenticationError) as caught:
            router.ssh("web", jump="hop", password="open sesame", ssh_config=config, transport="openssh")
        assert caught.value.stage == "jump"
    assert "open sesame" not in rules.told


# -- what the other transport's errors send one here for


def test_what_only_ssh_can_decide(connect: Connect, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """Each is an error that names this transport by the other one, and works, or is refused for its own sake, here."""
    known = shell_script(tmp_path / "known", f"cat {sshd.known_hosts_file}")
    options = ("IdentityAgent=none", f"KnownHostsCommand={known}", "RekeyLimit=256K", "StrictHostKeyChecking=yes")
    settings: dict[str, Any] = {"known_hosts": tmp_path / "none", "extra_options": options}
    with pytest.raises(remotesvc.ConnectError, match="--transport openssh"):
        connect(transport="paramiko", **settings)
    with connect(**settings) as context:
        assert context.call("operator:add", b"1" * 3_000_000, b"2") == b"1" * 3_000_000 + b"2"

    krl = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, sshd.directory / "host_ed25519.pub"], check=True)
    revoked = ("IdentityAgent=none", f"RevokedHostKeys={krl}")
    with pytest.raises(remotesvc.ConnectError, match="--transport openssh"):
        connect(transport="paramiko", extra_options=revoked)
    assert "revoked" in refused(connect, remotesvc.HostKeyError, "hostkey", extra_options=revoked).message
