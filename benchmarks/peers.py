"""The other sides: a raw echo over paramiko, Mitogen, and what the kernel of the system knows of a process."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko

from tests.integration.ssh_servers import OpenSSHServer

CIPHER = "aes128-gcm@openssh.com"
ECHO = "import os; [os.write(1, data) for data in iter(lambda: os.read(0, 65536), bytes())]"
PAYLOAD = 100
"""Bytes of one echo: about what a small call weighs with its header."""


@contextlib.contextmanager
def transport(server: OpenSSHServer) -> Iterator[paramiko.Transport]:
    """A paramiko connection as tuned as ours: no Nagle, the cipher we prefer."""
    sock = socket.create_connection((server.host, server.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made = paramiko.Transport(sock)
    made.get_security_options().ciphers = (CIPHER,)
    # Left alone, paramiko exchanges keys anew after 512 MiB, and may wait for itself then until the connection ends.
    made.packetizer.REKEY_BYTES = 1 << 40
    try:
        made.connect(username=server.user, pkey=paramiko.Ed25519Key.from_private_key_file(server.key_file))
        yield made
    finally:
        made.close()
        made.join(10)


@contextlib.contextmanager
def echo(server: OpenSSHServer) -> Iterator[Callable[[], None]]:
    """A function that sends PAYLOAD bytes to a program at the other end and waits until they are back."""
    with transport(server) as connection:
        channel = connection.open_session()
        channel.exec_command(f"exec {sys.executable} -I -S -c '{ECHO}'")
        data = b"x" * PAYLOAD

        def once() -> None:
            channel.sendall(data)
            left = PAYLOAD
            while left:
                got = len(channel.recv(65536))
                assert got, "the echo ended"
                left -= got

        yield once


@contextlib.contextmanager
def mitogen_router() -> Iterator[Any]:
    """A router of Mitogen's, in this process."""
    import mitogen.master

    broker = mitogen.master.Broker(install_watcher=False)
    try:
        yield mitogen.master.Router(broker)
    finally:
        broker.shutdown()
        broker.join()


def mitogen_ssh(router: Any, server: OpenSSHServer, compression: bool = False) -> Any:
    """A context of Mitogen's on the server: same cipher as ours, and uncompressed, which suits it on loopback; what it
    does by default is to compress."""
    return router.ssh(hostname=server.host, port=server.port, username=server.user, identity_file=server.key_file,
                      check_host_keys="ignore", python_path=sys.executable, compression=compression,
                      ssh_args=["-F", "none", "-o", f"Ciphers={CIPHER}"])


def parallel_ssh(server: OpenSSHServer, command: str, hosts: int, at_once: int) -> None:
    """Run a command so many times by parallel-ssh, over a connection for each, and check that each came to its end."""
    from pssh.clients import ParallelSSHClient

    client = ParallelSSHClient([server.host] * hosts, user=server.user, port=server.port, pkey=server.key_file,
                               pool_size=at_once, num_retries=1, allow_agent=False)
    outputs = client.run_command(command)
    client.join(outputs)
    assert [output.exit_code for output in outputs] == [0] * hosts


def ssh_settings(server: OpenSSHServer) -> dict[str, Any]:
    """What `Router.ssh` needs to reach the server, with the interpreter that all sides use."""
    return {"host": server.host, "port": server.port, "user": server.user, "key_filename": server.key_file,
            "known_hosts": server.known_hosts_file, "ssh_config": "none", "python": sys.executable, "fresh": True}


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


def settled_rss(pid: int, limit: float = 5.0) -> int:
    """Resident bytes once they have stopped growing: what follows a first call has been loaded then."""
    end, last, same = time.monotonic() + limit, -1, 0
    while same < 5 and time.monotonic() < end:
        now = rss(pid)
        same, last = (same + 1 if now == last else 0), now
        time.sleep(0.05)
    return last
