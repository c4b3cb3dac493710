"""Both transports, the same tests: what works, works by either, and what fails has the same error."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router, UsageError
from remotesvc.ssh import SSHOptions
from tests.integration.ssh_servers import OpenSSHServer, make_key, openssh_server
from tests.kernel import called
from tests.kernel.contexts import LIMIT
from tests.scripts import shell_script
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")

Ask = Callable[..., Context]


@pytest.fixture(params=["paramiko", "openssh"])
def ask(request: pytest.FixtureRequest, router: Router, sshd: OpenSSHServer) -> Ask:
    """A context on a real sshd by each transport; what only differs when used fails here too."""

    def ask(host: str = "127.0.0.1", **changes: Any) -> Context:
        settings: dict[str, Any] = {
            "port": sshd.port, "user": sshd.user, "key_filename": sshd.key_file, "known_hosts": sshd.known_hosts_file,
            "ssh_config": "none", "extra_options": ("IdentityAgent=none", "IdentitiesOnly=yes"), "host_keys": "yes",
            "python": sys.executable, "transport": request.param,
        }  # fmt: skip
        return router.ssh(host, **{**settings, **changes}).wait_ready()

    return ask


def test_calls(ask: Ask) -> None:
    context = ask()
    assert context.call(called.add, 1, 2) == 3
    assert context.call(called.echo, bytes(3_000_000)) == bytes(3_000_000)
    with pytest.raises(FileNotFoundError):
        context.call("os:stat", "/no/such/file")
    assert {"config", "exec", "boot"} <= set(context.phases)
    assert ask() == context


def test_the_python_is_found(ask: Ask) -> None:
    assert ask(python=None).info["executable"]


def test_a_host_behind_another(ask: Ask, sshd: OpenSSHServer, tmp_path: Path) -> None:
    with openssh_server(tmp_path / "inner") as inner:
        config = tmp_path / "config"
        config.write_text("".join(
            f"Host {name}\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n IdentityAgent none\n"
            f" IdentityFile {server.key_file}\n UserKnownHostsFile {server.known_hosts_file}\n"
            for name, server in (("way", sshd), ("inner", inner))
        ))  # fmt: skip
        own = {"port": None, "user": None, "key_filename": None, "known_hosts": None, "ssh_config": str(config)}
        context = ask("inner", jump="way", **own)
        ports = context.call("os:environ.get", "SSH_CONNECTION")
        assert int(ports.split()[3]) == inner.port
        with pytest.raises(remotesvc.ConnectError) as caught:
            ask("inner", jump="nobody_there@way", **own)
        assert caught.value.stage == "jump"
        context.close()


Change = dict[str, Any]


def changes(kind: str, sshd: OpenSSHServer, tmp_path: Path) -> Change:
    """What makes a connection fail in one way."""
    if kind == "name":
        return {"host": "no-such-host.invalid"}
    if kind == "port":
        return {"port": 1}
    if kind == "unknown key":
        (tmp_path / "known").write_text("")
        return {"known_hosts": tmp_path / "known"}
    if kind == "changed key":
        (tmp_path / "known").write_text(f"[127.0.0.1]:{sshd.port} {make_key(tmp_path / 'other')}\n")
        return {"known_hosts": tmp_path / "known"}
    if kind == "key":
        make_key(tmp_path / "mine")
        return {"key_filename": tmp_path / "mine"}
    if kind == "config":
        return {"extra_options": ("Port=many",), "port": None}
    if kind == "no python":
        return {"python": "/no/such/python"}
    return {"python": "/bin/true"}


@pytest.mark.parametrize(
    ("kind", "error", "stage"),
    [("name", remotesvc.UnknownHost, "tcp"), ("port", remotesvc.ConnectError, "tcp"),
     ("unknown key", remotesvc.HostKeyError, "hostkey"), ("changed key", remotesvc.HostKeyError, "hostkey"),
     ("key", remotesvc.AuthenticationError, "auth"), ("config", remotesvc.ConnectError, "config"),
     ("no python", remotesvc.PythonNotFound, "boot"), ("no python at all", remotesvc.BootstrapError, "boot")],
)  # fmt: skip
def test_a_failure_has_the_same_error(
    kind: str, error: type[remotesvc.ConnectError], stage: str, ask: Ask, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    with pytest.raises(remotesvc.ConnectError) as caught:
        ask(**changes(kind, sshd, tmp_path))
    assert type(caught.value) is error, caught.value
    assert caught.value.stage == stage
    assert caught.value.hint


def test_a_server_that_says_nothing(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watch = Stopwatch()
        with pytest.raises(remotesvc.ConnectTimeout):
            ask(port=silent.getsockname()[1], connect_timeout=1.5)
        assert watch.seconds < 15


def test_the_end_of_the_way_is_the_end_of_the_context(ask: Ask, sshd: OpenSSHServer) -> None:
    context = ask()
    pid = context.info["pid"]
    future = context.submit("time:sleep", 60)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(remotesvc.Lost):
        future.result(LIMIT)
    with pytest.raises(remotesvc.NotSent):
        context.call("os:getpid")


def test_a_key_file_with_a_percent_sign_in_its_name(ask: Ask, sshd: OpenSSHServer, tmp_path: Path) -> None:
    key = tmp_path / "my%20key %h"
    shutil.copy(sshd.key_file, key)
    assert ask(key_filename=key).call("os:getpid")


# -- the openssh transport alone


def test_what_ssh_cannot_be_told_is_refused(router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="jump hosts by name"):
        router.ssh("web1", transport="openssh", ssh_config="none", jump=[SSHOptions.parse("b", key_filename="k")])
    with pytest.raises(UsageError, match="transport"):
        router.ssh("web1", transport="telnet")
    with pytest.raises(UsageError, match="not found"):
        router.ssh("web1", transport="openssh", key_filename=tmp_path / "absent")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="ssh"):
        router.ssh("web1", transport="openssh")


def test_no_shell_reads_the_command(router: Router, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """A PATH of one program, which shows the arguments it was given."""
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        shell_script(tmp_path / "ssh", f'for each in "$@"; do printf "%s\\n" "$each"; done >> {tmp_path}/seen')
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(remotesvc.ConnectError):
            router.ssh("web1", transport="openssh", python="/a b/$HOME").wait_ready()
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen[-2] == "web1"
    assert seen[-3] == "--"
    assert "'/a b/$HOME'" in seen[-1]
