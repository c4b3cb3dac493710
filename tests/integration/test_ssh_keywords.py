"""Keywords whose effect is compared with that of real ssh: RekeyLimit, BindInterface, KnownHostsCommand."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc.bootstrap.unreachable import ConnectError, HostKeyError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration.config import resolve
from remotesvc.ssh.paths import interfaces
from tests.integration.ssh_servers import OpenSSHServer, connect_error, connects, make_key, openssh_server, running
from tests.kernel.contexts import until
from tests.scripts import shell_script
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture",)

MIB = 1 << 20


def ssh_words(server: OpenSSHServer, *options: str, command: str) -> list[str]:
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", "none", "-p", str(server.port), "-i", server.key_file, "-o", "BatchMode=yes", *words,
            f"{server.user}@{server.host}", command]  # fmt: skip


def ssh(server: OpenSSHServer, *options: str, command: str = "echo fine") -> subprocess.CompletedProcess[bytes]:
    """What real ssh makes of it."""
    return subprocess.run(ssh_words(server, *options, command=command), capture_output=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)  # fmt: skip


# -- RekeyLimit


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[OpenSSHServer]:
    """A server that logs each exchange of keys."""
    with openssh_server(tmp_path / "talkative", "LogLevel DEBUG1") as server:
        yield server


def exchanges(server: OpenSSHServer, before: int) -> int:
    """How often keys were exchanged since then, once whoever was served is gone."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    until(lambda: not children.read_text())
    return sum("SSH2_MSG_KEXINIT received" in line for line in server.written()[before:])


PIECE, PIECES = 256 * 1024, 48
BY_PIECES = f"while read each; do head -c {PIECE} /dev/zero; done"
"""Sends a piece when asked for one: how much is on its way at once is then no matter of who is kept from working."""


