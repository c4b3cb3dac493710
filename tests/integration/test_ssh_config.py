"""ssh_config means here what it means to ssh, and a parser of our own stands in where ssh is not installed."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import os
import pwd
import shutil
import socket
from pathlib import Path

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration import settings
from remotesvc.ssh.configuration.config import resolve
from remotesvc.ssh.configuration.resolved import ResolvedHost
from tests.integration.ssh_servers import OpenSSHServer, running
from tests.kernel.contexts import alive, end
from tests.scripts import shell_script

pytest_plugins = ("tests.integration.sshd_fixture",)

CONFIG = """\
Host web1
    HostName 10.1.2.3
    Port 2222
    User deploy
    IdentityFile {directory}/key_%r
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/one {directory}/two
    GlobalKnownHostsFile /dev/null
    HostKeyAlias cluster
    HashKnownHosts yes
    StrictHostKeyChecking accept-new
    ConnectTimeout 7
    AddressFamily inet
    IdentityAgent none

Host db*
    HostName %h.example.org
    StrictHostKeyChecking no
    ProxyJump none

Host far
    ProxyJump bastion

Host farther
    ProxyCommand nc %h %p %r%%

Host *
    User everyone
"""


@pytest.fixture(params=["openssh", "without"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file; the test runs with and without OpenSSH's client on the PATH."""
    if request.param == "without":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which("ssh") is None:
        pytest.skip("no ssh here: ssh -G is NOT tested")
    path = tmp_path / "config"
    path.write_text(CONFIG.format(directory=tmp_path))
    return path


def test_what_the_file_says_of_a_host(file: Path) -> None:
    found = resolve(SSHOptions.parse("web1", ssh_config=file))
    assert found == ResolvedHost(
        name="web1",
        hostname="10.1.2.3",
        port=2222,
        user="deploy",
        options=found.options,
        identity_files=(f"{file.parent}/key_deploy",),
        identities_only=True,
        identity_agent=None,
        user_known_hosts=(f"{file.parent}/one", f"{file.parent}/two"),
        global_known_hosts=("/dev/null",),
        host_key_alias="cluster",
        hash_known_hosts=True,
        strict="accept-new",
        address_family="inet",
        connect_timeout=7.0,
    )
    assert str(found) == "deploy@10.1.2.3:2222"


def test_what_is_asked_for_wins_over_the_file(file: Path) -> None:
    key = file.parent / "mine"
    key.write_text("")
    options = SSHOptions.parse(
        "bob@web1:23",
        ssh_config=file,
        key_filename=key,
        known_hosts="hosts",
        host_keys="yes",
        extra_options=["HostName=10.9.9.9", "HostKeyAlias other"],
    )
    found = resolve(options)
    assert (found.user, found.port, found.hostname) == ("bob", 23, "10.9.9.9")
    assert found.identity_files[0] == str(key)
    assert found.user_known_hosts == ("hosts",)
    assert found.global_known_hosts == ()
    assert (found.strict, found.host_key_alias) == ("yes", "other")


