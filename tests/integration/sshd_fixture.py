"""Fixtures: SSH servers on loopback. A test module takes them with

pytest_plugins = ("tests.integration.sshd_fixture",)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

from remotesvc.ssh import SSHOptions
from remotesvc.testing.sshd import EmbeddedServer
from tests.integration.ssh_servers import MISSING, SSHD, OpenSSHServer, embedded_options, openssh_server


@pytest.fixture(scope="session")
def sshd_if_any(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer | None]:
    """One sshd for all tests that only connect to it; None where it is not installed."""
    if SSHD is None:
        yield None
        return
    with openssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def sshd(sshd_if_any: OpenSSHServer | None) -> OpenSSHServer:
    """A real OpenSSH server; the test is skipped where there is none."""
    if sshd_if_any is None:
        pytest.skip(MISSING)
    return sshd_if_any


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedServer]:
    """One embedded server for all tests that only connect to it."""
    with EmbeddedServer() as server:
        yield server


@pytest.fixture(params=["openssh", "embedded"])
def reach(
    request: pytest.FixtureRequest, sshd_if_any: OpenSSHServer | None, embedded: EmbeddedServer
) -> Callable[..., SSHOptions]:
    """Options for a server: each test that takes it runs against OpenSSH and against the embedded server."""
    if request.param == "embedded":
        return functools.partial(embedded_options, embedded)
    if sshd_if_any is None:
        pytest.skip(MISSING)
    return sshd_if_any.options
