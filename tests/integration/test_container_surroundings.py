"""What is around a container: the machine that enters it, its engine's program, and who may use that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remotesvc import BootstrapError, ConnectError, Context, Router, UnknownHost
from remotesvc.cli.main import main
from remotesvc.launch.engines import ENGINES
from tests.containers import docker
from tests.integration import fleet_tasks
from tests.kernel.contexts import until

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures",
                  "tests.integration.engine_fixtures")  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_not_installed(
    router: Router, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    says = f"cannot start {ENGINES[engine].program}: .*No such file"
    with pytest.raises(BootstrapError, match=says) as caught:
        router.container("web", engine)
    assert f"(Debian package {ENGINES[engine].package})" in caught.value.hint
    with router.local() as local, pytest.raises(BootstrapError, match=says):
        router.container("web", engine, via=local)


def test_who_is_not_let_in_by_docker_is_told(router: Router, nobody: Context, docker_engine: None) -> None:
    with pytest.raises(ConnectError, match="you may not enter the container web") as caught:
        router.container("web", "docker", via=nobody)
    assert "via=" in caught.value.hint


def test_a_machine_by_way_of_the_host_that_runs_it(systemd: str, router: Router, tmp_path: Path) -> None:
    """No program here has a hand in it: the host's own `systemd-run` is started there."""
    with router.docker(systemd) as host, router.container("box", "nspawn", via=host) as box:
        assert box.call(fleet_tasks.add, 1, two=2) == 3
        assert box.info["hostname"] == "box" != host.info["hostname"]
        box.push(b"x" * 100_000, "/root/pushed")
        box.pull("/root/pushed", tmp_path / "pulled")
        assert (tmp_path / "pulled").read_bytes() == b"x" * 100_000
        assert router.su("worker", via=box).call(os.getuid) == 1000
        assert "run-" in box.call(Path.read_text, Path("/proc/self/cgroup"))  # not the host's
        with pytest.raises(UnknownHost, match="there is no machine nobody-has-this that runs"):
            router.container("nobody-has-this", "nspawn", via=host)
        with pytest.raises(ConnectError, match="the machine box has no such user"):
            router.container("box", "nspawn", via=host, user="nobody-is-called-this")


def test_a_machine_that_was_not_booted(systemd: str, router: Router) -> None:
    docker("exec", systemd, "systemd-run", "--unit=bare", "systemd-nspawn", "--keep-unit", "--machine=bare",
           "--directory=/", "--volatile=yes", "--as-pid2", "sleep", "infinity")  # fmt: skip
    try:
        until(lambda: "bare" in docker("exec", systemd, "machinectl", "list"), what="the machine is there")
        with router.docker(systemd) as host, pytest.raises(ConnectError, match="nothing that would start a") as caught:
            router.container("bare", "nspawn", via=host)
        assert "systemd and D-Bus inside" in caught.value.hint
    finally:
        docker("exec", systemd, "machinectl", "terminate", "bare")


def test_a_machine_is_root_s_to_enter(systemd: str, router: Router) -> None:
    with router.docker(systemd, user="nobody") as host, pytest.raises(
            ConnectError, match="you may not enter the machine box") as caught:  # fmt: skip
        router.container("box", "nspawn", via=host)
    assert "Router.sudo" in caught.value.hint




@pytest.mark.parametrize(("words", "says"), [
    (("kubectl:a/b/c/d",), "not the name of any pod: 'a/b/c/d'; expected [CONTEXT:][NAMESPACE/]POD[/CONTAINER]"),
    (("kubectl://shop/web-0",), "not the name of any pod: '//shop/web-0'"),
    (("docker:a/b",), "not the name of any container: 'a/b'; expected NAME"),
    (("incus:a:b:c",), "not the name of any instance: 'a:b:c'; expected [REMOTE:]NAME"),
    (("kube:web-0",), "'web-0' in 'kube:web-0' is no port"),
    (("-u", "ann", "kubectl:web-0"), "kubectl takes no user, so not 'ann'"),
    (("-u", "ann", "lxd:box"), "lxc takes a user's number, as in 33"),
    (("-i", "{inventory}", "pod"), "ansible_kubectl_token of host pod must be left out"),
])  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_started(
    words: tuple[str, ...], says: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    inventory = tmp_path / "hosts"
    inventory.write_text("pod ansible_connection=kubectl ansible_kubectl_token=hunter2\n")
    monkeypatch.setenv("PATH", str(tmp_path))  # no program could be started
    assert main(["run", *(word.format(inventory=inventory) for word in words), "os:getuid"]) == 64
    told = capfd.readouterr().err
    assert says in told and "hunter2" not in told
