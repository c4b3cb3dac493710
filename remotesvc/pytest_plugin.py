"""Fixtures for other people's tests: contexts on hosts, in containers, and on an SSH server inside the test run.

Installed with the package and known to pytest by its entry point; nothing of remotesvc is imported before a test asks
for one of these:

    remotesvc_router     a Router for the whole run; what targets print goes to the test's captured stderr
    remotesvc_connect    connect("web1"), connect("docker:NAME"), connect("local:"): a context, closed after the test
    remotesvc_service    service("db"): a context inside a service of pytest-docker's compose file, by `docker exec`
    remotesvc_embedded   a context over real SSH, on a server that runs inside the test process

    remotesvc_connect_session, remotesvc_service_session   the same functions for fixtures of any scope: their contexts
                         are closed at the end of the run
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .calling.context import Context
    from .router import Router


@pytest.fixture(scope="session")
def remotesvc_router() -> Iterator[Router]:
    """One router for all tests; its contexts end with it."""
    from .router import Router

    with Router() as router:
        yield router


@pytest.fixture
def remotesvc_connect(remotesvc_router: Router) -> Iterator[Callable[..., Context]]:
    """`connect(host, **arguments)`: a context that is up, closed after the test.

    host is what the command line takes (an ssh_config alias, user@host:port, docker:NAME, local:), arguments those of
    `Router.connect`. Over SSH each has a connection of its own. A ConnectError fails the test.
    """
    with _connecting(remotesvc_router) as connect:
        yield connect


@pytest.fixture(scope="session")
def remotesvc_connect_session(remotesvc_router: Router) -> Iterator[Callable[..., Context]]:
    """`remotesvc_connect` for fixtures of any scope; what it gives is closed at the end of the run."""
    with _connecting(remotesvc_router) as connect:
        yield connect


@pytest.fixture
def remotesvc_service(request: pytest.FixtureRequest, remotesvc_router: Router) -> Iterator[Callable[..., Context]]:
    """`service(name, **arguments)`: a context in a service of the compose project that pytest-docker has up.

    Of several containers `index` says which, as in `compose exec --index`; the other arguments are those of
    `Router.docker`. The service needs a Python 3.6 or newer in its image, and no sshd. Fails the test if it is not
    running.
    """
    with _services(request, remotesvc_router) as service:
        yield service


@pytest.fixture(scope="session")
def remotesvc_service_session(
    request: pytest.FixtureRequest, remotesvc_router: Router
) -> Iterator[Callable[..., Context]]:
    """`remotesvc_service` for fixtures of any scope; what it gives is closed at the end of the run."""
    with _services(request, remotesvc_router) as service:
        yield service


@pytest.fixture
def remotesvc_embedded(remotesvc_router: Router) -> Iterator[Context]:
    """A context over SSH on a server of this process's own: the whole way of a real host, without one."""
    from .testing.sshd import EmbeddedServer

    with EmbeddedServer() as server, remotesvc_router.ssh(
        server.host, user=server.user, port=server.port, key_filename=server.key_file,
        known_hosts=server.known_hosts_file, ssh_config="none", extra_options=("IdentityAgent=none",), name="embedded",
    ) as context:  # fmt: skip
        yield context.wait_ready()


@contextmanager
def _connecting(router: Router) -> Iterator[Callable[..., Context]]:
    from .ssh.configuration import hostspec

    with ExitStack() as stack:
        def connect(host: str, **arguments: Any) -> Context:
            if hostspec.parse(host).kind == "ssh":
                arguments.setdefault("fresh", True)  # a shared one is closed for the others, too
            context: Context = router.connect(host, **arguments)
            stack.callback(context.close)
            return context.wait_ready()

        yield connect


@contextmanager
def _services(request: pytest.FixtureRequest, router: Router) -> Iterator[Callable[..., Context]]:
    try:
        request.getfixturevalue("docker_services")
    except pytest.FixtureLookupError:
        pytest.fail(f"{request.fixturename} needs the plugin pytest-docker: pip install pytest-docker", pytrace=False)
    project = request.getfixturevalue("docker_compose_project_name")
    from .bootstrap.errors import Error
    from .testing.compose import container_of

    # Its own, and not that of remotesvc_connect, which may live longer than the containers.
    with _connecting(router) as connect:
        def service(name: str, index: int | None = None, **arguments: Any) -> Context:
            try:
                container = container_of(project, name, index)
            except Error as error:
                raise pytest.fail.Exception(str(error), pytrace=False) from None
            arguments.setdefault("name", name if index is None else f"{name}-{index}")
            return connect(f"docker:{container}", **arguments)

        yield service
