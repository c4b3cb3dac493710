"""Fixtures: the hosts of docker/compose.yaml, up once for all tests. A test module takes them with

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")

`hosts["bookworm"]` is a Host that is known to take connections; `connect("bookworm")` a context on it that is closed
after the test; `container(...)` starts one that the test may harm. Where there is no Docker, the tests are skipped, or
fail if REMOTESVC_REQUIRE_DOCKER=1. The logs of the containers that a failing test used are shown with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from remotesvc import Context, Router
from tests import containers
from tests.containers import OWNER, Host, Hosts, Keys

REQUIRED = os.environ.get("REMOTESVC_REQUIRE_DOCKER", "").lower() in ("1", "true", "yes")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever takes a container is of those that `-m docker` names."""
    for item in items:
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker("docker")


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine and a compose command; the test is skipped, or fails, without."""
    reason = containers.missing()
    if reason and REQUIRED:
        pytest.fail(f"REMOTESVC_REQUIRE_DOCKER is set, but {reason}", pytrace=False)
    if reason:
        pytest.skip(f"NOT TESTED in containers: {reason}")


@pytest.fixture(scope="session")
def docker_images(docker_engine: None) -> None:
    """The images, as docker/ describes them; making them takes minutes the first time."""
    containers.make_images()


@pytest.fixture(scope="session")
def docker_keys(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("docker"))


# -- what pytest-docker asks for


@pytest.fixture(scope="session")
def docker_compose_command(docker_keys: Keys) -> str:
    settings = {"REMOTESVC_KEYS": docker_keys.mounted, "REMOTESVC_OWNER": OWNER}
    prefix = containers.python36()
    if prefix is not None:
        settings["REMOTESVC_PYTHON36"] = prefix
    assigned = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in settings.items())
    return f"env {assigned} {containers.compose_command()}"


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    return str(containers.COMPOSE_FILE)


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    """A name that no other run has, on however many processes this one is spread."""
    return f"remotesvc-{OWNER}-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def docker_setup(docker_images: None) -> list[str]:
    containers.clear_away()
    return ["up --detach --no-build"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["down --volumes --timeout 0"]


# -- what tests take


@pytest.fixture(scope="session")
def hosts(docker_services: object, docker_compose_project_name: str, docker_keys: Keys) -> Hosts:
    """Every service of the compose file."""
    return Hosts(docker_compose_project_name, docker_keys)


@pytest.fixture
def connect(hosts: Hosts, router: Router) -> Callable[..., Context]:
    """`connect(service, user=..., ...)`: a context on a service; arguments as those of `Router.ssh`."""
    def connect(service: str, **changes: Any) -> Context:
        if service == "python36" and hosts[service].python is None:
            pytest.skip("NOT TESTED on 3.6: Debian has none, and this machine has none that could stand in")
        return hosts[service].connect(router, **changes)

    return connect


@pytest.fixture
def container(docker_images: None, docker_keys: Keys) -> Iterator[Callable[..., Host]]:
    """`container(*options, command=..., image=...)`: a host of the test's own; `docker run` options as strings."""
    with contextlib.ExitStack() as stack:
        def container(*options: str, **more: Any) -> Host:
            return stack.enter_context(containers.running_container(docker_keys, *options, **more))

        yield container


# -- the logs of what a failing test used


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    containers.used.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for host in sorted(containers.used, key=lambda host: host.name):
            with contextlib.suppress(Exception):  # gone already: the failure itself matters more
                report.sections.append((f"log of the container {host.name}", host.logs()))
    return report
