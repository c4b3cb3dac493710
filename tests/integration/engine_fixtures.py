"""Containers of engines other than Docker's, as hosts for tests. A test module takes them with

pytest_plugins = ("tests.integration.docker_fixtures", "tests.integration.engine_fixtures", ...)

`engine` is one engine after the other: its `kind`, and the `name` of a running container (`engine_kinds`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc import Context, Router
from tests.integration.docker_fixtures import REQUIRED
from tests.integration.engine_kinds import BASE, KINDS, Engine, cluster, files_of, systemd_host
from tests.integration.kube.server import Cluster

PYTHON = "/usr/bin/python3"  # ours may lie where only its owner can read it
AS_NOBODY = f"""#!/bin/sh
HOME=/nonexistent exec setpriv --reuid 65534 --regid 65534 --clear-groups {PYTHON} "$@"
"""


def need(kind: str) -> None:
    """Skip the test, or fail it where containers are required, if an engine cannot be had."""
    reason = KINDS[kind].missing()
    if reason and REQUIRED:
        pytest.fail(f"REMOTESVC_REQUIRE_DOCKER is set, but {reason}", pytrace=False)
    if reason:
        pytest.skip(f"NOT TESTED in containers of {kind}: {reason}")


@pytest.fixture(scope="module")
def rootfs(docker_images: None) -> Iterator[Path]:
    """The files that containers are made of where no image is: one after the other, for all that they leave in them."""
    with files_of(BASE) as top:
        yield top


@pytest.fixture(scope="module", params=sorted(KINDS))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Each engine, with a running container."""
    need(request.param)
    rootfs: Path = request.getfixturevalue("rootfs")
    with KINDS[request.param].make(tmp_path_factory.mktemp(request.param), rootfs) as engine:
        yield engine


@pytest.fixture(scope="module", params=["true", "false"], ids=["websocket", "spdy"])
def kube(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster, by way of a kubectl that speaks the one protocol, and the other."""
    need("kubectl")
    request.getfixturevalue("docker_images")
    with cluster(tmp_path_factory.mktemp("kube")) as known, pytest.MonkeyPatch.context() as patch:
        # One that is older than 1.29 knows SPDY alone, and not this variable.
        patch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", request.param)
        yield known


@pytest.fixture(scope="module")
def systemd(request: pytest.FixtureRequest) -> Iterator[str]:
    """A container of Docker's in which systemd runs the machine "box"."""
    need("nspawn")
    request.getfixturevalue("docker_images")
    with systemd_host() as host:
        yield host


@pytest.fixture
def nobody(router: Router, tmp_path: Path) -> Iterator[Context]:
    """A context here of somebody who may do nothing."""
    if os.getuid() or not os.path.exists(PYTHON):
        pytest.skip(f"NOT TESTED as another user: needs root, and {PYTHON}")
    python = tmp_path / "python"
    python.write_text(AS_NOBODY)
    python.chmod(0o755)
    with router.local(python=str(python)) as context:
        assert context.call(os.getuid) == 65534
        yield context
