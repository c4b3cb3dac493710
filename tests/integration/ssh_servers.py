"""SSH servers on loopback for tests, a real OpenSSH one foremost, and what tests do with a path to them."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest

from remotesvc import ssh
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.paths.channel import ParamikoPath
from remotesvc.testing.sshd import EmbeddedServer

PATIENCE = 60.0
"""Seconds that a test waits for what an sshd has to do: many times what it takes, for a machine that is busy."""

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
MISSING = "no sshd here (Debian package openssh-server): SSH behaviour is NOT tested against OpenSSH"

# sshd takes the first value of each setting: a test's own come first.
CONFIG = """\
{extra}
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_ed25519
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
"""


@dataclass
class OpenSSHServer:
    """A running sshd. `log` holds the lines it wrote so far."""

    host: str
    port: int
    user: str
    key_file: str
    known_hosts_file: str
    directory: Path
    process: subprocess.Popen[str]
    log: list[str]

    def wait_for_log(self, text: str, start: int = 0) -> None:
        """Wait until the server has logged a line with `text` behind the first `start` lines."""
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in self.log[start:]):
            assert time.monotonic() < deadline, f"the server did not log {text!r}: {self.log[start:]}"
            time.sleep(0.01)

    def written(self) -> list[str]:
        """The lines it wrote so far, all of them: `log` may be behind, a thread of ours reads them."""
        mark = f"read up to here: {uuid.uuid4().hex}"
        with open(f"/proc/{self.process.pid}/fd/2", "w") as behind:
            behind.write(mark + "\n")
        self.wait_for_log(mark)
        return [line for line in self.log if not line.startswith("read up to here: ")]

    def options(self, **changes: object) -> SSHOptions:
        """Options that connect here, no configuration of this machine's user involved."""
        settings: dict[str, object] = {
            "port": self.port,
            "user": self.user,
            "key_filename": self.key_file,
            "known_hosts": self.known_hosts_file,
            "ssh_config": "none",
            "extra_options": ("IdentityAgent=none",),
        }
        return SSHOptions.parse(self.host, **{**settings, **changes})  # type: ignore[arg-type]


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """Make a key pair with ssh-keygen and return the line of its public half, "type base64"."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)], check=True
    )
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


@contextlib.contextmanager
def openssh_server(directory: Path, extra: str = "") -> Iterator[OpenSSHServer]:
    """Run an sshd in `directory` with `extra` lines of sshd_config; it is gone at the end."""
    if SSHD is None:
        pytest.skip(MISSING)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it where it can drop privileges
    directory.mkdir(parents=True, exist_ok=True)
    host_key = make_key(directory / "host_ed25519")
    user_key = make_key(directory / "user_ed25519")
    (directory / "authorized_keys").write_text(user_key + "\n")
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
        (directory / "sshd_config").write_text(CONFIG.format(port=port, directory=directory, extra=extra))
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(directory / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        log: list[str] = []
        listening = threading.Event()
        reader = threading.Thread(target=_read_log, args=(process, log, listening), daemon=True)
        reader.start()
        server = OpenSSHServer(
            "127.0.0.1",
            port,
            getpass.getuser(),
            str(directory / "user_ed25519"),
            str(directory / "known_hosts"),
            directory,
            process,
            log,
        )
        try:
            listening.wait(PATIENCE)
            # Nobody keeps the port for us in the meantime: any connection of this machine may be given it.
            if any("Address already in use" in line for line in log):
                continue
            assert any("Server listening" in line for line in log), f"sshd did not start: {log}"
            yield server
            return
        finally:
            process.terminate()
            process.wait()
            reader.join(PATIENCE)
    raise AssertionError("no port stayed free for sshd")


def _read_log(process: subprocess.Popen[str], log: list[str], listening: threading.Event) -> None:
    assert process.stderr is not None
    with process.stderr as stream:
        for line in stream:
            log.append(line.rstrip("\n"))
            if "Server listening" in line:
                listening.set()
    listening.set()


def embedded_options(server: EmbeddedServer, **changes: object) -> SSHOptions:
    """Options that connect to an embedded server."""
    settings: dict[str, object] = {
        "port": server.port,
        "user": server.user,
        "key_filename": server.key_file,
        "known_hosts": server.known_hosts_file,
        "ssh_config": "none",
        "extra_options": ("IdentityAgent=none",),
    }
    return SSHOptions.parse(server.host, **{**settings, **changes})  # type: ignore[arg-type]


@contextlib.contextmanager
def agent(directory: Path, *keys: Path) -> Iterator[str]:
    """An ssh-agent that holds these keys; yields its socket."""
    path = str(directory / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": path}, check=True)
        yield path
    finally:
        process.terminate()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def one_client_server(
    rules: paramiko.ServerInterface,
    directory: Path,
    greet: Callable[[paramiko.Transport], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """A server that takes one client and does with it what `rules` say; yields options that reach it.

    `greet` is called with the server's transport before the handshake.
    """
    key = paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        hosts = directory / "one_client_hosts"
        hosts.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")

        def serve() -> None:
            try:
                transport = paramiko.Transport(listener.accept()[0])
            except OSError:
                return
            transport.set_log_channel("remotesvc.testing.sshd")
            transport.add_server_key(key)
            transports.append(transport)
            if greet is not None:
                greet(transport)
            transport.start_server(threading.Event(), rules)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield {"port": port, "known_hosts": hosts, "ssh_config": "none", "user": "ann"}
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for transport in transports:
                transport.close()
                transport.join(10)


class Received:
    """What a path delivered, and why it ended. The waiting methods fail after `LIMIT` seconds."""

    LIMIT = 60.0

    def __init__(self, path: ParamikoPath, start: bool = True) -> None:
        self.path = path
        self.size = 0
        self.reasons: list[str] = []
        self.threads: set[int] = set()
        self._data: list[bytes] = []
        self._changed = threading.Condition()
        if start:
            self.start()

    def start(self) -> None:
        self.path.start(self.feed, self.ended)

    def feed(self, data: bytes) -> None:
        with self._changed:
            assert not self.reasons, "fed after the end"
            self._data.append(bytes(data))
            self.size += len(data)
            self.threads.add(threading.get_ident())
            self._changed.notify_all()

    def ended(self, reason: str) -> None:
        with self._changed:
            self.reasons.append(reason)
            self._changed.notify_all()

    def wait_size(self, size: int) -> bytes:
        """Wait until so many bytes have come and return all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.size >= size or self.reasons, self.LIMIT), self.size
            assert self.size >= size, self.reasons
            return b"".join(self._data)

    def wait_end(self) -> str:
        """Wait for the end and return the reason."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.reasons), self.LIMIT)
            return self.reasons[0]

    @property
    def data(self) -> bytes:
        with self._changed:
            return b"".join(self._data)


@contextlib.contextmanager
def running(
    options: SSHOptions, command: str, first: Sequence[bytes] = (), seconds: float = 30.0
) -> Iterator[Received]:
    """Run a command over SSH; the connection is closed, and its threads are gone, at the end."""
    path = ssh.open(options, lambda peer: command, first, time.monotonic() + seconds)
    try:
        yield Received(path)
    finally:
        path.close()
        path.join(10)


def connect_error(options: SSHOptions, seconds: float = 30.0) -> ConnectError:
    """Try to connect, which must fail, and return the error."""
    with pytest.raises(ConnectError) as caught, running(options, "true", seconds=seconds):
        pass
    assert caught.value.host == options.host
    return caught.value


def connects(options: SSHOptions) -> tuple[str, ...]:
    """Connect for a moment; returns the notices."""
    with running(options, "echo fine") as got:
        assert got.wait_size(5) == b"fine\n"
        return got.path.peer.notices
