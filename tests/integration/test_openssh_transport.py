"""What keeps the `ssh` program from connecting, and what it is told: the same errors as with the other transport."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.ssh import SSHOptions
from tests.integration.openssh_client import Connect, config_of, connect_to, fingerprint, refused, ssh_of
from tests.integration.ssh_servers import MISSING, SSHD, OpenSSHServer, openssh_server
from tests.kernel import called
from tests.kernel.contexts import LIMIT, appears, gone
from tests.listeners import closed_port, tcp_server, turning_away
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")
pytestmark = pytest.mark.skipif(SSHD is None, reason=MISSING)


@pytest.fixture
def connect(router: Router, sshd: OpenSSHServer) -> Connect:
    return lambda server=sshd, **changes: connect_to(router, server, **changes)


# -- connected


def test_what_is_known_of_a_connection(connect: Connect, sshd: OpenSSHServer) -> None:
    context = connect()
    assert context.call(called.add, 1, 2) == 3
    assert list(context.phases) == ["config", "tcp", "kex", "hostkey", "auth", "open", "exec", "boot"]
    # What ssh logs between two looks at its log comes at the same time, and on a busy machine that may be all of it.
    assert all(context.phases[stage] > 0 for stage in ("config", "tcp", "exec", "boot"))
    assert all(seconds >= 0 for seconds in context.phases.values())
    peer = context.tree.ledger.start_of(context.id).path.peer
    assert peer.fingerprint == fingerprint(sshd.directory / "host_ed25519.pub")
    assert peer.version.startswith("SSH-2.0-OpenSSH")
    words = Path(f"/proc/{ssh_of(context)}/cmdline").read_bytes().decode().split("\0")
    assert {"-T", "-x", "-a", "ClearAllForwardings=yes", "EscapeChar=none", "BatchMode=yes", "--"} <= set(words)
    assert connect() == context
    assert connect(fresh=True) != context


def test_a_closed_context_leaves_neither_process_nor_ssh(router: Router, sshd: OpenSSHServer) -> None:
    context = connect_to(router, sshd)
    pid, ssh = context.call(called.process), ssh_of(context)
    context.close()
    gone(pid)
    gone(ssh)


def test_a_killed_ssh(connect: Connect) -> None:
    context = connect()
    pid = context.call(called.process)
    future = context.submit("time:sleep", 60)
    os.kill(ssh_of(context), signal.SIGKILL)
    assert isinstance(future.exception(LIMIT), remotesvc.Lost)
    gone(pid)


def test_an_interrupt_of_the_terminal_is_not_for_ssh(connect: Connect) -> None:
    context = connect()
    assert os.getsid(ssh_of(context)) == ssh_of(context) != os.getsid(0)


def test_an_interrupt_while_connecting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = (
            "import remotesvc\n"
            "with remotesvc.Router() as router:\n"
            f"    router.ssh('127.0.0.1', port={listener.getsockname()[1]}, ssh_config='none', transport='openssh')\n"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "TMPDIR": str(tmp_path)})  # fmt: skip
        connection = listener.accept()[0]
        with connection:
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=LIMIT)[1]
            assert "KeyboardInterrupt" in said
            connection.settimeout(LIMIT)
            while connection.recv(4096):  # its greeting, then the end: ssh is gone
                pass
    assert list(tmp_path.iterdir()) == []


def test_the_python_that_was_found_is_remembered(connect: Connect) -> None:
    assert connect(python=None).info["executable"] == connect(python=None, fresh=True).info["executable"]


def test_options_are_passed_on_and_cannot_break_the_pipe(connect: Connect, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host 127.0.0.1\n RequestTTY force\n RemoteCommand echo no\n PermitLocalCommand yes\n"
        f" LocalCommand touch {tmp_path}/local\n ForwardAgent yes\n ForwardX11 yes\n LocalForward 1 localhost:1\n"
        " LogLevel QUIET\n SendEnv LC_REMOTESVC\n"
    )
    options = ("IdentityAgent=none", "RequestTTY=force", "LogLevel=QUIET", "StdinNull=yes", "SessionType=none",
               "ForkAfterAuthentication=yes", "Compression=yes")  # fmt: skip
    context = connect(ssh_config=str(config), extra_options=options)
    assert context.call(called.echo, bytes(range(256)) * 1000) == bytes(range(256)) * 1000
    assert context.call("os:environ.get", "SSH_AUTH_SOCK") is context.call("os:environ.get", "DISPLAY") is None
    assert not (tmp_path / "local").exists()
    assert connect(extra_options=options[:1]).call("os:getppid")


# -- not connected


def test_a_host_that_cannot_be_reached_has_its_error(connect: Connect, sshd: OpenSSHServer, router: Router) -> None:
    with closed_port() as port:
        error = refused(connect, remotesvc.ConnectError, "tcp", port=port)
    assert "Connection refused" in error.message
    with pytest.raises(remotesvc.UnknownHost, match=r"no-such-host\.invalid does not resolve"):
        router.ssh("no-such-host.invalid", ssh_config="none", transport="openssh")
    error = refused(connect, remotesvc.ConnectError, "config", extra_options=("NoSuchOption=1",))
    assert "nosuchoption" in error.diagnostics.lower()
    with pytest.raises(remotesvc.UsageError, match="key file not found"):
        connect(key_filename="/no/such/key")


@pytest.mark.parametrize(("greeting", "kind", "says"), [
    (b"", remotesvc.ConnectTimeout, "sent no SSH greeting"),
    (b"SSH-2.0-x\r\n", remotesvc.ConnectTimeout, "did not finish the key exchange"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", remotesvc.ConnectError, "not an SSH server"),
    (b"Not allowed at this time\r\n", remotesvc.ConnectError, "takes no connections from this address"),
])  # fmt: skip
def test_strange_servers(greeting: bytes, kind: type[remotesvc.ConnectError], says: str, connect: Connect) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        connection.recv(4096)
        if kind is not remotesvc.ConnectTimeout:
            connection.close()

    with tcp_server(serve) as port:
        watch = Stopwatch()
        error = refused(connect, kind, "kex", port=port, connect_timeout=4)
        assert watch.seconds < 12
    assert says in error.message


def test_a_busy_server_is_asked_again(connect: Connect, sshd: OpenSSHServer) -> None:
    with turning_away(b"Exceeded MaxStartups\r\n") as (port, came):
        begun, watch = time.monotonic(), Stopwatch()
        error = refused(connect, remotesvc.ConnectError, "kex", port=port, connect_timeout=12)
        assert time.monotonic() - begun > 3
        assert watch.seconds < 9
    assert 4 < len(came) < 40
    assert "turned us away" in error.message


def test_algorithms_nobody_has(connect: Connect, tmp_path: Path) -> None:
    with openssh_server(tmp_path, "Ciphers aes128-cbc") as server:
        error = refused(connect, remotesvc.ConnectError, "kex", server=server)
        assert "no common algorithm: no matching cipher found" in error.message
        with connect(server=server, extra_options=("IdentityAgent=none", "Ciphers=+aes128-cbc")) as context:
            assert context.call("os:getpid")


@pytest.mark.parametrize("setting", ["MaxSessions 0", "ForceCommand exit 3"])
def test_a_program_that_is_not_run(setting: str, connect: Connect, tmp_path: Path) -> None:
    with openssh_server(tmp_path, setting) as server:
        if setting.startswith("Max"):
            error = refused(connect, remotesvc.ConnectError, "open", server=server)
            assert "refused opening a session" in error.message
            return
        with pytest.raises(remotesvc.BootstrapError, match="status 3") as caught:
            connect(server=server).call("os:getpid")
        assert caught.value.exit_status == 3


# -- ways that ssh_config knows


def test_jump_hosts(router: Router, sshd: OpenSSHServer, tmp_path: Path) -> None:
    with openssh_server(tmp_path / "one") as one, openssh_server(tmp_path / "two") as two:
        config = config_of(tmp_path / "config", {"web": sshd, "one": one, "two": two})
        common: dict[str, Any] = {"ssh_config": config, "transport": "openssh", "python": sys.executable}
        context = router.ssh("web", jump="one,two", **common)
        assert context.call(called.add, 1, 2) == 3
        assert list(context.phases)[:2] == ["config", "jump"]
        for server in (one, two):
            server.wait_for_log("Accepted publickey")
        assert router.ssh("web", jump="none", **common).call("os:getpid") != context.call("os:getpid")
        context.close()
        with pytest.raises(remotesvc.AuthenticationError, match="jump host one: .*Permission denied") as caught:
            (tmp_path / "one" / "authorized_keys").write_text("")
            router.ssh("web", jump="one", fresh=True, **common)
        assert caught.value.stage == "jump"
        with pytest.raises(remotesvc.UnknownHost, match=r"no-such-host\.invalid"):
            router.ssh("web", jump="no-such-host.invalid", **common)
        with pytest.raises(remotesvc.UsageError, match="takes jump hosts by name"):
            router.ssh("web", jump=[SSHOptions.parse("one", key_filename=one.key_file)], **common)


def test_a_jump_host_that_forwards_nothing(router: Router, sshd: OpenSSHServer, tmp_path: Path) -> None:
    with openssh_server(tmp_path / "one", "AllowTcpForwarding no") as one:
        config = config_of(tmp_path / "config", {"web": sshd, "one": one})
        with pytest.raises(remotesvc.ConnectError, match="jump host one cannot reach 127.0.0.1 port") as caught:
            router.ssh("web", jump="one", ssh_config=config, transport="openssh")
        assert caught.value.stage == "tcp"


def master_pid(control: list[str]) -> int:
    done = subprocess.run([*control, "check", "web"], capture_output=True, text=True, check=True)
    return int(done.stderr.partition("pid=")[2].partition(")")[0])


@pytest.mark.parametrize("persist", ["30", "no"])
def test_a_master_of_the_users_is_used_and_survives(
    persist: str, router: Router, sshd: OpenSSHServer, tmp_path: Path
) -> None:
    more = f" ControlMaster auto\n ControlPath {tmp_path}/master\n ControlPersist {persist}\n"
    config = config_of(tmp_path / "config", {"web": sshd}, more)
    control = ["ssh", "-F", str(config), "-O"]
    common: dict[str, Any] = {"ssh_config": config, "transport": "openssh", "python": sys.executable, "fresh": True}

    def logins() -> int:
        return sum("Accepted publickey" in line for line in sshd.written())

    before = logins()

    def is_up() -> bool:
        return subprocess.run([*control, "check", "web"], capture_output=True, check=False).returncode == 0

    try:
        if persist == "no":  # ours is never one that others depend on
            assert router.ssh("web", **common).call("os:getpid")
            assert not is_up()
            before += 1
            master = subprocess.Popen(["ssh", "-F", str(config), "-MN", "web"], stdin=subprocess.DEVNULL)
            appears(tmp_path / "master")
        contexts = [router.ssh("web", **common) for _ in range(2)]
        assert len({context.call(called.process) for context in contexts}) == 2
        assert logins() == before + 1
        shared = contexts[1].tree.ledger.start_of(contexts[1].id).path.progress
        assert shared.shared
        pids = [context.call(called.process) for context in contexts]
        os.kill(ssh_of(contexts[0]), signal.SIGKILL)
        contexts[1].close()
        for pid in pids:
            gone(pid)
        assert is_up()
        os.kill(pid := master_pid(control), signal.SIGSTOP)
        try:
            with pytest.raises(remotesvc.ConnectTimeout, match=f"control master at {tmp_path}/master did not answer"):
                router.ssh("web", connect_timeout=2, **common)
        finally:
            os.kill(pid, signal.SIGCONT)
    finally:
        subprocess.run([*control, "exit", "web"], capture_output=True, check=False)
        if persist == "no":
            master.wait(LIMIT)
