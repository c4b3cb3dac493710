"""Several hosts at once: what one of them waits for costs the others nothing, be it a person or a host that is dead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remotesvc.ssh import SSHOptions
from remotesvc.ssh.connect import Effort
from remotesvc.ssh.login.keyring import KeyRing
from remotesvc.ssh.ways import Ways
from tests.integration.ssh_servers import OpenSSHServer, make_key, openssh_server
from tests.kernel.contexts import LIMIT


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
def ways() -> Iterator[Ways]:
    ways = Ways()
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


def log_in(ways: Ways, options: SSHOptions, keys: KeyRing) -> dict[str, float]:
    """Log in, and return where the time went."""
    effort = Effort(time.monotonic() + options.connect_timeout, keys)
    ways.connect(options, effort).close()
    return effort.phases


@pytest.mark.parametrize("behind", [False, True], ids=["directly", "behind a bastion"])
def test_the_time_a_person_takes_counts_for_none_of_those_who_wait_for_the_answer(
    behind: bool, server: OpenSSHServer, ways: Ways, tmp_path: Path
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
