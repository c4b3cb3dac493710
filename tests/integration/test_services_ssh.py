"""Services over SSH: on a real OpenSSH server and on the embedded one, and the commands of the shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from remotesvc import Context, Router
from remotesvc.service import ArgumentError, NoSuchMethod, Pool
from remotesvc.testing.sshd import EmbeddedServer
from tests import interpreters
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer
from tests.interpreters import Interpreter
from tests.kernel import served, served_above, served_invokers
from tests.kernel.contexts import LIMIT, Heard
from tests.kernel.serving import until_busy
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")

ROOT = Path(__file__).resolve().parents[2]
ENDS = [interpreters.found()[0], interpreters.found()[-1]]


@pytest.fixture(params=["openssh", "embedded"])
def server(
    request: pytest.FixtureRequest, sshd_if_any: OpenSSHServer | None, embedded: EmbeddedServer
) -> EmbeddedServer | OpenSSHServer:
    """Each test that takes it runs against OpenSSH and against the embedded server."""
    if request.param == "embedded":
        return embedded
    found: OpenSSHServer = request.getfixturevalue("sshd")  # skips where there is none
    return found


@pytest.fixture
def router(heard: Heard) -> Iterator[Router]:
    with Router(on_output=heard.on_output, on_log=heard.on_log) as router:
        yield router


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_a_service_on_a_host(
    router: Router, server: EmbeddedServer | OpenSSHServer, interpreter: Interpreter, heard: Heard
) -> None:
    """The first word over the connection is a service call; then all kinds of methods, alone and together."""
    context = connect_to(router, server, python=interpreter.path)
    plain = context.service(served.Plain)
    assert plain.add(1, 2) == 3
    assert plain.where() == plain.where()
    assert list(plain.items(1000)) == list(range(1000))
    assert plain.echo(b"x" * 3000000) == b"x" * 3000000
    with pytest.raises(FileNotFoundError):
        plain.fail("gone")
    with pytest.raises(NoSuchMethod):
        context.call_service(served.Plain, "hidden")
    with pytest.raises(ArgumentError):
        plain.add("x")  # type: ignore[arg-type]
    assert plain.say("hello") == "hello"
    assert heard.text() == "hello\n"
    futures = [context.call_service_async(served_invokers.Serialized, "run", number) for number in range(200)]
    assert [future.result(LIMIT) for future in futures] == list(range(200))
    assert context.call_service(served_invokers.Serialized, "report")["order"] == list(range(200))


def test_services_through_a_hop_and_back_to_the_master(
    router: Router, server: EmbeddedServer | OpenSSHServer, tmp_path: Path
) -> None:
    host = connect_to(router, server)
    inner = router.local(via=host)
    flag = tmp_path / "flag"
    futures = [inner.call_service_async(served_invokers.Deduplicated, "compute", 1, path=str(flag)) for _ in range(10)]
    assert inner.call_service(served_invokers.Deduplicated, "privileged", 1) == 1
    until_busy(inner, served_invokers.Deduplicated, 1)
    flag.touch()
    assert [future.result(LIMIT) for future in futures] == [[1, 1]] * 10
    with Pool(router, services=[served_above.OnTheMaster]):
        for context in (host, inner):
            assert context.call(served_above.ask_master, "give", "x") == ["x", context.id, os.getpid()]


def test_many_threads_call_one_service(router: Router, server: EmbeddedServer | OpenSSHServer) -> None:
    context = connect_to(router, server)
    answers: list[list[int]] = [[] for _ in range(8)]

    def work(mine: list[int]) -> None:
        for number in range(100):
            mine.append(context.call_service(served_invokers.Concurrent, "run", number))

    together(partial(work, mine) for mine in answers)
    assert answers == [list(range(100))] * 8


# -- the shell

SERVICE = '''
from remotesvc.service import CALLER, Message, SerializedInvoker, Service, expose, no_reply


class Disks(Service):
    invoker_class = SerializedInvoker

    @expose()
    def usage(self, path: str, depth: int = 1, who: Message = CALLER) -> dict:
        return {"path": path, "depth": depth, "who": who.src}

    @expose()
    def walk(self, n: int):
        for number in range(n):
            yield number

    def hidden(self):
        pass
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "disks.py").write_text(SERVICE)
    return tmp_path


def remotesvc(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "remotesvc", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_call_at_the_shell(directory: Path) -> None:
    done = remotesvc(directory, "call", "local:", "disks.py:Disks.usage", "/var", "--depth", "2")
    assert (done.returncode, done.stdout) == (0, "{'path': '/var', 'depth': 2, 'who': 0}\n")
    done = remotesvc(directory, "call", "local:", "disks:Disks.usage", "--kw", "path=/x", "--json")
    assert json.loads(done.stdout)[0]["value"] == {"path": "/x", "depth": 1, "who": 0}
    done = remotesvc(directory, "call", "local:", "disks:Disks.walk", "3")
    assert done.stdout == "0\n1\n2\n"


def test_the_facts_of_a_host_reach_a_method_at_the_shell(tmp_path: Path) -> None:
    (tmp_path / "who.py").write_text(
        "import remotesvc\n"
        "from remotesvc.service import Service, expose, AllowParents\n"
        "class Who(Service):\n"
        "    @expose(policy=AllowParents())\n"
        "    def tell(self, host: remotesvc.Host, size: int = 1):\n"
        "        return [host.name, host.variables['rack'], size, isinstance(host, remotesvc.Host)]\n"
    )
    (tmp_path / "hosts").write_text("a ansible_connection=local rack=7\nb ansible_connection=local rack=8\n")
    done = remotesvc(tmp_path, "call", "-i", "hosts", "a,b", "who:Who.tell", "3", "--json")
    values = {each["host"]: each["value"] for each in json.loads(done.stdout)}
    assert values == {"a": ["a", 7, 3, True], "b": ["b", 8, 3, True]}, done.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["disks:Disks.usage", "/var", "--depth", "x"], 64, "depth: expected an int"),
        (["disks:Disks.usage", "/var", "--who", "x"], 64, "who"),
        (["disks:Disks.usage"], 64, "path"),
        (["disks:Disks"], 64, "write module:Service.method"),
        (["disks:Disks.nothing"], 2, "no method 'nothing'"),
        (["disks:Disks.hidden"], 2, "no method 'hidden' that may be called; there are: usage, walk"),
    ],
)
def test_what_goes_wrong_at_the_shell(directory: Path, words: list[str], code: int, text: str) -> None:
    done = remotesvc(directory, "call", "local:", *words)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_services_at_the_shell(directory: Path) -> None:
    done = remotesvc(directory, "services", "local:", "disks.py:Disks")
    assert done.stdout == (
        "disks.Disks (SerializedInvoker): 0 calls, 0 errors, 0 running, 0 waiting; methods: usage, walk\n"
    )
    assert remotesvc(directory, "services", "local:").stdout == "no services are active\n"
    done = remotesvc(directory, "services", "--json", "local:", "disks:Disks")
    assert json.loads(done.stdout)[0]["value"][0]["service"] == "disks.Disks"


def test_contexts_are_typed() -> None:
    """What a stand-in can be called with is what the class says."""
    context: type[Context] = Context
    assert context.service.__annotations__ == {"service": "Type[T]", "return": "T"}


def test_a_first_call_brings_all_it_needs(router: Router) -> None:
    """No module is asked for: neither the service's own nor what runs services."""
    context = router.local()
    assert context.call_service("tests.integration.small_service.Small", "one") == 1
    assert router.modules.statistics()["requests"].get("module", 0) == 0
