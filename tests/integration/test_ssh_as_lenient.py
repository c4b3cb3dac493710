"""What the ssh program takes is taken here: both are asked with the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remotesvc import Router
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer, openssh_server
from tests.integration.test_ssh_as_strict import config_of, taken

pytest_plugins = ("tests.integration.sshd_fixture",)
pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: it is NOT compared with")


@pytest.mark.parametrize("value", ["yes", "unbound", "host-bound"])
def test_each_way_to_switch_keys_on_is_taken(value: str, sshd: OpenSSHServer, tmp_path: Path) -> None:
    taken(config_of(sshd, tmp_path, f"PubkeyAuthentication {value}\n"))


@pytest.mark.parametrize("name", ["curve25519-sha256", "curve25519-sha256@libssh.org"])
def test_both_names_of_a_key_exchange_are_taken(name: str, sshd: OpenSSHServer, tmp_path: Path) -> None:
    taken(config_of(sshd, tmp_path, f"KexAlgorithms {name}\n"))
    with openssh_server(tmp_path / "server", f"KexAlgorithms {name}") as server:
        taken(config_of(server, tmp_path, ""))


@pytest.mark.parametrize("text", ["", "no key", "ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="])
def test_a_broken_public_half_beside_a_good_key(text: str, sshd: OpenSSHServer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    shutil.copy(sshd.key_file, key)
    key.with_name("key.pub").write_text(text + "\n")
    config = config_of(sshd, tmp_path, "")
    config.write_text(config.read_text().replace(sshd.key_file, str(key)))
    taken(config)


@pytest.mark.parametrize("seconds", [1e7, float("inf")])
@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_connecting_without_any_limit(transport: str, seconds: float, sshd: OpenSSHServer) -> None:
    with Router(interactive=False) as router:
        assert connect_to(router, sshd, transport=transport, connect_timeout=seconds).call("os:getpid")
