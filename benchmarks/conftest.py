"""What the benchmarks share: a real sshd, connections of ours and of the peers to it, and the table at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from benchmarks import peers
from benchmarks.figures import Figure, Figures, machine
from tests.integration.ssh_servers import SSHD, OpenSSHServer, openssh_server

HERE = Path(__file__).parent
_FIGURES = Figures()

Report = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", metavar="FILE", type=Path, help="write the measured figures to FILE, as markdown")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            # The peers' deprecations are their business.
            item.add_marker(pytest.mark.filterwarnings("default"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not _FIGURES.rows:
        return
    terminalreporter.section("figures")
    terminalreporter.write_line(machine())
    for line in _FIGURES.table():
        terminalreporter.write_line(line)
    file: Path | None = config.getoption("--figures")
    if file is not None:
        _FIGURES.write(file)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """``report(promise, figure, measured)``: a row of the table."""
    return lambda promise, figure, measured: _FIGURES.rows.append(
        Figure(promise, figure, measured, request.node.nodeid))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """A real sshd on loopback."""
    if SSHD is None or sys.platform != "linux":
        pytest.skip("the benchmarks need OpenSSH's sshd and Linux's /proc")
    with openssh_server(tmp_path_factory.mktemp("sshd"), f"Ciphers {peers.CIPHER}") as running:
        yield running


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """An sshd as it comes: it takes any cipher, and knows scp's present protocol."""
    if SSHD is None:
        pytest.skip("the benchmarks need OpenSSH's sshd")
    with openssh_server(tmp_path_factory.mktemp("stock"), "Subsystem sftp internal-sftp") as running:
        yield running


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """An sshd that turns nobody away, however many log in at once."""
    if SSHD is None:
        pytest.skip("the benchmarks need OpenSSH's sshd")
    with openssh_server(tmp_path_factory.mktemp("busy"), f"Ciphers {peers.CIPHER}\nMaxStartups 400") as running:
        yield running


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    """The same with an empty home: what a login runs there is no part of what is measured."""
    if SSHD is None:
        pytest.skip("the benchmarks need OpenSSH's sshd")
    home, directory = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bare")
    settings = f"Ciphers {peers.CIPHER}\nMaxStartups 400\nSetEnv HOME={home}"
    with openssh_server(directory, settings) as running:
        yield running


@pytest.fixture
def router() -> Iterator[remotesvc.Router]:
    """A router of ours."""
    with remotesvc.Router() as made:
        yield made


@pytest.fixture
def mitogen_router() -> Iterator[Any]:
    """A router of Mitogen's."""
    with peers.mitogen_router() as made:
        yield made
