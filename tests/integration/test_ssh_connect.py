"""Byte paths over SSH, against OpenSSH and the embedded server: whole, in order, and ended as they should."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from remotesvc import ssh
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.paths import channel, session
from remotesvc.ssh.paths.packets import GuardedPacketizer
from remotesvc.ssh.paths.packing import Buffer, packed
from remotesvc.ssh.paths.socket import TunedSocket
from remotesvc.testing.sshd import EmbeddedServer
from tests.integration.ssh_servers import (
    OpenSSHServer,
    Received,
    connect_error,
    embedded_options,
    openssh_server,
    running,
)
from tests.kernel.contexts import LIMIT, until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture",)

MIB = 1024 * 1024
Reach = Callable[..., SSHOptions]


def test_output_errors_and_status_of_a_program(reach: Reach) -> None:
    phases: dict[str, float] = {}
    path = ssh.open(
        reach(), lambda peer: "cat; echo problem >&2; exit 7", [b"one ", b"flight\n"], phases=phases
    )
    try:
        got = Received(path)
        assert got.wait_size(11) == b"one flight\n"
        assert got.threads <= {path.peer.transport.ident, threading.get_ident()}
        path.write([b"more\n"])
        assert got.wait_size(16) == b"one flight\nmore\n"
        assert path.exit_status() is None
        # The end of input, which a link never sends: it cuts.
        paramiko.Channel.shutdown_write(path._channel)
        assert got.wait_end() == "the remote program ended with status 7"
        assert path.exit_status() == 7
        assert path.diagnostics() == "problem\n"
        assert got.data == b"one flight\nmore\n"
        assert set(phases) == {"config", "tcp", "kex", "hostkey", "auth", "open", "exec"}
        assert path.peer.fingerprint.startswith("SHA256:")
        assert path.name == f"ssh:{reach().user}@127.0.0.1:{reach().port}"
    finally:
        path.close()
        path.join(10)
    assert got.reasons == ["the remote program ended with status 7"]
    assert not path.peer.transport.is_alive()


@pytest.mark.parametrize("rekey", [False, True])
def test_64_mib_come_back_equal(reach: Reach, rekey: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if rekey:  # by both directions, some ten times, while bytes flow
        monkeypatch.setattr(GuardedPacketizer, "REKEY_BYTES", 6 * MIB)
    size = 64 * MIB
    block = os.urandom(MIB)
    sent = hashlib.sha256()
    with running(reach(), "exec cat") as got:
        hashes = {vars(got.path.peer.transport)["H"]}
        for number in range(size // MIB):
            head = number.to_bytes(4, "big")
            got.path.write([head, b"", memoryview(block)[4:]])
            sent.update(head + block[4:])
            hashes.add(vars(got.path.peer.transport)["H"])
        data = got.wait_size(size)
        assert len(data) == size
        assert hashlib.sha256(data).digest() == sent.digest()
        assert len(hashes) > 3 if rekey else len(hashes) == 1
        assert got.threads == {got.path.peer.transport.ident}


def test_the_server_may_ask_for_new_keys(tmp_path: Path) -> None:
    with openssh_server(tmp_path, "RekeyLimit 2M") as server, running(server.options(), "exec cat") as got:
        before = vars(got.path.peer.transport)["H"]
        for _ in range(16):
            got.path.write([bytes(MIB)])
        assert got.wait_size(16 * MIB) == bytes(16 * MIB)
        assert vars(got.path.peer.transport)["H"] != before


def test_window_is_given_back_by_writing(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "WINDOW", MIB)
    monkeypatch.setattr(channel, "GIVE_BACK", MIB // 4)
    total = 8 * MIB
    with running(reach(), f"head -c {total} /dev/zero | tee /dev/stderr; exec cat") as got:
        path = got.path
        while path.received < 2 * total:
            # Both streams use one window. When it is used up, the server waits until we write something.
            seen = path.received
            path.write([b"x"])
            with got._changed:
                assert got._changed.wait_for(lambda seen=seen: path.received > seen, got.LIMIT)  # type: ignore[misc]
        assert got.data.startswith(bytes(total))


def test_without_giving_back_the_server_stops_at_the_window(
    sshd: OpenSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WINDOW", MIB)
    with running(sshd.options(), "exec head -c 3000000 /dev/zero") as got:
        got.wait_size(MIB)
        assert got.size == MIB
        for _ in range(3):
            got.path.give_back()
            if got.size < 2 * MIB:
                got.wait_size(2 * MIB)
        assert got.wait_size(3_000_000) == bytes(3_000_000)


def test_what_comes_before_start_is_kept_in_order(reach: Reach) -> None:
    command = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exec cat"
    path = ssh.open(reach(), lambda peer: command)
    try:
        deadline = time.monotonic() + 30
        while path.received < 5000 and time.monotonic() < deadline:
            path.peer.transport.join(0.01)
        assert path.received >= 5000
        got = Received(path)
        expected = b"".join(b"line %d\n" % number for number in range(2000))
        assert got.wait_size(len(expected)) == expected
    finally:
        path.close()
        path.join(10)


def test_a_flood_before_start_ends_the_path(sshd: OpenSSHServer) -> None:
    path = ssh.open(sshd.options(), lambda peer: "exec cat /dev/zero")
    path.join(30)
    assert not path.peer.transport.is_alive()
    got = Received(path)
    assert got.wait_end() == "the target flooded the connection before it was used"
    assert got.size <= channel.BACKLOG


def test_a_program_that_ends_at_once_is_no_connect_error(reach: Reach) -> None:
    # The first write meets a closed channel: what counts is what the program said.
    with running(reach(), "echo no such thing >&2; exit 127", [bytes(8 * MIB)]) as got:
        assert got.wait_end() == "the remote program ended with status 127"
        assert got.path.exit_status() == 127
        assert got.path.diagnostics() == "no such thing\n"
        with pytest.raises(OSError):
            got.path.write([bytes(8 * MIB)])


def test_the_signal_that_killed_the_program_is_told(sshd: OpenSSHServer) -> None:
    with running(sshd.options(), "kill -KILL $$") as got:
        assert got.wait_end() == "the remote program was killed by signal 9"
        assert got.path.exit_status() == -signal.SIGKILL


def test_a_program_that_closes_its_output_has_ended(reach: Reach) -> None:
    with running(reach(), "exec >&- 2>&-; read line; exit 3") as got:
        assert "closed its output" in got.wait_end()
        assert got.path.exit_status() is None


def test_diagnostics_are_bounded(reach: Reach) -> None:
    with running(reach(), "echo first >&2; head -c 5000000 /dev/zero >&2; echo last >&2; exit 1") as got:
        got.wait_end()
        text = got.path.diagnostics()
        assert text.startswith("first\n")
        assert text.endswith("last\n")
        assert len(text) < 65 * 1024
        assert "bytes left out" in text


def _kill_session(sshd: OpenSSHServer) -> None:
    """Kill the sshd process of the one connection there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # one that has ended meanwhile
                status = (entry / "status").read_text()
                if re.search(rf"^PPid:\t{sshd.process.pid}$", status, re.MULTILINE):
                    os.kill(int(entry.name), signal.SIGKILL)


