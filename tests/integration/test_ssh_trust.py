"""Is it the right host? Host keys, against a real OpenSSH server."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from remotesvc import ssh
from remotesvc.bootstrap.unreachable import HostKeyError
from remotesvc.ssh.hostkeys import known_hosts
from remotesvc.ssh.login.keyring import KeyRing
from tests.integration.openssh_client import fingerprint
from tests.integration.ssh_servers import (
    OpenSSHServer,
    connect_error,
    connects,
    make_key,
    openssh_server,
    running,
)
from tests.kernel.contexts import until
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture",)


class Silent:
    """Somebody who has no answer."""

    def confirm(self, question: str) -> bool:
        return False

    def secret(self, prompt: str) -> str | None:
        return None


# -- host keys


@pytest.mark.parametrize("mode", ["yes", "ask", None])
def test_an_unknown_key_is_refused_and_the_command_in_the_error_adds_it(
    sshd: OpenSSHServer, mode: str | None, tmp_path: Path
) -> None:
    # "ask" without a terminal is "yes", and so is ssh's own default.
    file = tmp_path / "known hosts"
    options = sshd.options(known_hosts=file, host_keys=mode)
    logins = sum("Accepted" in entry for entry in sshd.written())
    error = connect_error(options)
    assert isinstance(error, HostKeyError)
    assert error.stage == "hostkey"
    assert fingerprint(sshd.directory / "host_ed25519.pub") in error.message
    assert f"[127.0.0.1]:{sshd.port}" in error.message
    assert str(file) in error.message
    assert not file.exists()
    assert sum("Accepted" in entry for entry in sshd.written()) == logins  # nothing was said about the user
    command = error.hint.partition("run: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert connects(options) == ()


def test_a_changed_key_is_refused_in_every_mode(sshd: OpenSSHServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    file = tmp_path / "known_hosts"
    file.write_text(f"# two lines\n\n[127.0.0.1]:{sshd.port} {other}\n")
    for mode in ("yes", "ask", "accept-new", "no"):
        error = connect_error(sshd.options(known_hosts=file, host_keys=mode))
        assert isinstance(error, HostKeyError)
        assert "CHANGED" in error.message
        assert f"{file}:3" in error.message
        assert fingerprint(tmp_path / "other.pub") in error.message
        assert fingerprint(sshd.directory / "host_ed25519.pub") in error.message
    subprocess.run(["sh", "-c", error.hint.partition("run: ")[2]], check=True, capture_output=True)
    connects(sshd.options(known_hosts=file))


@pytest.mark.parametrize("before", ["web9", "this host"])
def test_the_command_in_an_error_leaves_a_last_line_without_an_end_alone(
    sshd: OpenSSHServer, before: str, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"{'web9' if before == 'web9' else f'[127.0.0.1]:{sshd.port}'} {make_key(tmp_path / 'other')}")
    error = connect_error(sshd.options(known_hosts=file, host_keys="yes"))
    subprocess.run(["sh", "-c", error.hint.partition("run: ")[2]], check=True, capture_output=True)
    assert connects(sshd.options(known_hosts=file, host_keys="yes")) == ()
    kept = known_hosts.KnownHosts([str(file)])
    assert kept.problems == [] and len(kept.named("web9")) == (before == "web9")


def test_what_to_do_where_no_file_keeps_keys(sshd: OpenSSHServer) -> None:
    """Some name /dev/null, so that no key is ever known."""
    error = connect_error(sshd.options(known_hosts="/dev/null", host_keys="yes"))
    assert isinstance(error, HostKeyError) and "no line for" in error.message
    assert ">>" not in error.hint and error.hint.endswith("-o UserKnownHostsFile=FILE, and try again")


def test_a_known_host_that_shows_another_type_of_key_is_refused(sshd: OpenSSHServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "ecdsa")
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{sshd.port} {other}\n")
    for mode in ("yes", "accept-new", "no"):
        error = connect_error(sshd.options(known_hosts=file, host_keys=mode))
        assert isinstance(error, HostKeyError)
        assert "type not on file" in error.message


def test_a_revoked_key_is_refused(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    good = Path(sshd.known_hosts_file).read_text()
    file.write_text(good + "@revoked * " + good.split(None, 1)[1])
    for mode in ("yes", "no"):
        error = connect_error(sshd.options(known_hosts=file, host_keys=mode))
        assert isinstance(error, HostKeyError)
        assert f"{file}:2" in error.message
        assert "revoked" in error.message


@pytest.mark.parametrize("mode", ["accept-new", "no"])
@pytest.mark.parametrize("hashing", [False, True])
def test_a_new_key_is_noted_once(sshd: OpenSSHServer, mode: str, hashing: bool, tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    options = sshd.options(
        known_hosts=file,
        host_keys=mode,
        extra_options=("IdentityAgent=none", f"HashKnownHosts={'yes' if hashing else 'no'}"),
    )
    (notice,) = connects(options)
    assert str(file) in notice
    assert connects(options) == ()
    assert file.stat().st_mode & 0o777 == 0o600
    (text,) = file.read_text().splitlines()
    assert text.startswith("|1|") is hashing
    # OpenSSH finds it, too.
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{sshd.port}", "-f", str(file)], capture_output=True, check=False
    )
    assert found.returncode == 0
    assert connects(sshd.options(known_hosts=file, host_keys="yes")) == ()


def test_a_line_is_added_after_one_without_an_end(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("web9 " + make_key(tmp_path / "other"))
    connects(sshd.options(known_hosts=file, host_keys="accept-new"))
    assert len(file.read_text().splitlines()) == 2
    assert known_hosts.KnownHosts([str(file)]).problems == []


def test_a_key_that_cannot_be_noted_is_told(sshd: OpenSSHServer) -> None:
    (notice,) = connects(sshd.options(known_hosts="/proc/self/known_hosts", host_keys="accept-new"))
    assert "not noted in /proc/self/known_hosts" in notice


def test_the_mode_ask_asks_about_an_unknown_key(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    options = sshd.options(known_hosts=file, host_keys="ask")
    questions: list[str] = []

    def open_with(answer: bool) -> None:
        class Person(Silent):
            def confirm(self, question: str) -> bool:
                questions.append(question)
                return answer

        path = ssh.open(options, lambda peer: "true", keys=KeyRing(Person()))
        path.close()
        path.join(10)

    with pytest.raises(HostKeyError):
        open_with(False)
    assert not file.exists()
    open_with(True)
    open_with(False)  # known by now: not asked
    assert len(questions) == 2
    assert fingerprint(sshd.directory / "host_ed25519.pub") in questions[0]


@pytest.mark.parametrize("answer", [True, False])
def test_of_hosts_at_one_address_the_first_is_asked_about_by_its_name_and_the_answer_is_for_all(
    answer: bool, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    questions: list[str] = []
    outcomes: list[tuple[str, ...] | None] = []

    class Person(Silent):
        def confirm(self, question: str) -> bool:
            questions.append(question)
            until(lambda: keys.asking._open == hosts)
            return answer

    hosts, keys = 4, KeyRing(Person())

    def open_one(name: str) -> None:
        options = sshd.options(known_hosts=file, host_keys="ask")
        try:
            path = ssh.open(options, lambda peer: "true", keys=keys, called=name)
        except HostKeyError:
            outcomes.append(None)
            return
        path.close()
        path.join(10)
        outcomes.append(path.peer.notices)

    together(partial(open_one, f"web{number}") for number in range(hosts))
    (question,) = questions
    assert re.match(r"The authenticity of host web[0-3] \(\[127\.0\.0\.1\]:", question)
    assert len(outcomes) == hosts and outcomes.count(None) == (0 if answer else hosts)
    if answer:
        assert sum("added to" in " ".join(notices or ()) for notices in outcomes) == 1
        assert len(file.read_text().splitlines()) == 1


def test_the_name_of_a_host_adds_no_line_to_the_question(sshd: OpenSSHServer, tmp_path: Path) -> None:
    """It may be a program's word: what prints an inventory could show another fingerprint over the right one."""
    questions: list[str] = []

    class Person(Silent):
        def confirm(self, question: str) -> bool:
            questions.append(question)
            return False

    with pytest.raises(HostKeyError):
        ssh.open(sshd.options(known_hosts=tmp_path / "known_hosts", host_keys="ask"), lambda peer: "true",
                 keys=KeyRing(Person()), called="web1\x1b[2K\rno\nIts key")
    assert questions[0].startswith("The authenticity of host web1\\x1b[2K\\rno\\nIts key ([127.0.0.1]:")


