"""Contexts in real containers of engines other than Docker's, all made of the same Debian: what holds for each."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import remotesvc
from remotesvc import ConnectError, Context, PythonNotFound, Router, UnknownHost, UsageError
from remotesvc.cli.main import main
from remotesvc.launch.engines import ENGINES
from tests.integration import engine_tasks, fleet_tasks
from tests.integration.engine_kinds import Engine
from tests.kernel.contexts import until
from tests.zones import ROOT

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures",
                  "tests.integration.engine_fixtures")  # fmt: skip


@pytest.fixture
def context(router: Router, engine: Engine) -> Context:
    return router.container(engine.name, engine.kind)


def test_calls_imports_and_errors(context: Context) -> None:
    assert context.call(fleet_tasks.add, 1, two=2) == 3  # a module of ours
    if context.info["version"][:2] == list(sys.version_info[:2]):
        assert context.call("json:loads", "[1]") == [1]  # one that the minimal Python there lacks
    else:
        with pytest.raises(ModuleNotFoundError, match="install all of the target's standard library"):
            context.call("json:loads", "[1]")
    assert context.call(os.getuid) == 0
    assert context.call(os.readlink, "/proc/self/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    with pytest.raises(FileNotFoundError) as caught:
        context.call(os.listdir, "/none")
    assert isinstance(caught.value, remotesvc.CallError)


def test_files_go_both_ways(context: Context, tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    context.push(content, "/root/pushed")
    context.pull("/root/pushed", tmp_path / "pulled")
    assert (tmp_path / "pulled").read_bytes() == content


def test_a_job_outlives_the_connection_or_is_refused(router: Router, engine: Engine, context: Context) -> None:
    # Each command of buildah has a PID namespace of its own, and systemd ends the processes of a service.
    if engine.kind in ("buildah", "nspawn"):
        for there in (context, router.local(via=context)):
            with pytest.raises(remotesvc.JobError, match="would not outlive this connection"):
                there.detach("time:sleep", 300)
        assert context.jobs() == []
        return
    job = context.detach("time:sleep", 300)
    context.close()
    again = router.container(engine.name, engine.kind)
    assert job.on(again).state() == "running"
    assert job.on(again).kill().state == "failed"
    job.on(again).forget()


def test_a_user_by_number(router: Router, engine: Engine) -> None:
    if engine.kind == "kubectl":
        with pytest.raises(UsageError, match="kubectl takes no user, so not '65534'"):
            router.container(engine.name, engine.kind, user="65534")
        return
    there = router.container(engine.name, engine.kind, user="65534")
    assert (there.call(os.getuid), there.call(os.getgid)) == (65534, 65534)


def test_another_user_inside(router: Router, context: Context) -> None:
    worker = router.su("worker", via=context)
    assert worker.call(os.getuid) == 1000
    assert worker.call(os.getcwd) != ""


def test_a_container_by_way_of_another_context(router: Router, engine: Engine) -> None:
    with router.local() as local, router.container(engine.name, engine.kind, via=local) as context:
        assert context.call(fleet_tasks.add, 1) == 1


def kernels(of: int) -> list[str]:
    """The mount namespaces of the processes here that have the name of a kernel which that process has asked for: the
    kernel, and the programs between."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if re.search(rb"remotesvc:\S*:%d\b" % of, Path(f"/proc/{pid}/cmdline").read_bytes()):
                found.append(os.readlink(f"/proc/{pid}/ns/mnt"))
    return found


def test_the_kernel_goes_when_its_context_is_closed(context: Context) -> None:
    namespace = context.call(os.readlink, "/proc/self/ns/mnt")
    assert namespace in kernels(os.getpid())
    context.close()
    until(lambda: not kernels(os.getpid()), what="the kernel is gone")


