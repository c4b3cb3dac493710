"""One connection for the same request, reconnecting only when asked, and what a router remembers of a host."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import ConnectError, Context, Lost, NotSent, Router
from remotesvc.launch.bundle import Bundle
from remotesvc.testing.sshd import EmbeddedServer
from tests.kernel.contexts import LIMIT
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")


@pytest.fixture
def ask(router: Router, embedded: EmbeddedServer) -> Callable[..., Context]:
    def ask(**changes: object) -> Context:
        settings: dict[str, object] = {
            "user": embedded.user, "port": embedded.port, "key_filename": embedded.key_file, "ssh_config": "none",
            "known_hosts": embedded.known_hosts_file, "extra_options": ("IdentityAgent=none",),
            "python": sys.executable, "password": "never needed",
        }  # fmt: skip
        return router.ssh(embedded.host, **{**settings, **changes})  # type: ignore[arg-type]

    return ask


def test_the_same_request_is_one_connection(ask: Callable[..., Context], embedded: EmbeddedServer) -> None:
    before = embedded.stats.connections
    first = ask()
    assert ask() == first
    assert ask().call("os:getpid") == first.call("os:getpid")
    assert embedded.stats.connections == before + 1
    others = [ask(fresh=True), ask(concurrency=3), ask(name="other"), ask(password="x")]
    assert len({first, *others}) == 5
    assert len({context.call("os:getpid") for context in (first, *others)}) == 5
    assert ask() == first


def test_requests_at_the_same_time_are_one_connection(ask: Callable[..., Context], embedded: EmbeddedServer) -> None:
    before, many, found = embedded.stats.connections, 8, []
    gate = threading.Barrier(many)

    def request() -> None:
        gate.wait()
        found.append(ask().call("os:getpid"))

    together(request for _ in range(many))
    assert len(found) == many
    assert len(set(found)) == 1
    assert embedded.stats.connections == before + 1


def test_a_failure_is_not_remembered(ask: Callable[..., Context], embedded: EmbeddedServer, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("")
    for _ in range(2):
        with pytest.raises(ConnectError):
            ask(known_hosts=hosts, host_keys="yes")
    hosts.write_bytes(Path(embedded.known_hosts_file).read_bytes())
    assert ask(known_hosts=hosts, host_keys="yes").call("os:getpid")
    gone = tmp_path / "python"
    with pytest.raises(ConnectError):
        ask(python=str(gone)).wait_ready()
    gone.symlink_to(sys.executable)
    assert ask(python=str(gone)).call("os:getpid")


@pytest.mark.parametrize("how", ["closed", "lost"])
def test_reconnecting_is_explicit(how: str, ask: Callable[..., Context], embedded: EmbeddedServer) -> None:
    first = ask()
    assert first.call("os:getpid")
    if how == "closed":
        first.close()
    else:
        future = first.submit("time:sleep", 60)
        embedded.drop_connections()
        with pytest.raises(Lost):
            future.result(LIMIT)
    with pytest.raises(NotSent) as caught:
        first.call("os:getpid")
    assert caught.value.host == embedded.host
    second = ask()
    assert second != first
    assert second.call("os:getpid")
    with pytest.raises(NotSent):
        first.call("os:getpid")


def test_a_lost_context_says_what_was_lost_and_when(ask: Callable[..., Context], embedded: EmbeddedServer) -> None:
    context = ask().wait_ready()
    future = context.submit("time:sleep", 60)
    embedded.drop_connections()
    with pytest.raises(Lost) as caught:
        future.result(LIMIT)
    reason = caught.value.message
    with pytest.raises(NotSent) as later:
        context.call("os:getpid")
    assert embedded.host in str(later.value)
    assert reason in later.value.message
    assert "gone since " in later.value.message


def test_the_interpreter_of_a_host_is_remembered(ask: Callable[..., Context], monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[object, ...]] = []
    shell_command = Bundle.shell_command

    def listening(self: Bundle, *arguments: str | None) -> str:
        lines.append(arguments[1:])
        return shell_command(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Bundle, "shell_command", listening)
    found = ask(python=None).info["executable"]
    again = ask(python=None, fresh=True)
    assert again.info["executable"] == found
    assert ask(python=sys.executable, fresh=True).info["executable"] == sys.executable
    assert lines == [(None, None), (None, found), (sys.executable, found)]


@pytest.mark.parametrize("said", ["/no/such/python3", "python3; id", "-c", "/a b", 7, "/" + "x" * 300, "some/python3"])
def test_what_a_host_says_of_its_interpreter_is_not_believed(
    said: object, ask: Callable[..., Context], router: Router
) -> None:
    """It may be gone by now, or be no path at all."""
    first = ask(python=None)
    assert first.info["executable"]
    router._ssh.pythons._interpreters.clear()
    start = router._tree.ledger.start_of(first.id)
    start._remember({"executable": said})
    assert set(router._ssh.pythons._interpreters.values()) <= {"/no/such/python3"}
    assert ask(python=None, fresh=True).info["executable"] == first.info["executable"]
