"""How to get a running container of each engine other than Docker's: the real programs, and daemons of the tests' own.

All have the files of Debian 12 with python3-minimal, and an account `worker` beside root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import containers
from tests.containers import DOCKER, OWNER, docker, run
from tests.integration.kube.server import Cluster, Pod, serving
from tests.kernel.contexts import until
from tests.leaks import RUN_VARIABLE

BASE, MACHINES = "remotesvc-base:bookworm", "remotesvc-machines:bookworm"
LABEL = f"{containers.OWNER_LABEL}={OWNER}"
CONTAINERS_CONF = """
[containers]
# Where the tests run, limits may not be raised.
default_ulimits = ["nofile=1000:1000", "nproc=500:500"]
cgroupns = "host"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
STORAGE_CONF = """
[storage]
driver = "vfs"
graphroot = "{top}/graph"
runroot = "{top}/run"
"""
LXC_CONFIG = """
lxc.uts.name = {name}
lxc.rootfs.path = dir:{rootfs}
lxc.net.0.type = empty
lxc.init.cmd = /bin/sleep infinity
lxc.mount.auto = proc:mixed sys:ro
"""
LXD_SETTINGS = ("-c", "security.privileged=true", "-c", "raw.lxc=lxc.init.cmd = /bin/sleep infinity")
# What systemd needs of the host's powers to run machines. --privileged would ask for all, which we may not have.
SYSTEMD_MAY = ("MKNOD", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE")
# The engine's own view of cgroups is read-only.
SYSTEMD_START = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; exec /sbin/init"
# Runs a program that is in a container as if it were here.
ELSEWHERE = '#!/bin/sh\nexec docker exec --interactive {host} {program} "$@"\n'
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{url}"}}}}]
users: [{{name: ann, user: {{}}}}]
contexts:
- {{name: ann@test, context: {{cluster: test, user: ann}}}}
- {{name: shop, context: {{cluster: test, user: ann, namespace: shop}}}}
current-context: ann@test
"""


@dataclass
class Engine:
    """An engine with a running container."""

    kind: str
    name: str
    stopped: str | None = None
    """The name of one that does not run, where the engine tells that from one that is not there."""

    @property
    def host(self) -> str:
        return f"{self.kind}:{self.name}"


def new_name() -> str:
    return f"remotesvc-{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """A directory of a short name where thousands of files are soon written, and removed."""
    top = Path(tempfile.mkdtemp(prefix="remotesvc-"))
    try:
        run("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "remotesvc", str(top))
        try:
            below = top / "files"  # engines may unmount what they are given, once they are through with it
            below.mkdir(mode=0o755)
            yield below
        finally:
            run("umount", "--lazy", str(top))
    finally:
        top.rmdir()


@contextlib.contextmanager
def files_of(image: str) -> Iterator[Path]:
    """The files of an image, in a directory of their own."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(in_memory())
        made = docker("create", "--label", LABEL, image, "true").strip()
        stack.callback(docker, "rm", "--force", made)
        export = subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE)
        with export:
            subprocess.run(["tar", "--extract", "--directory", top], stdin=export.stdout, check=True, timeout=120)
        assert export.returncode == 0
        run("chroot", str(top), "useradd", "--create-home", "worker")
        yield top


@contextlib.contextmanager
def podman(work: Path, rootfs: Path) -> Iterator[Engine]:
    (work / "containers.conf").write_text(CONTAINERS_CONF)
    name, stopped = new_name(), new_name()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(work / "containers.conf"))
        options = ("--network", "none", "--rootfs", str(rootfs), "sleep", "infinity")
        try:
            run("podman", "run", "--detach", "--name", name, *options)
            run("podman", "create", "--name", stopped, *options)
            yield Engine("podman", name, stopped)
        finally:
            run("podman", "rm", "--force", "--ignore", "--time", "0", name, stopped)


@contextlib.contextmanager
def buildah(work: Path, rootfs: Path) -> Iterator[Engine]:
    (work / "containers.conf").write_text(CONTAINERS_CONF)
    name = new_name()
    with pytest.MonkeyPatch.context() as patch, in_memory() as storage:
        (work / "storage.conf").write_text(STORAGE_CONF.format(top=storage))
        patch.setenv("CONTAINERS_CONF", str(work / "containers.conf"))
        patch.setenv("CONTAINERS_STORAGE_CONF", str(work / "storage.conf"))
        run("buildah", "from", "--name", name, "scratch")
        try:
            run("cp", "--archive", f"{rootfs}/.", run("buildah", "mount", name).strip())
            yield Engine("buildah", name)
        finally:
            run("buildah", "rm", name)


@contextlib.contextmanager
def lxc(work: Path, rootfs: Path) -> Iterator[Engine]:
    name = new_name()
    top = Path("/var/lib/lxc") / name  # where lxc-attach looks, and it takes no other place from its environment
    top.mkdir(parents=True)
    try:
        (top / "config").write_text(LXC_CONFIG.format(name=name, rootfs=rootfs))
        run("lxc-start", "--name", name, "--logfile", str(work / "log"), "--logpriority", "INFO")
        try:
            yield Engine("lxc", name)
        finally:
            run("lxc-stop", "--name", name, "--kill")
    finally:
        shutil.rmtree(top)