def test_the_kernel_goes_when_who_asked_for_it_is_killed(engine: Engine) -> None:
    command = [sys.executable, "-m", "remotesvc", "run", engine.host, "time:sleep", "600"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        ours = os.readlink("/proc/self/ns/mnt")
        until(lambda: set(kernels(process.pid)) - {ours}, what="the kernel is there")
        process.kill()
    until(lambda: not kernels(process.pid), what="the kernel is gone")


def test_containers_from_the_command_line(engine: Engine, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", engine.host, "os:getuid"]) == 0
    assert capfd.readouterr().out == "0\n"
    assert main(["run", "-b", "--become-method", "su", "--become-user", "worker", engine.host, "os:getuid"]) == 0
    assert capfd.readouterr().out == "1000\n"
    inventory = tmp_path / "hosts"
    inventory.write_text(f"[all]\nbox ansible_connection={engine.kind} ansible_host={engine.name}\n")
    assert main(["run", "-i", str(inventory), "bo*", "os:getuid", "--jsonl"]) == 0
    assert '"host":"box"' in capfd.readouterr().out
    (tmp_path / "file").write_text("pushed")
    assert main(["push", "-i", str(inventory), "box", str(tmp_path / "file"), "/root/file"]) == 0
    assert main(["exec", "-i", str(inventory), "box", "--", "cat", "/root/file"]) == 0
    assert "pushed" in capfd.readouterr().out


def test_a_container_that_is_not_there_is_named(
    router: Router, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    noun = ENGINES[engine.kind].noun
    with pytest.raises(UnknownHost, match=f"there is no {noun} nobody-has-this") as caught:
        router.container("nobody-has-this", engine.kind).wait_ready()
    assert caught.value.hint and caught.value.stage == "exec"
    with router.local() as local, pytest.raises(UnknownHost, match=f"there is no {noun} nobody-has-this"):
        router.container("nobody-has-this", engine.kind, via=local)
    assert main(["run", f"{engine.kind}:nobody-has-this", "os:getuid"]) == 4
    assert caught.value.hint in capfd.readouterr().err
    assert main(["doctor", f"{engine.kind}:nobody-has-this"]) == 4
    shown = capfd.readouterr().out
    assert caught.value.hint in shown and re.search("FAILED +exec", shown)


def test_a_user_that_is_not_in_a_container_is_named(router: Router, engine: Engine) -> None:
    if engine.kind not in ("podman", "buildah", "nspawn"):  # others take numbers, or none
        return
    with pytest.raises(ConnectError, match="has no such user") as caught:
        router.container(engine.name, engine.kind, user="nobody-has-this").wait_ready()
    assert caught.value.hint and caught.value.stage == "exec"


def test_who_may_not_enter_a_container_is_told(router: Router, engine: Engine, nobody: Context) -> None:
    if engine.kind not in ("lxc", "lxd"):  # root is asked for by others, or it is other credentials that count
        return
    with pytest.raises(ConnectError, match=f"you may not enter the .* {engine.name}") as caught:
        router.container(engine.name, engine.kind, via=nobody)
    assert "via=" in caught.value.hint


def test_a_container_that_does_not_run_is_named(router: Router, engine: Engine) -> None:
    if engine.stopped is None:
        assert engine.kind in ("buildah", "lxc", "nspawn")  # it has none, or says the same as of those not there
        return
    says = f"the {ENGINES[engine.kind].noun} {engine.stopped} is not running"
    with pytest.raises(ConnectError, match=says) as caught:
        router.container(engine.stopped, engine.kind).wait_ready()
    assert caught.value.hint and caught.value.stage == "exec"


@pytest.mark.parametrize(("what", "error", "says"), [
    ("python", PythonNotFound, "no Python 3 was found"),
    ("(sh|dash)$", ConnectError, "has no shell"),
])  # fmt: skip
def test_what_is_not_in_a_container_is_named(
    router: Router, engine: Engine, context: Context, what: str, error: type[ConnectError], says: str
) -> None:
    context.call(engine_tasks.hide, what)
    try:
        with pytest.raises(error, match=says) as caught:
            router.container(engine.name, engine.kind).wait_ready()
        assert caught.value.hint
        named = router.container(engine.name, engine.kind, python="/usr/bin/python3")
        if what == "python":
            with pytest.raises(PythonNotFound, match="no Python 3 was found") as caught:
                named.wait_ready()
            assert "no /usr/bin/python3 that could be run" in caught.value.hint
        else:
            assert named.call(os.getuid) == 0
            assert named.call(engine_tasks.core_filter) == 0
    finally:
        context.call(engine_tasks.show)
    assert router.container(engine.name, engine.kind).call(os.getuid) == 0