def test_defaults_where_no_file_says_anything(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/somewhere/agent")
    found = resolve(SSHOptions.parse("other", ssh_config="none"))
    home = pwd.getpwuid(os.getuid()).pw_dir  # as ssh sees it, whatever HOME says
    assert (found.hostname, found.port, found.user) == ("other", 22, getpass.getuser())
    assert found.identity_agent == "/somewhere/agent"
    assert f"{home}/.ssh/id_ed25519" in found.identity_files
    assert found.user_known_hosts[0] == f"{home}/.ssh/known_hosts"
    assert found.global_known_hosts[0] == "/etc/ssh/ssh_known_hosts"
    assert (found.strict, found.host_key_alias, found.connect_timeout) == ("ask", None, None)


def test_home_is_what_the_system_says(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    home = pwd.getpwuid(os.getuid()).pw_dir
    found = resolve(SSHOptions.parse("other", ssh_config="none", extra_options=["CertificateFile=%d/c"]))
    paths = (*found.identity_files, *found.user_known_hosts, *found.certificate_files)
    assert all(path.startswith(f"{home}/") for path in paths)


def test_the_usual_files_in_a_home_with_a_space_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "tilde", lambda path: path.replace("~", "/home/the user"))
    usual = ("/home/the user/.ssh/known_hosts", "/home/the user/.ssh/known_hosts2")
    assert settings.several("userknownhostsfile", " ".join(usual), dict) == usual


def test_patterns_and_tokens(file: Path) -> None:
    found = resolve(SSHOptions.parse("db7", ssh_config=file))
    assert (found.hostname, found.user, found.strict) == ("db7.example.org", "everyone", "no")


def test_jump_hosts_and_proxy_commands_of_the_file(file: Path) -> None:
    def way(host: str, **changes: object) -> tuple[object, object]:
        found = resolve(SSHOptions.parse(host, ssh_config=file, **changes))  # type: ignore[arg-type]
        return found.jump and (str(found.jump.user), found.jump.host, found.jump.port, found.jump.jump), (
            found.proxy_command
        )

    assert way("far") == (("None", "bastion", None, None), None)
    assert way("farther") == (None, "nc farther 22 everyone%")
    assert way("bob@farther:7") == (None, "nc farther 7 bob%")
    assert way("db1") == (None, None)
    for direct in ({"jump": "none"}, {"jump": ()}, {"extra_options": ["ProxyJump=none"]}):
        assert way("far", **direct) == (None, None)
    assert way("farther", extra_options=["ProxyCommand=none"]) == (None, None)
    assert way("farther", jump="none") == (None, None)
    assert way("farther", jump="a,ann@b:2") == (("ann", "b", 2, ("a",)), None)
    assert way("far", extra_options=["ProxyJump=a,b,ssh://ann@c:2"]) == (("ann", "c", 2, ("a", "b")), None)
    assert way("far", extra_options=["ProxyCommand=x %%"])[1] == "x %"
    assert way("bob@far:7", extra_options=["ProxyJump=%h-gw,%r@%n-%p"]) == (("bob", "far-7", None, ("far-gw",)), None)


def test_tokens_that_tell_of_the_way(file: Path) -> None:
    def key(*settings: str) -> str:
        options = SSHOptions.parse("ann@h:2", ssh_config="none", extra_options=["IdentityFile=/%j-%C", *settings])
        return resolve(options).identity_files[0]

    def digest(jump: str) -> str:
        return hashlib.sha1(f"{socket.gethostname()}h2ann{jump}".encode()).hexdigest()

    assert key() == f"/-{digest('')}"
    assert key("ProxyJump=a,bob@gate:2") == f"/gate-{digest('gate')}"


def test_a_hop_is_asked_for_as_strictly_as_the_host(file: Path) -> None:
    options = SSHOptions.parse("far", ssh_config=file, known_hosts="k", host_keys="yes", extra_options=["Port=9"])
    jump = resolve(options).jump
    assert jump is not None
    assert (jump.known_hosts, jump.host_keys, jump.ssh_config) == (("k",), "yes", str(file))
    assert (jump.extra_options, jump.key_filenames, jump.password) == ((), (), None)


@pytest.mark.parametrize("command", ["x %z", "x %", "x %u"])
def test_a_token_without_meaning_is_refused(file: Path, command: str) -> None:
    with pytest.raises(ConnectError) as caught:
        resolve(SSHOptions.parse("web1", ssh_config="none", extra_options=[f"ProxyCommand={command}"]))
    assert caught.value.stage == "config"


@pytest.mark.parametrize(
    "setting",
    ["PKCS11Provider=/x", "HostbasedAuthentication=yes", "RekeyLimit=256K", "ProxyUseFdpass=yes", "Tunnel=yes"],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused(file: Path, setting: str) -> None:
    with pytest.raises(ConnectError) as caught:
        resolve(SSHOptions.parse("web1", ssh_config="none", extra_options=[setting]))
    assert setting.partition("=")[0].lower() in caught.value.message
    assert "--transport openssh" in caught.value.hint


@pytest.mark.parametrize("setting", ["Ciphers=3des-cbc", "KexAlgorithms=diffie-hellman-group1-sha1"])
def test_algorithms_that_leave_none(file: Path, setting: str) -> None:
    with pytest.raises(ConnectError, match="leaves none|not accept"):
        resolve(SSHOptions.parse("web1", ssh_config="none", extra_options=[setting]))


def test_a_file_that_is_not_there_or_wrong(file: Path) -> None:
    with pytest.raises(ConnectError) as caught:
        resolve(SSHOptions.parse("web1", ssh_config=file.parent / "absent"))
    assert caught.value.stage == "config"
    file.write_text("Host web1\n  Port many\n")
    with pytest.raises(ConnectError) as caught:
        resolve(SSHOptions.parse("web1", ssh_config=file))
    assert caught.value.stage == "config"


def test_a_key_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(UsageError, match="absent"):
        resolve(SSHOptions.parse("web1", ssh_config=file, key_filename=file.parent / "absent"))


def test_ssh_that_hangs_is_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell_script(tmp_path / "ssh", "exec sleep 5")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ConnectTimeout) as caught:
        resolve(SSHOptions.parse("web1"), timeout=0.2)
    assert caught.value.stage == "config"


def test_what_it_has_started_in_a_session_of_its_own_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a `Match exec` may: it holds what ssh would say open."""
    shell_script(tmp_path / "ssh", f"setsid sleep 60 & echo $! >{tmp_path}/pid; exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ConnectTimeout):
        resolve(SSHOptions.parse("web1"), timeout=0.5)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    end(pid)


def test_ssh_that_is_killed_did_not_refuse_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell_script(tmp_path / "ssh", "kill -9 $$")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ConnectError, match="ssh -G was killed by signal 9"):
        resolve(SSHOptions.parse("web1"))


def test_an_alias_connects(sshd: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        f"Host shortcut\n HostName 127.0.0.1\n Port {sshd.port}\n User {sshd.user}\n"
        f" IdentityFile {sshd.key_file}\n UserKnownHostsFile {sshd.known_hosts_file}\n IdentityAgent none\n"
    )
    with running(SSHOptions.parse("shortcut", ssh_config=file), "echo fine") as got:
        assert got.wait_size(5) == b"fine\n"
        assert dataclasses.astuple(got.path.peer.host)[0] == "shortcut"
