"""podman:NAME and lxc:NAME: contexts in real containers of engines other than Docker's, made of the same Debian."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router, UnknownHost
from tests import containers
from tests.containers import OWNER, run
from tests.integration import fleet_tasks
from tests.integration.docker_fixtures import REQUIRED
from tests.kernel.contexts import until

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")

PROGRAMS = {"podman": "podman", "lxc": "lxc-start"}
CONTAINERS_CONF = """
[containers]
# Where the tests run, limits may not be raised.
default_ulimits = ["nofile=1000:1000", "nproc=500:500"]
cgroupns = "host"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
LXC_CONFIG = """
lxc.uts.name = {name}
lxc.rootfs.path = dir:{rootfs}
lxc.net.0.type = empty
lxc.init.cmd = /bin/sleep infinity
lxc.mount.auto = proc:mixed sys:ro
"""


def missing(engine: str) -> str:
    """Why no container of an engine can be had here; empty if all is well."""
    if os.getuid():
        return "only root can start such containers"
    if shutil.which(PROGRAMS[engine]) is None:
        return f"no {PROGRAMS[engine]} here (Debian package {engine})"
    return containers.missing()


@pytest.fixture(scope="module")
def rootfs(docker_images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the base image."""
    top = tmp_path_factory.mktemp("rootfs")
    top.chmod(0o755)  # it becomes / there
    label = f"{containers.OWNER_LABEL}={OWNER}"
    made = containers.docker("create", "--label", label, "remotesvc-base:bookworm", "true")
    try:
        export = subprocess.Popen(["docker", "export", made.strip()], stdout=subprocess.PIPE)
        with export:
            subprocess.run(["tar", "--extract", "--directory", top], stdin=export.stdout, check=True, timeout=120)
        assert export.returncode == 0
    finally:
        containers.docker("rm", "--force", made.strip())
    yield top
    shutil.rmtree(top)


@contextlib.contextmanager
def podman(rootfs: Path, work: Path, name: str) -> Iterator[None]:
    (work / "containers.conf").write_text(CONTAINERS_CONF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(work / "containers.conf"))
        run("podman", "run", "--detach", "--name", name, "--network", "none", "--rootfs", str(rootfs), "sleep",
            "infinity")
        try:
            yield
        finally:
            run("podman", "rm", "--force", "--time", "0", name)


@contextlib.contextmanager
def lxc(rootfs: Path, work: Path, name: str) -> Iterator[None]:
    top = Path("/var/lib/lxc") / name  # where lxc-attach looks, and it takes no other place from its environment
    top.mkdir(parents=True)
    try:
        (top / "config").write_text(LXC_CONFIG.format(name=name, rootfs=rootfs))
        run("lxc-start", "--name", name, "--logfile", str(work / "log"), "--logpriority", "INFO")
        try:
            yield
        finally:
            run("lxc-stop", "--name", name, "--kill")
    finally:
        shutil.rmtree(top)


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running container, as a host string."""
    engine = request.param
    reason = missing(engine)
    if reason and REQUIRED:
        pytest.fail(f"REMOTESVC_REQUIRE_DOCKER is set, but {reason}", pytrace=False)
    if reason:
        pytest.skip(f"NOT TESTED in containers of {engine}: {reason}")
    rootfs = request.getfixturevalue("rootfs")
    name = f"remotesvc-{uuid.uuid4().hex[:8]}"
    with {"podman": podman, "lxc": lxc}[engine](rootfs, tmp_path_factory.mktemp(engine), name):
        yield f"{engine}:{name}"


@pytest.fixture
def context(router: Router, host: str) -> Context:
    engine, _, name = host.partition(":")
    return router.container(name, engine)


def test_calls_imports_and_errors(context: Context) -> None:
    assert context.call(fleet_tasks.add, 1, two=2) == 3  # a module of ours
    assert context.call("json:loads", "[1]") == [1]  # one that the minimal Python there lacks
    assert context.call(os.getuid) == 0
    assert context.call(os.getpid) != os.getpid()
    with pytest.raises(FileNotFoundError) as caught:
        context.call(os.listdir, "/none")
    assert isinstance(caught.value, remotesvc.CallError)


def test_files_go_both_ways(context: Context, tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    context.push(content, "/tmp/pushed")
    context.pull("/tmp/pushed", tmp_path / "pulled")
    assert (tmp_path / "pulled").read_bytes() == content


def test_a_user_by_number(router: Router, host: str) -> None:
    engine, _, name = host.partition(":")
    assert router.container(name, engine, user="65534").call(os.getuid) == 65534


def test_by_way_of_another_context(router: Router, host: str) -> None:
    engine, _, name = host.partition(":")
    with router.local() as local, router.container(name, engine, via=local) as context:
        assert context.call(fleet_tasks.add, 1) == 1


def test_the_kernel_goes_when_its_context_is_closed(context: Context, router: Router, host: str) -> None:
    engine, _, name = host.partition(":")
    pid = context.call(os.getpid)
    context.close()
    with router.container(name, engine) as other:
        until(lambda: not other.call(os.path.exists, f"/proc/{pid}"), what="the kernel is gone")


def test_from_the_command_line(host: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from remotesvc.cli.main import main

    engine, _, name = host.partition(":")
    assert main(["run", host, "os:getuid"]) == 0
    assert capfd.readouterr().out == "0\n"
    inventory = tmp_path / "hosts"
    inventory.write_text(f"box ansible_connection={engine} ansible_host={name}\n")
    assert main(["run", "-i", str(inventory), "box", "os:getuid", "--jsonl"]) == 0
    assert '"host":"box"' in capfd.readouterr().out


def test_what_is_not_there_is_named(router: Router, host: str) -> None:
    engine, _, _ = host.partition(":")
    with pytest.raises(UnknownHost, match="there is no container nobody-has-this") as caught:
        router.container("nobody-has-this", engine).wait_ready()
    assert "Is it up?" in caught.value.hint
