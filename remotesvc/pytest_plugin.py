"""Fixtures for other people's tests: contexts on hosts, in containers, and on an SSH server inside the test run.

Installed with the package and known to pytest by its entry point; nothing of remotesvc is imported before a test asks
for one of these:

    remotesvc_router     a Router for the whole run; what targets print goes to the test's captured stderr
    remotesvc_connect    connect("web1"), connect("docker:NAME"), connect("local:"): a context, closed after the test
    remotesvc_service    service("db"): a context inside a service of pytest-docker's compose file, by `docker exec`
    remotesvc_embedded   a context over real SSH, on a server that runs inside the test process
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.router import Router

_COMPOSE = "com.docker.compose."
_SECONDS = 30


@pytest.fixture(scope="session")
def remotesvc_router() -> Iterator[Router]:
    """One router for all tests; its contexts end with it."""
    from remotesvc.router import Router

    with Router() as router:
        yield router


@pytest.fixture
def remotesvc_connect(remotesvc_router: Router) -> Iterator[Callable[..., Context]]:
    """`connect(host, **arguments)`: a context that is up, closed after the test.

    host is what the command line takes (an ssh_config alias, user@host:port, docker:NAME, local:), arguments those of
    `Router.ssh`, `Router.docker` or `Router.local`. A ConnectError fails the test.
    """
    from remotesvc.fleet.inventory import HostEntry
    from remotesvc.fleet.member import Member

    with ExitStack() as stack:
        def connect(host: str, **arguments: Any) -> Context:
            context: Context = Member.of(HostEntry(host)).open(remotesvc_router, arguments)
            stack.callback(context.close)
            return context.wait_ready()

        yield connect


@pytest.fixture
def remotesvc_service(
    request: pytest.FixtureRequest, remotesvc_connect: Callable[..., Context]
) -> Callable[..., Context]:
    """`service(name, user=..., python=...)`: a context in a service of the compose project that pytest-docker has up.

    The service needs a Python 3.6 or newer in its image, and no sshd. Fails the test if the service is not running.
    """
    try:
        request.getfixturevalue("docker_services")
    except pytest.FixtureLookupError:
        pytest.fail("remotesvc_service needs the plugin pytest-docker: pip install pytest-docker", pytrace=False)
    project = request.getfixturevalue("docker_compose_project_name")

    def service(name: str, **arguments: Any) -> Context:
        return remotesvc_connect(f"docker:{container_of(project, name)}", **arguments)

    return service


@pytest.fixture
def remotesvc_embedded(remotesvc_router: Router) -> Iterator[Context]:
    """A context over SSH on a server of this process's own: the whole way of a real host, without one."""
    from remotesvc.testing.sshd import EmbeddedServer

    with EmbeddedServer() as server, remotesvc_router.ssh(
        server.host, user=server.user, port=server.port, key_filename=server.key_file,
        known_hosts=server.known_hosts_file, ssh_config="none", extra_options=("IdentityAgent=none",), name="embedded",
    ) as context:  # fmt: skip
        yield context.wait_ready()


def container_of(project: str, service: str) -> str:
    """The id of the container that runs a service of a compose project. Fails the test if there is none."""
    command = ["docker", "ps", "--quiet", "--no-trunc", "--filter", f"label={_COMPOSE}project={project}",
               "--filter", f"label={_COMPOSE}service={service}"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.fail(f"docker ps does not answer: {error}", pytrace=False)
    found = done.stdout.split()
    if not found:
        said = f": {done.stderr.strip()}" if done.stderr.strip() else ""
        pytest.fail(f"no container runs the service {service!r} of the project {project!r}{said}", pytrace=False)
    return found[0]
