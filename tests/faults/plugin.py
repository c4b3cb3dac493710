"""The fault plugin: a marker for each mechanism, and the fixtures that use it. A test module takes it with

pytest_plugins = ("tests.faults.plugin", "tests.integration.docker_fixtures", "tests.integration.sshd_fixture",
                  "tests.kernel.call_fixtures")

`docker`: containers; `netns`: a host in a network namespace, wire cut by iptables; `tun`: the same behind a delay
line; `proxy`: a TCP proxy between the master and an sshd on loopback; `strace`: system calls made to fail. A test whose
mechanism is missing is skipped and says which; with REMOTESVC_REQUIRE_FAULTS=1 it fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remotesvc import Context, Router
from tests import containers
from tests.faults import network
from tests.faults.proxy import Proxy
from tests.integration.ssh_servers import MISSING, SSHD, OpenSSHServer

MECHANISMS: dict[str, Callable[[], str]] = {
    "docker": containers.missing,
    "netns": network.missing,
    "tun": lambda: network.missing(tun=True),
    "proxy": lambda: "" if SSHD else MISSING,
    "strace": lambda: "" if shutil.which("strace") else "no strace here (Debian package strace)",
}
"""What says why a mechanism is missing; empty if it is there."""

REQUIRED = os.environ.get("REMOTESVC_REQUIRE_FAULTS", "").lower() in ("1", "true", "yes")
# The delay of the line each way: round trips of 100 ms.
DELAY = 0.05


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.path.is_relative_to(Path(__file__).parent):
        return
    for name, missing in MECHANISMS.items():
        if item.get_closest_marker(name) is None or not (reason := missing()):
            continue
        required = REQUIRED or (name == "docker" and os.environ.get("REMOTESVC_REQUIRE_DOCKER") == "1")
        if required:
            pytest.fail(f"mechanism {name!r} is required, but {reason}", pytrace=False)
        pytest.skip(f"fault NOT TESTED, no mechanism {name!r}: {reason}")


@pytest.fixture
def proxy(sshd: OpenSSHServer) -> Iterator[Proxy]:
    """A proxy before an sshd on loopback."""
    with Proxy((sshd.host, sshd.port)) as proxy:
        yield proxy


@pytest.fixture
def proxied(proxy: Proxy, sshd: OpenSSHServer, router: Router, tmp_path: Path) -> Callable[[], Context]:
    """Makes contexts whose connection goes through the proxy."""
    known = tmp_path / "known_through_proxy"
    known.write_text(Path(sshd.known_hosts_file).read_text().replace(f":{sshd.port} ", f":{proxy.port} "))

    def connect() -> Context:
        return router.ssh("127.0.0.1", port=proxy.port, user=sshd.user, key_filename=sshd.key_file, known_hosts=known,
                          ssh_config="none", extra_options=("IdentityAgent=none",), name="proxied")

    return connect


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[network.RemoteHost]:
    """A host in a network namespace of its own."""
    with network.remote_host(tmp_path / "remote") as host:
        yield host


@pytest.fixture
def far(tmp_path: Path) -> Iterator[network.RemoteHost]:
    """The same, round trips of 100 ms away."""
    with network.remote_host(tmp_path / "far", delay=DELAY) as host:
        yield host


@pytest.fixture
def rough(tmp_path: Path) -> Iterator[network.RemoteHost]:
    """As far away, over a line that loses, doubles and reorders packets."""
    with network.remote_host(tmp_path / "rough", delay=DELAY, rough=True) as host:
        yield host
