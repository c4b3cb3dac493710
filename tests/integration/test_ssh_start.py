"""Getting to a server that is slow, busy or only partly there, and what ssh_config says of the way."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Router
from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.paths import dial
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer, connect_error, openssh_server, running
from tests.kernel.contexts import until
from tests.listeners import turning_away
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")

STREAM = socket.SOCK_STREAM


# -- addresses


def address(family: int, host: str) -> dial.Address:
    return (family, STREAM, 6, "", (host, 22))


def test_families_take_turns_and_the_resolver_has_the_first_word() -> None:
    six = [address(socket.AF_INET6, f"::{number}") for number in range(3)]
    four = [address(socket.AF_INET, f"10.0.0.{number}") for number in range(2)]
    assert dial.interleaved([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert dial.interleaved([*four, *six]) == [four[0], six[0], four[1], six[1], six[2]]
    assert dial.interleaved([]) == []


@contextlib.contextmanager
def silent(host: str, port: int = 0) -> Iterator[tuple[str, int]]:
    """A port that drops who would connect, as a firewall does: its queue is full."""
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.mark.parametrize("first", ["silent", "refusing", "unreachable"])
def test_another_address_is_tried_while_the_first_is_silent(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        there = server.getsockname()
        if first == "silent":
            bad: Any = stack.enter_context(silent("127.0.0.2"))
        else:
            bad = ("127.0.0.3", 1) if first == "refusing" else ("255.255.255.255", 1)
        found = [(socket.AF_INET, STREAM, 6, "", where) for where in (bad, bad, there)]
        monkeypatch.setattr(dial, "lookup", lambda *arguments: found)
        if first != "silent":
            monkeypatch.setattr(dial, "STAGGER", 10.0)  # nobody waits for an address that has failed
        started, watch = time.monotonic(), Stopwatch()
        with dial.connect("both", 22, started + 60) as sock:
            assert sock.getpeername() == there
            assert sock.gettimeout() is None
        assert time.monotonic() - started >= 2 * dial.STAGGER or first != "silent"
        assert watch.seconds < 10


def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent("127.0.0.2") as where:
        found = [(socket.AF_INET, STREAM, 6, "", where)] * 3
        monkeypatch.setattr(dial, "lookup", lambda *arguments: found)
        with pytest.raises(TimeoutError):
            dial.connect("both", 22, time.monotonic() + 0.6)
    refused = [(socket.AF_INET, STREAM, 6, "", ("127.0.0.3", 1))] * 2
    monkeypatch.setattr(dial, "lookup", lambda *arguments: refused)
    with pytest.raises(ConnectionRefusedError):
        dial.connect("both", 22, time.monotonic() + 5)


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    release, getaddrinfo = threading.Event(), socket.getaddrinfo

    def hang(host: Any, *arguments: Any) -> Any:
        if host == "slow.invalid" and socket.AI_NUMERICHOST not in arguments:
            release.wait(60)
        return getaddrinfo(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    watch = Stopwatch()
    try:  # the configuration comes first, and may take its time on a busy machine
        error = connect_error(SSHOptions.parse("slow.invalid", ssh_config="none"), 3.0)
    finally:
        release.set()
    assert isinstance(error, ConnectTimeout)
    assert error.stage == "tcp"
    assert watch.seconds < 10


def test_the_address_family_and_the_address_to_come_from(sshd: OpenSSHServer) -> None:
    command = "echo $SSH_CONNECTION"
    for extra in ("AddressFamily=inet", "BindAddress=127.0.0.5"):
        with running(sshd.options(extra_options=["IdentityAgent=none", extra]), command) as got:
            got.wait_end()
            assert got.data.startswith(b"127.0.0.5 " if "Bind" in extra else b"127.0.0.1 ")
    error = connect_error(sshd.options(extra_options=["AddressFamily=inet6"]))
    assert error.stage == "tcp"
    error = connect_error(sshd.options(extra_options=["BindAddress=192.0.2.1"]))
    assert error.stage == "tcp"


# -- a server that is busy


def lines(server: OpenSSHServer, text: str) -> int:
    return sum(text in line for line in server.written())


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[OpenSSHServer, socket.socket]]:
    """A server that lets one in at a time, and that one."""
    with (
        openssh_server(tmp_path, "MaxStartups 1:100:1\nLoginGraceTime 60") as server,
        socket.create_connection((server.host, server.port)) as guest,
    ):
        assert guest.recv(100).startswith(b"SSH-")
        yield server, guest


def test_a_busy_server_is_asked_again(
    busy: tuple[OpenSSHServer, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, guest = busy
    asked = []
    connect = dial.connect
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")

    def in_between(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 2:  # the pauses are short, and the server needs its time to see that there is room now
            until(lambda: lines(server, "drop connection"))
            guest.close()
            until(lambda: not children.read_text())
        return connect(*arguments)

    monkeypatch.setattr(dial, "connect", in_between)
    with running(server.options(), "echo in", seconds=60) as got:
        got.wait_end()
        assert got.data == b"in\n"
    assert len(asked) == 2


def test_a_server_that_stays_busy_is_asked_for_half_of_the_time(busy: tuple[OpenSSHServer, socket.socket]) -> None:
    server, _guest = busy
    asked = []
    connect = dial.connect

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return connect(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dial, "connect", counted)
        begun, watch = time.monotonic(), Stopwatch()
        error = connect_error(server.options(), 12.0)
    assert time.monotonic() - begun > 3
    assert error.stage == "kex"
    assert "turned us away: Exceeded MaxStartups" in error.message
    assert "MaxStartups" in error.hint
    assert 4 < len(asked) < 40
    assert watch.seconds < 9


def test_a_server_that_closes_without_a_word_is_asked_four_times() -> None:
    with turning_away() as (port, came):
        error = connect_error(SSHOptions.parse("127.0.0.1", port=port, ssh_config="none"))
    assert "closed the connection before its SSH greeting" in error.message
    assert len(came) == 4


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_many_who_come_at_once_all_get_in(router: Router, tmp_path: Path, transport: str) -> None:
    with openssh_server(tmp_path, "MaxStartups 1:100:2") as server, futures.ThreadPoolExecutor(8) as pool:
        def one(_number: int) -> bool:
            with connect_to(router, server, transport=transport, fresh=True) as context:
                return bool(context.call("os:getpid"))

        assert list(pool.map(one, range(8))) == [True] * 8
        assert lines(server, "drop connection") or lines(server, "past MaxStartups")


def test_a_server_that_bans_us_is_not_asked_again() -> None:
    with turning_away(b"Not allowed at this time\r\n") as (port, came):
        error = connect_error(SSHOptions.parse("127.0.0.1", port=port, ssh_config="none"))
    assert len(came) == 1
    assert "takes no connections from this address" in error.message
    assert "PerSourcePenalties" in error.hint


@pytest.mark.parametrize(("attempts", "expected"), [(1, 1), (3, 3)])
def test_a_port_that_refuses_is_tried_as_often_as_asked(
    attempts: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    connect = dial.connect

    def counted(*arguments: Any) -> Any:
        tried.append(arguments)
        return connect(*arguments)

    monkeypatch.setattr(dial, "connect", counted)
    options = SSHOptions.parse(
        "127.0.0.1", port=1, ssh_config="none", extra_options=[f"ConnectionAttempts={attempts}"]
    )
    error = connect_error(options)
    assert "refused" in error.message
    assert len(tried) == expected


def test_nothing_is_tried_again_once_the_user_was_named(sshd: OpenSSHServer) -> None:
    before = lines(sshd, "Connection from")
    error = connect_error(sshd.options(user="nobody_there", extra_options=["ConnectionAttempts=5"]))
    assert error.stage == "auth"
    until(lambda: lines(sshd, "Connection from") > before)
    assert lines(sshd, "Connection from") == before + 1


def test_an_error_says_where_the_time_went(sshd: OpenSSHServer) -> None:
    error = connect_error(sshd.options(user="nobody_there"))
    assert "(stage auth, after " in error.message
    for stage in ("config", "tcp", "kex"):
        assert re.search(rf"\b{stage} \d+\.\d", error.message)


# -- what ssh_config says of the connection


def test_compression_is_as_asked(sshd: OpenSSHServer) -> None:
    for asked in (True, False):
        extra = ("IdentityAgent=none", f"Compression={'yes' if asked else 'no'}")
        with running(sshd.options(extra_options=extra), "head -c 100000; echo $?", [bytes(100_000)]) as got:
            assert ("zlib" in vars(got.path.peer.transport)["local_compression"]) == asked
            got.wait_end()
            assert got.data == bytes(100_000) + b"0\n"


def test_the_environment_is_what_ssh_would_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVC_SENT", "a b'c")
    monkeypatch.setenv("OTHER", "kept here")
    command = 'echo "$RSVC_SENT|$RSVC_SET|$OTHER|$RSVC_NOT"'
    extra = ("IdentityAgent=none", "SendEnv=RSVC_S* RSVC_NOT", "SetEnv=RSVC_SET=x")
    with openssh_server(tmp_path, "AcceptEnv RSVC_SENT RSVC_SET") as server:
        options = server.options(extra_options=extra)
        with running(options, command) as got:
            got.wait_end()
            ours = got.data
        words = [word for option in extra for word in ("-o", option)]
        theirs = subprocess.run(
            ["ssh", "-F", "none", "-p", str(server.port), "-i", server.key_file, "-o", "BatchMode=yes", *words,
             "-o", f"UserKnownHostsFile={server.known_hosts_file}", f"{server.user}@{server.host}", command],
            capture_output=True, stdin=subprocess.DEVNULL, check=True, timeout=60,
        )  # fmt: skip
    assert ours == theirs.stdout == b"a b'c|x||\n"


def test_small_rsa_keys_are_refused_as_asked(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(tmp_path / "rsa")], check=True)
    with openssh_server(tmp_path / "server", f"HostKey {tmp_path}/rsa\nHostKeyAlgorithms rsa-sha2-512") as server:
        known = tmp_path / "known"
        public = " ".join((tmp_path / "rsa.pub").read_text().split()[:2])
        known.write_text(f"[127.0.0.1]:{server.port} {public}\n")
        extra = ("IdentityAgent=none",)
        with running(server.options(known_hosts=known, extra_options=extra), "true"):
            pass
        error = connect_error(server.options(known_hosts=known, extra_options=[*extra, "RequiredRSASize=3072"]))
    assert "2048 bits" in error.message


def test_a_sign_of_life_is_asked_for_as_often_as_ssh_would(sshd: OpenSSHServer, router: Router) -> None:
    def limits(**changes: Any) -> tuple[float, float]:
        context = router.ssh(
            sshd.host, port=sshd.port, user=sshd.user, key_filename=sshd.key_file, known_hosts=sshd.known_hosts_file,
            ssh_config="none", **changes,
        )  # fmt: skip
        assert context.call("os:getpid")
        link = router.kernel.links[context.id]
        return link.ping_after, link.lost_after

    usual = limits()
    assert limits(extra_options=["ServerAliveInterval=2", "ServerAliveCountMax=4"]) == (2.0, 8.0)
    # Never later than promised.
    assert limits(extra_options=["ServerAliveInterval=600"]) == usual


def test_local_runs_never_import_paramiko() -> None:
    code = (
        "import sys, remotesvc\n"
        "with remotesvc.Router() as router: assert router.local().call('os:getpid')\n"
        "print([name for name in ('paramiko', 'cryptography', 'tenacity') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_an_unknown_error_of_a_resolver_is_an_error_of_ours() -> None:
    with pytest.raises(ConnectError), running(SSHOptions.parse("a..b", ssh_config="none"), "true"):
        pass