@contextlib.contextmanager
def lxd(work: Path, rootfs: Path) -> Iterator[Engine]:
    """A daemon of the test's own: what this machine's LXD has, if it has one, is left alone."""
    name, stopped = new_name(), new_name()
    top = Path(tempfile.mkdtemp(prefix="remotesvc-lxd-"))  # a short path: its socket lies in it
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, top)
        patch.setenv("LXD_DIR", str(top))
        patch.setenv("LXD_CONF", str(work))
        with (work / "daemon").open("w") as log:
            daemon = subprocess.Popen(["lxd"], stdout=log, stderr=log, start_new_session=True)
        stack.callback(daemon.wait, 60)
        stack.callback(run, "lxd", "shutdown", "--timeout", "30", check=False)
        run("lxd", "waitready", "--timeout", "60")
        run("lxc", "storage", "create", "default", "dir")
        for each in (name, stopped):
            run("lxc", "init", "--empty", each, "--storage", "default", *LXD_SETTINGS)
            stack.callback(run, "lxc", "delete", "--force", each)
        (top / "storage-pools" / "default" / "containers" / name / "rootfs").symlink_to(rootfs)
        run("lxc", "start", name)
        yield Engine("lxd", name, stopped)


@contextlib.contextmanager
def systemd_host() -> Iterator[str]:
    """The id of a container whose first process is a systemd that has booted the machine "box"."""
    docker("build", "--quiet", "--network", "host", "--tag", MACHINES, str(DOCKER / "machines"), timeout=300)
    powers = [word for each in SYSTEMD_MAY for word in ("--cap-add", each)]
    unconfined = [word for each in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
                  for word in ("--security-opt", each)]  # fmt: skip
    with files_of(MACHINES) as files:
        host = docker(
            "run", "--detach", "--label", LABEL, "--env", RUN_VARIABLE, "--env", "container=docker", "--cgroupns",
            "private", "--tmpfs", "/run", "--tmpfs", "/tmp", "--volume", f"{files}:/var/lib/machines/box", *powers,
            *unconfined, "--entrypoint", "sh", MACHINES, "-c", SYSTEMD_START).strip()
        try:
            up = ("docker", "exec", host, "systemctl", "is-system-running", "--wait")
            until(lambda: run(*up, check=False).strip() in ("running", "degraded"), what="systemd is up")
            docker("exec", host, "systemd-run", "--unit=box", "systemd-nspawn", "--boot", "--keep-unit",
                   "--machine=box", "--directory=/var/lib/machines/box", "--link-journal=no")
            inside = ("docker", "exec", host, "systemctl", "--machine=box", "is-system-running", "--wait")
            until(lambda: run(*inside, check=False).strip() in ("running", "degraded"), what="the machine is up")
            yield host
        finally:
            docker("rm", "--force", "--volumes", host)


@contextlib.contextmanager
def nspawn(work: Path, rootfs: Path) -> Iterator[Engine]:
    """systemd is not the first process where the tests run: the real `systemd-run` is called in a container where it
    is."""
    with systemd_host() as host, pytest.MonkeyPatch.context() as patch:
        program = work / "systemd-run"
        program.write_text(ELSEWHERE.format(host=host, program=program.name))
        program.chmod(0o755)
        patch.setenv("PATH", str(work), prepend=os.pathsep)
        yield Engine("nspawn", "box")


@contextlib.contextmanager
def cluster(work: Path) -> Iterator[Cluster]:
    """A cluster with the pod web-0 in the namespace shop, for the real kubectl: the server is the tests' own, as no
    other can be had where they run. In both containers of the pod one is root; "side" knows itself by a variable."""
    command = ("docker", "exec", "--interactive")
    with pytest.MonkeyPatch.context() as patch:
        container = docker("run", "--detach", "--label", LABEL, "--env", RUN_VARIABLE, "--network", "none", BASE,
                           "sleep", "infinity").strip()  # fmt: skip
        try:
            docker("exec", container, "useradd", "--create-home", "worker")
            web = Pod({"app": (*command, container), "side": (*command, "--env", "SIDE=yes", container)})
            known = Cluster({("shop", "web-0"): web, ("shop", "done"): Pod({"app": ()}, "Failed")}, {"secret"})
            with serving(known) as server:
                (work / "kubeconfig").write_text(KUBECONFIG.format(url=server.url))
                patch.setenv("KUBECONFIG", str(work / "kubeconfig"))
                patch.setenv("HOME", str(work))  # where kubectl keeps what it has learned of a server
                yield known
        finally:
            docker("rm", "--force", container)


@contextlib.contextmanager
def kubectl(work: Path, rootfs: Path) -> Iterator[Engine]:
    with cluster(work):
        yield Engine("kubectl", "shop/web-0", "shop/done")


@dataclass
class Kind:
    """How to get an engine with a container: the program that has to be there, and its Debian package."""

    make: Callable[[Path, Path], contextlib.AbstractContextManager[Engine]]
    """From a directory to work in and the files of the containers."""
    program: str = ""
    package: str = ""

    def missing(self) -> str:
        """Why there can be none here; empty if all is well."""
        if os.getuid():
            return "only root can start such containers"
        if self.program and shutil.which(self.program) is None:
            return f"no {self.program} here (Debian package {self.package})"
        return containers.missing()


KINDS = {
    "buildah": Kind(buildah, "buildah", "buildah"),
    "kubectl": Kind(kubectl, "kubectl", "kubernetes-client"),
    "lxc": Kind(lxc, "lxc-start", "lxc"),
    "lxd": Kind(lxd, "lxd", "lxd"),
    "nspawn": Kind(nspawn),
    "podman": Kind(podman, "podman", "podman"),
}
