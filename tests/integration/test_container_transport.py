"""docker:NAME: contexts in containers without an sshd, and the pytest fixtures that other projects use."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import ConnectError, Lost, PythonNotFound, Router, UnknownHost, UsageError
from remotesvc.cli.main import main
from tests.containers import ROOT, Host, Hosts
from tests.integration import engine_tasks, fleet_tasks

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures", "pytester")


@pytest.mark.parametrize("service", ["bullseye", "bookworm", "trixie"])
def test_calls_in_a_container(hosts: Hosts, router: Router, service: str) -> None:
    host = hosts[service]
    with router.docker(host.id) as context:
        assert context.call(fleet_tasks.add, 1, two=2) == 3
        assert context.call(os.getuid) == 0
        assert context.info["hostname"] == host.id[:12]


def test_a_container_as_another_user_and_by_way_of_another_context(hosts: Hosts, router: Router) -> None:
    host = hosts["accounts"]
    assert router.docker(host.id, user="dash").call(os.getuid) != 0
    with router.local() as local, router.docker(host.id, via=local) as context:
        assert context.call(fleet_tasks.add, 1) == 1


def test_the_kernel_goes_when_its_context_is_closed(hosts: Hosts, router: Router) -> None:
    host = hosts["bookworm"]
    context = router.docker(host.id)
    pid = context.call(os.getpid)
    assert any("remotesvc:" in line for line in host.processes("remotesvc:").values())
    context.close()
    host.run("sh", "-c", f"for i in $(seq 600); do kill -0 {pid} 2>/dev/null || exit 0; sleep 0.05; done; exit 1")


def test_a_container_that_is_killed_is_lost_with_a_reason(router: Router, container: Callable[..., Host]) -> None:
    host = container()
    with router.docker(host.id) as context:
        future = context.submit("time:sleep", 60)
        context.call(os.getpid)
        host.control("kill")
        with pytest.raises(Lost, match=r"status 137 \(SIGKILL: it was out of memory, or the container was killed\)"):
            future.result(30)


def test_what_is_missing_is_named(hosts: Hosts, router: Router, container: Callable[..., Host]) -> None:
    with pytest.raises(UnknownHost, match="there is no container nobody-has-this"):
        router.docker("nobody-has-this").wait_ready()
    with pytest.raises(PythonNotFound):
        router.docker(hosts["nopython"].id).wait_ready()
    with pytest.raises(ConnectError, match="has no such user") as no_user:
        router.docker(hosts["bookworm"].id, user="nobody-has-this").wait_ready()
    assert "--python" not in str(no_user.value)
    stopped = container()
    router.docker(stopped.id).call(engine_tasks.hide, "(sh|dash)$")
    with pytest.raises(ConnectError, match="has no shell") as caught:
        router.docker(stopped.id).wait_ready()
    assert "with python=PATH (--python PATH) no shell is needed" in caught.value.hint
    stopped.control("stop", "--time", "0")
    with pytest.raises(ConnectError, match="is not running"):
        router.docker(stopped.id).wait_ready()
    with pytest.raises(UsageError, match="not the name of any container"):
        router.docker("--privileged")
    with pytest.raises(UsageError, match="docker, podman, .* not of 'rkt'"):
        router.container("x", "rkt")


def test_an_engine_that_there_is_not_is_told_as_that(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nobody-has-this")
    with pytest.raises(ConnectError, match="the container engine cannot be reached"):
        router.docker("web1").wait_ready()


def test_containers_from_the_command_line(hosts: Hosts, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = hosts["bookworm"].inspect()["Name"].lstrip("/")
    assert main(["run", f"docker:{name}", "os:getuid"]) == 0
    assert capfd.readouterr().out == "0\n"
    inventory = tmp_path / "hosts"
    inventory.write_text(f"box ansible_connection=docker ansible_host={name} ansible_user=root\n")
    assert main(["run", "-i", str(inventory), "box", "os:getuid", "--jsonl"]) == 0
    assert '"host":"box"' in capfd.readouterr().out
    assert main(["run", "docker:nobody-has-this", "os:getuid"]) == 4
    assert main(["doctor", "docker:nobody-has-this"]) == 4
    assert re.search("FAILED +exec", capfd.readouterr().out)


def test_the_fixtures_for_other_projects(
    hosts: Hosts, pytester: pytest.Pytester, docker_compose_project_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(
        f"""
        import pytest

        @pytest.fixture(scope="session")
        def docker_services():
            return object()

        @pytest.fixture(scope="session")
        def docker_compose_project_name():
            return {docker_compose_project_name!r}
        """
    )
    pytester.makepyfile(
        inside="""
        import os, socket

        def where():
            return socket.gethostname(), os.getuid()
        """
    )
    pytester.makepyfile(
        """
        import os, pytest, socket
        from remotesvc import UsageError
        from remotesvc.testing.sshd import EmbeddedServer
        from inside import where

        def test_service(remotesvc_service):
            first, second = remotesvc_service("bookworm"), remotesvc_service("trixie")
            assert first.call(os.getuid) == 0
            assert first.call(where)[0] != second.call(where)[0]
            numbered = remotesvc_service("bookworm", index=1, user="nobody")
            assert (first.name, numbered.name) == ("bookworm", "bookworm-1")

        def test_missing(remotesvc_service):
            remotesvc_service("no-such-service")

        def test_connect(remotesvc_connect):
            assert remotesvc_connect("local:").call(where)[0] == socket.gethostname()

        def test_arguments_for_something_else(remotesvc_connect, remotesvc_service):
            with pytest.raises(UsageError, match="no argument user"):
                remotesvc_connect("local:", user="nobody")
            with pytest.raises(UsageError, match="no argument usr"):
                remotesvc_service("bookworm", usr="nobody")
            here = remotesvc_connect("local:", name="here")
            assert remotesvc_connect("local:", via=here, name="there").name == "there"

        @pytest.fixture(scope="module")
        def two(remotesvc_connect_session, remotesvc_service_session):
            return remotesvc_connect_session("local:"), remotesvc_service_session("bookworm")

        @pytest.mark.parametrize("time", [1, 2])
        def test_of_a_module(two, time):
            assert [context.call(where)[1] for context in two] == [os.getuid(), 0]

        @pytest.fixture(scope="module")
        def server():
            with EmbeddedServer() as server:
                yield dict(host=server.host, user=server.user, port=server.port, key_filename=server.key_file,
                           known_hosts=server.known_hosts_file, ssh_config="none")

        @pytest.fixture(scope="module")
        def shared(remotesvc_router, server):
            return remotesvc_router.ssh(**server)

        @pytest.mark.parametrize("time", [1, 2])
        def test_what_is_closed_is_not_what_another_has(remotesvc_connect, shared, server, time):
            assert remotesvc_connect(**server).call(os.getpid) != shared.call(os.getpid)

        def test_embedded(remotesvc_embedded):
            assert remotesvc_embedded.call(os.getuid) == os.getuid()
        """
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # By name, and not by its entry point as well: tests may run beside an installed remotesvc.
    result = pytester.runpytest_subprocess("-p", "no:remotesvc", "-p", "remotesvc.pytest_plugin", "-q")
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*no container runs the service 'no-such-service'*"])


def test_a_service_of_a_compose_file_needs_pytest_docker(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_service(remotesvc_service): pass")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess(
        "-p", "no:remotesvc", "-p", "remotesvc.pytest_plugin", "-p", "no:docker", "-q")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["remotesvc_service needs the plugin pytest-docker*"])
