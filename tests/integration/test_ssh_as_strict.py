"""What the ssh program refuses for the host's key is refused here: both are asked with the same files."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc import Router
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.ssh import SSHOptions
from tests.integration.ssh_servers import OpenSSHServer, connect_error, connects, make_key, openssh_server

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: it is NOT compared with")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    with openssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key that is not the server's, "type base64"."""
    return make_key(tmp_path_factory.mktemp("other") / "key")


def config_of(server: OpenSSHServer, directory: Path, more: str) -> Path:
    path = directory / "config"
    path.write_text(
        f"{more}\nHost *\n  Port {server.port}\n  User {server.user}\n  IdentityFile {server.key_file}\n"
        f"  IdentityAgent none\n  UserKnownHostsFile {server.known_hosts_file}\n  GlobalKnownHostsFile none\n"
    )
    return path


def ssh_takes(config: Path) -> bool:
    command = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "127.0.0.1", "exit 7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7 or "verification failed" in done.stderr, done.stderr
    return done.returncode == 7


def refused(config: Path) -> ConnectError:
    """Our error, where ssh refuses, too."""
    assert not ssh_takes(config)
    error = connect_error(SSHOptions.parse("127.0.0.1", ssh_config=config))
    assert error.stage == "hostkey", error
    return error


def taken(config: Path) -> None:
    assert ssh_takes(config)
    connects(SSHOptions.parse("127.0.0.1", ssh_config=config))


@pytest.mark.parametrize("keyword", ["UserKnownHostsFile", "GlobalKnownHostsFile"])
@pytest.mark.parametrize("more", ["", " {d}/none", " '{d}/the other'"])
def test_known_hosts_with_a_space_in_their_name(
    keyword: str, more: str, server: OpenSSHServer, other: str, tmp_path: Path
) -> None:
    for name in ("the  hosts", "the other"):
        (tmp_path / name).write_text("")
    file = tmp_path / "the  hosts"
    line = f'{keyword} "{file}"{more.format(d=tmp_path)}\n'
    config = config_of(server, tmp_path, f"StrictHostKeyChecking accept-new\n{line}")
    if keyword == "UserKnownHostsFile":
        taken(config)
        assert str(server.port) in file.read_text()
    file.write_text(f"[127.0.0.1]:{server.port} {other}\n")
    if keyword == "GlobalKnownHostsFile":
        Path(config).write_text(f"UserKnownHostsFile none\n{config.read_text()}")
    assert str(file) in refused(config).message


@pytest.mark.parametrize("name", ["'{d}/my hosts'", "{d}/my elsewhere/hosts"])
def test_known_hosts_that_are_not_there_yet_are_as_the_quotes_say(
    name: str, server: OpenSSHServer, tmp_path: Path
) -> None:
    """A file with a space in its name, or two of which one is where we happen to be."""
    (tmp_path / "my").write_text("")
    line = f"UserKnownHostsFile {name.format(d=tmp_path)}\n"
    config = config_of(server, tmp_path, f"StrictHostKeyChecking accept-new\n{line}")
    assert ssh_takes(config)
    noted = {path: path.read_text() for path in tmp_path.iterdir()}
    assert sum(str(server.port) in text for path, text in noted.items() if path.name.startswith("my")) == 1
    for transport in ("paramiko", "openssh"):
        for path in tmp_path.glob("my*"):
            path.write_text("")
        with Router() as router:
            assert router.ssh("127.0.0.1", ssh_config=config, transport=transport).ping() > 0
        assert {path: path.read_text() for path in noted} == noted


def test_known_hosts_of_which_only_ssh_knows_whether_they_are_one_file_or_two_are_refused(
    server: OpenSSHServer, tmp_path: Path
) -> None:
    (tmp_path / "my").write_text("")
    line = f"Match exec true\nUserKnownHostsFile '{tmp_path}/my hosts'\n"
    config = config_of(server, tmp_path, f"StrictHostKeyChecking accept-new\n{line}")
    for transport in ("paramiko", "openssh"):
        with Router() as router, pytest.raises(ConnectError, match="make the file") as caught:
            router.ssh("127.0.0.1", ssh_config=config, transport=transport)
        assert caught.value.stage == "config"
    assert (tmp_path / "my").read_text() == ""


def test_revoked_keys_in_a_file_with_a_space_in_its_name(server: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "the revoked"
    config = config_of(server, tmp_path, f'RevokedHostKeys "{file}"\n')
    file.write_text("")
    taken(config)
    file.write_text(" ".join(Path(server.known_hosts_file).read_text().split()[1:]) + "\n")
    assert str(file) in refused(config).message


# "{type}" and "{key}" are the server's, "{other}" is another one in base64, "{certificate}" a line about the server's.
REVOKED = {
    "its certificate": "{certificate}",
    "its key, and a comment": "# all\n\n\t{type} {key} a b c",
    "another type's word": "ssh-rsa {other}",
    "cut short": "{type} {other:.40}",
    "cut short in the middle of a character": "{type} {other:.41}",
    "a line of known_hosts": "web1 {type} {other}",
    "no key": "foo AAAA",
    "bytes behind": "{type} {longer}",
    "no base64": "{type}",
}


def certified(server: OpenSSHServer, directory: Path) -> str:
    """The line of a certificate for the server's key."""
    make_key(directory / "authority")
    public = directory / "host.pub"
    public.write_text((server.directory / "host_ed25519.pub").read_text())
    command = ["ssh-keygen", "-q", "-s", str(directory / "authority"), "-h", "-I", "x", "-n", "a", str(public)]
    subprocess.run(command, check=True)
    return " ".join((directory / "host-cert.pub").read_text().split()[:2])


@pytest.mark.parametrize("what", REVOKED)
def test_a_file_of_revoked_keys(what: str, server: OpenSSHServer, other: str, tmp_path: Path) -> None:
    kind, key = Path(server.known_hosts_file).read_text().split()[1:]
    other = other.split()[1]
    file = tmp_path / "revoked"
    longer = base64.b64encode(base64.b64decode(other) + b"xxx").decode()
    words = {"type": kind, "key": key, "other": other, "longer": longer, "certificate": certified(server, tmp_path)}
    file.write_text(REVOKED[what].format(**words) + "\n")
    assert "revoked" in refused(config_of(server, tmp_path, f"RevokedHostKeys {file}\n")).message


def test_other_keys_that_are_revoked(server: OpenSSHServer, other: str, tmp_path: Path) -> None:
    lines = [other]
    for kind in ("rsa", "ecdsa"):
        lines.append(make_key(tmp_path / kind, kind))
    file = tmp_path / "revoked"
    file.write_text("\n".join(lines) + "\n")
    taken(config_of(server, tmp_path, f"RevokedHostKeys {file}\n"))


def test_a_certificate_that_known_hosts_revoke(server: OpenSSHServer, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(f"{Path(server.known_hosts_file).read_text()}@revoked * {certified(server, tmp_path)}\n")
    assert "revoked" in refused(config_of(server, tmp_path, f"UserKnownHostsFile {file}\n")).message