def test_keys_are_exchanged_as_often_as_by_ssh(talkative: OpenSSHServer) -> None:
    found = []
    for limit in ("RekeyLimit=2M", "RekeyLimit=4M none", "RekeyLimit=default"):
        before = len(talkative.written())
        known = f"UserKnownHostsFile={talkative.known_hosts_file}"
        with subprocess.Popen(ssh_words(talkative, limit, known, command=BY_PIECES), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:  # fmt: skip
            assert process.stdin is not None and process.stdout is not None
            for _ in range(PIECES):
                process.stdin.write(b"\n")
                process.stdin.flush()
                assert process.stdout.read(PIECE) == bytes(PIECE)
            process.stdin.close()
        theirs = exchanges(talkative, before)
        before = len(talkative.written())
        options = talkative.options(extra_options=["IdentityAgent=none", limit])
        with running(options, BY_PIECES) as got:
            for number in range(PIECES):
                got.path.write([b"\n"])
                got.wait_size((number + 1) * PIECE)
            assert got.data == bytes(PIECES * PIECE)
        found.append((exchanges(talkative, before), theirs))
    for ours, theirs in found:  # what is on its way when keys are exchanged counts for neither side's next limit
        assert theirs / 2 <= ours <= theirs + 1, found
    assert found[0][0] > found[1][0] > found[2][0] == 1, found


def test_keys_are_exchanged_after_some_time(talkative: OpenSSHServer) -> None:
    before = len(talkative.written())
    options = talkative.options(extra_options=["IdentityAgent=none", "RekeyLimit=default 1"])
    with running(options, "exec cat") as got:
        keys, sent, begun = {vars(got.path.peer.transport)["H"]}, 0, time.monotonic()
        while len(keys) < 4:
            got.path.write([b"a"])
            sent += 1
            got.wait_size(sent)
            time.sleep(0.05)
            keys.add(vars(got.path.peer.transport)["H"])
        took = time.monotonic() - begun
        assert got.data == b"a" * sent
    assert took >= 2.5  # thrice, once a second; the first keys are a little older
    assert exchanges(talkative, before) >= 4


@pytest.mark.parametrize("limit", ["16K", "16K 1h"])
def test_a_rekeylimit_that_paramiko_cannot_keep_is_refused(sshd: OpenSSHServer, limit: str) -> None:
    error = connect_error(sshd.options(extra_options=[f"RekeyLimit={limit}"]))
    assert "rekeylimit" in error.message and "--transport openssh" in error.hint


# -- BindInterface


def source_of(options: SSHOptions) -> str:
    with running(options, "echo $SSH_CONNECTION") as got:
        got.wait_size(10)
        return got.data.split()[0].decode()


def test_an_interface_gives_the_source_address(sshd: OpenSSHServer) -> None:
    def by_ssh(name: str) -> str:
        done = ssh(sshd, f"BindInterface={name}", f"UserKnownHostsFile={sshd.known_hosts_file}", "AddressFamily=inet",
                   "ConnectTimeout=4", command="echo $SSH_CONNECTION")  # fmt: skip
        return "tcp" if done.returncode else done.stdout.split()[0].decode()

    def by_us(name: str) -> str:
        try:
            return source_of(
                sshd.options(extra_options=["IdentityAgent=none", f"BindInterface={name}", "ConnectTimeout=4"]))
        except ConnectError as error:
            return error.stage

    tried = 0
    for _, name in socket.if_nameindex():
        theirs, ours = by_ssh(name), by_us(name)
        if ours != theirs and by_ssh(name) != theirs:
            continue  # one of a container, which came or went in between
        assert ours == theirs, name
        tried += theirs != "tcp"
    assert tried  # lo at least


def test_an_interface_that_is_not_there_is_named(sshd: OpenSSHServer) -> None:
    error = connect_error(sshd.options(extra_options=["BindInterface=nowhere0"]))
    assert "there is no network interface nowhere0" in error.message
    assert ssh(sshd, "BindInterface=nowhere0", f"UserKnownHostsFile={sshd.known_hosts_file}").returncode == 255


def test_addresses_of_an_interface() -> None:
    assert interfaces.addresses("lo")[0][4] == ("127.0.0.1", 0)


# -- KnownHostsCommand

TOKENS = "%H %I %t %K %f %C %d %h %i %k %L %l %n %p %r %u %% # ${RSVC_A} '%h'\\ \\%n \\"


@pytest.fixture
def command(tmp_path: Path, sshd: OpenSSHServer) -> Path:
    """A program that notes how it is called, and prints the server's line."""
    return shell_script(
        tmp_path / "known %hosts",
        f'for each; do printf "%s|" "$each"; done >> {tmp_path}/calls\necho >> {tmp_path}/calls\n'
        f"cat {sshd.known_hosts_file}",
    )


def without_files(command: str) -> list[str]:
    return ["IdentityAgent=none", "UserKnownHostsFile=none", "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes",
            f"KnownHostsCommand={command}"]  # fmt: skip


def test_a_command_names_the_keys_as_it_does_for_ssh(
    sshd: OpenSSHServer, command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RSVC_A", "100%h")
    options = without_files(f'"{command}" {TOKENS} "a b"')
    assert ssh(sshd, *options).stdout == b"fine\n"
    theirs = (tmp_path / "calls").read_text().splitlines()
    (tmp_path / "calls").unlink()
    connects(sshd.options(known_hosts=None, extra_options=options))
    ours = (tmp_path / "calls").read_text().splitlines()
    assert set(ours) == set(theirs)
    assert [line.split("|")[1] for line in ours] == ["ORDER", "HOSTNAME"]


def test_a_command_that_knows_another_key(sshd: OpenSSHServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    program = shell_script(tmp_path / "program", f"echo '[127.0.0.1]:{sshd.port} {other}'")
    options = without_files(str(program))
    assert b"HAS CHANGED" in ssh(sshd, *options).stderr
    error = connect_error(sshd.options(known_hosts=None, extra_options=options))
    assert isinstance(error, HostKeyError)
    assert "HAS CHANGED" in error.message and f"KnownHostsCommand {program}:1" in error.message
    assert "ssh-keygen" not in error.hint and "must name the new one" in error.hint


@pytest.mark.parametrize(("script", "says"), [
    ("echo broken >&2\nexit 3", "ended with status 3: broken"),
    ("exec sleep 60", "did not end within"),
    ("", "no line for"),
])  # fmt: skip
def test_a_command_that_fails(sshd: OpenSSHServer, tmp_path: Path, script: str, says: str) -> None:
    program = shell_script(tmp_path / "program", script)
    options = without_files(str(program))
    watch = Stopwatch()
    # The one that hangs has what is left of it: enough to get that far on a busy machine.
    error = connect_error(sshd.options(known_hosts=None, extra_options=options), seconds=6)
    assert isinstance(error, HostKeyError) and error.stage == "hostkey"
    assert says in error.message
    assert watch.seconds < 20
    if "sleep" not in script:
        assert ssh(sshd, *options).returncode == 255


@pytest.mark.parametrize("wrong", ["relative %H", "/bin/x %Z", '/bin/x "open'])
def test_a_command_that_makes_no_sense(wrong: str) -> None:
    with pytest.raises(Exception, match="KnownHostsCommand|invalid quotes") as caught:
        resolve(SSHOptions.parse("web1", ssh_config="none", extra_options=[f"KnownHostsCommand={wrong}"]))
    assert getattr(caught.value, "stage", "") == "config"