def test_openssh_killed_in_mid_stream_ends_the_path_within_a_second(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server, running(server.options(), "exec cat /dev/zero") as got:
        got.wait_size(4 * MIB)
        watch = Stopwatch()
        _kill_session(server)
        got.wait_end()
        assert watch.seconds < 1.0
        assert len(got.reasons) == 1


def test_the_embedded_server_cut_in_mid_stream_ends_the_path_within_a_second() -> None:
    with EmbeddedServer() as server, running(embedded_options(server), "exec cat /dev/zero") as got:
        got.wait_size(4 * MIB)
        watch = Stopwatch()
        server.drop_connections()
        got.wait_end()
        assert watch.seconds < 1.0
        with pytest.raises(OSError):
            got.path.write([b"x"])


def test_close_wakes_a_write_that_blocks(reach: Reach, tmp_path: Path) -> None:
    # It ends when it is told, so nothing but the close wakes the write; and when the test's directory is removed.
    (tmp_path / "going on").touch()
    with running(reach(), f"while [ -e '{tmp_path}/going on' ]; do sleep 0.05; done") as got:
        errors: list[OSError] = []

        def write() -> None:
            try:
                got.path.write([bytes(64 * MIB)])
            except OSError as error:
                errors.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        until(lambda: not got.path._channel.out_window_size)
        assert writer.is_alive()
        watch = Stopwatch()
        got.path.close()
        writer.join(LIMIT)
        assert len(errors) == 1
        assert got.wait_end() == "closed here"
        assert watch.seconds < 2.0
        got.path.close()
        (tmp_path / "going on").unlink()


def test_close_from_the_reader_thread(reach: Reach) -> None:
    path = ssh.open(reach(), lambda peer: "echo hello; exec cat")
    over = threading.Event()
    path.start(lambda data: path.close(), lambda reason: over.set())
    assert over.wait(LIMIT)
    path.join(10)


def test_a_feed_that_raises_ends_the_link_and_nothing_else(reach: Reach) -> None:
    path = ssh.open(reach(), lambda peer: "exec cat")
    reasons: list[str] = []
    over = threading.Event()

    def feed(data: bytes) -> None:
        raise KeyError("no room")

    def ended(reason: str) -> None:
        reasons.append(reason)
        over.set()

    path.start(feed, ended)
    path.write([b"x"])
    assert over.wait(LIMIT)
    assert reasons == ["cannot take what arrives: KeyError: 'no room'"]
    path.join(10)


def test_errors_of_the_caller_leave_nothing_open(reach: Reach) -> None:
    def command_for(peer: object) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ssh.open(reach(), command_for)


def test_the_socket_is_tuned_and_does_not_poll(sshd: OpenSSHServer) -> None:
    with running(sshd.options(), "exec cat") as got:
        sock = got.path.peer.socket
        assert isinstance(sock, TunedSocket)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.gettimeout() is None
        assert sock.deadline is None
        assert vars(got.path.peer.transport)["local_cipher"] == "aes128-gcm@openssh.com"


def test_a_connection_outlives_the_deadline_it_was_made_by(reach: Reach) -> None:
    deadline = time.monotonic() + 4.0  # time enough to connect on a busy machine
    with running(reach(), "exec cat", seconds=deadline - time.monotonic()) as got:
        got.path.peer.transport.join(deadline + 0.2 - time.monotonic())
        got.path.write([b"still here"])
        assert got.wait_size(10) == b"still here"


def test_a_path_takes_one_connection_and_one_channel(embedded: EmbeddedServer) -> None:
    before = (embedded.stats.connections, embedded.stats.logins, embedded.stats.channels)
    with running(embedded_options(embedded), "exec cat", [b"x"]) as got:
        got.wait_size(1)
    now = (embedded.stats.connections, embedded.stats.logins, embedded.stats.channels)
    assert [b - a for a, b in zip(before, now, strict=True)] == [1, 1, 1]


@pytest.mark.parametrize("setting", ["MaxSessions 0", "MaxSessions 1"])
def test_sessions_a_server_does_not_allow(setting: str, tmp_path: Path) -> None:
    with openssh_server(tmp_path, setting) as server:
        if setting.endswith("0"):
            error = connect_error(server.options())
            assert error.stage == "open"
            assert "refused" in error.message
        else:
            with running(server.options(), "echo fine") as got:
                assert got.wait_size(5) == b"fine\n"


def test_openssh_logs_in_to_the_embedded_server(embedded: EmbeddedServer) -> None:
    done = subprocess.run(
        ["ssh", "-F", "none", "-T", "-p", str(embedded.port), "-i", embedded.key_file, "-l", embedded.user]
        + ["-o", f"UserKnownHostsFile={embedded.known_hosts_file}", "-o", "IdentityAgent=none"]
        + ["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", embedded.host, "cat; echo oops >&2; exit 9"],
        input=b"through",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, b"through", b"oops\n")


def test_the_embedded_server_takes_nothing_but_its_key() -> None:
    with EmbeddedServer() as server, EmbeddedServer() as other:
        error = connect_error(embedded_options(server, key_filename=other.key_file))
        assert error.stage == "auth"
        error = connect_error(embedded_options(server, user="somebody"))
        assert error.stage == "auth"
        error = connect_error(embedded_options(server, known_hosts=other.known_hosts_file))
        assert error.stage == "hostkey"
        assert os.stat(server.key_file).st_mode & 0o777 == 0o600
        assert server.stats.logins == 0
    assert not os.path.exists(server.key_file)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), 5).close()


def test_closing_the_embedded_server_kills_what_it_runs() -> None:
    with EmbeddedServer() as server:
        path = ssh.open(embedded_options(server), lambda peer: "echo $$; sleep 1000; echo never")
        got = Received(path)
        pid = int(got.wait_size(2).split()[0])
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    got.wait_end()
    path.close()
    path.join(10)


def test_packets_are_full_but_for_the_last() -> None:
    buffers: list[Buffer] = [b"a", b"bc" * 3, bytearray(b"d" * 10), b"", memoryview(b"e" * 25), b"f"]
    cut = [bytes(packet) for packet in packed(buffers, 8)]
    assert b"".join(cut) == b"".join(bytes(buffer) for buffer in buffers)
    assert {len(packet) for packet in cut[:-1]} == {8}
    assert list(packed([], 8)) == []
    whole = bytes(100)
    assert next(iter(packed([whole], 1000))) is whole