def test_bad_lines_are_told_and_do_no_harm(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("web1 ssh-rsa nonsense\n" + Path(sshd.known_hosts_file).read_text())
    (notice,) = connects(sshd.options(known_hosts=file))
    assert f"{file}:1: " in notice


def test_of_several_host_keys_the_one_on_file_is_asked_for(tmp_path: Path) -> None:
    for kind in ("ecdsa", "rsa"):
        make_key(tmp_path / f"host_{kind}", kind)
    extra = f"HostKey {tmp_path}/host_ecdsa\nHostKey {tmp_path}/host_rsa"
    with openssh_server(tmp_path, extra) as server:
        for kind, name in (("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa"), ("ed25519", "ssh-ed25519")):
            line = (tmp_path / f"host_{kind}.pub").read_text()
            (tmp_path / "one").write_text(f"[127.0.0.1]:{server.port} {line}")
            with running(server.options(known_hosts=tmp_path / "one"), "true") as got:
                assert got.path.peer.host_key_type == name
                assert got.path.peer.fingerprint == fingerprint(tmp_path / f"host_{kind}.pub")


def test_an_alias_stands_for_name_and_port(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("cluster " + Path(sshd.known_hosts_file).read_text().split(None, 1)[1])
    connects(sshd.options(known_hosts=file, extra_options=("HostKeyAlias=cluster", "IdentityAgent=none")))
