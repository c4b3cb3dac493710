"""An SSH server for tests and demonstrations: in this process, on loopback, gone when the block ends.

    with EmbeddedServer() as server:
        router.ssh(server.host, port=server.port, user=server.user,
                   key_filename=server.key_file, known_hosts=server.known_hosts_file)

Host key and user key are made anew for each server; the user's key is the only way in, there is no password.
What a client asks it to run, it runs: with `/bin/sh -c`, as the user of this process, in a session of its
own.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import IO

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_SUCCESS,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.message import Message
from paramiko.packet import Packetizer

LOG_CHANNEL = "remotesvc.testing.sshd"
CHUNK = 32768
JOIN = 5.0
"""Seconds that closing waits for each thread to notice."""


@dataclass
class Stats:
    """What a server has seen so far."""

    connections: int = 0
    """TCP connections accepted."""
    logins: int = 0
    channels: int = 0
    """Programs run."""


class EmbeddedServer:
    """A running server; `close` (or the end of the `with` block) ends it and every program it runs."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.user = getpass.getuser()
        self.stats = Stats()
        self._lock = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._connections: list[paramiko.Transport] = []
        self._programs: list[_Program] = []
        self._host_key = paramiko.ECDSAKey.generate()
        user_key = paramiko.ECDSAKey.generate()
        self._user_blob = user_key.asbytes()
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._directory = tempfile.mkdtemp(prefix="remotesvc-sshd-")  # mode 0700
        self.key_file = os.path.join(self._directory, "id_ecdsa")
        self.known_hosts_file = os.path.join(self._directory, "known_hosts")
        user_key.write_private_key_file(self.key_file)  # mode 0600
        with open(self.known_hosts_file, "w", encoding="ascii") as file:
            key = base64.b64encode(self._host_key.asbytes()).decode()
            file.write(f"[{self.host}]:{self.port} {self._host_key.get_name()} {key}\n")
        self._run(self._accept, "accept")

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, cut every connection, kill every program, remove the keys; then return."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # Shutting it down is what wakes the thread in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for program in list(self._programs):
            program.kill()
        for thread in list(self._threads):
            thread.join(JOIN)
        shutil.rmtree(self._directory, ignore_errors=True)

    def drop_connections(self) -> None:
        """Cut every connection without a word, as a crash of the server would; it goes on listening."""
        with self._lock:
            connections, self._connections = self._connections, []
        for transport in connections:
            with contextlib.suppress(OSError):
                transport.sock.shutdown(socket.SHUT_RDWR)
            transport.close()
            transport.join(JOIN)

    def _run(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"sshd-{name}", daemon=True)
        with self._lock:
            self._threads = [old for old in self._threads if old.is_alive()]
            # Registered first: a thread that close() does not know would outlive it.
            self._threads.append(thread)
            thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.stats.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = _Session(self)
            transport = paramiko.Transport(connection, packetizer_class=_Packets)
            assert isinstance(transport.packetizer, _Packets)
            transport.packetizer.on_success = session.serve_started
            transport.set_log_channel(LOG_CHANNEL)
            transport.logger.setLevel(100)  # a client that goes away is no news here
            transport.add_server_key(self._host_key)
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections = [old for old in self._connections if old.is_alive() or not old.ident]
                self._connections.append(transport)
            try:
                # An event: the handshake goes on by itself, and this thread is free for the next client.
                transport.start_server(event=threading.Event(), server=session)
            except (OSError, RuntimeError):
                connection.close()

    def allows(self, user: str, key: paramiko.PKey) -> bool:
        """Whether `key` logs `user` in."""
        return user == self.user and key.asbytes() == self._user_blob

    def execute(self, channel: paramiko.Channel, command: bytes) -> _Program | None:
        """Start `command` for a channel, its pipes not yet served; None if it cannot be started."""
        with self._lock:
            if self._closed:
                return None
            self._programs = [old for old in self._programs if old.process.poll() is None]
            try:
                program = _Program(channel, command)
            except (OSError, ValueError):
                return None
            self._programs.append(program)
            self.stats.channels += 1
        return program

    def serve(self, program: _Program) -> None:
        """Begin to move bytes between a program and its channel."""
        for target in (program.pump_input, program.pump_output, program.pump_errors, program.wait):
            self._run(target, target.__name__)


class _Packets(Packetizer):
    """Tells when the answer to an exec request has been sent: output must not come before it."""

    on_success: Callable[[], None]

    def send_message(self, data: Message) -> None:
        super().send_message(data)
        if data.asbytes()[0] == MSG_CHANNEL_SUCCESS:
            self.on_success()


class _Session(paramiko.ServerInterface):
    """What one client may do: log in with the key, open sessions, run programs."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._started: list[_Program] = []

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if not self._server.allows(username, key):
            return AUTH_FAILED
        self._server.stats.logins += 1
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        program = self._server.execute(channel, command)
        if program is not None:
            self._started.append(program)
        return program is not None

    def serve_started(self) -> None:
        """The client knows that its program runs: now it may hear of it. Called on the transport's thread."""
        started, self._started = self._started, []
        for program in started:
            self._server.serve(program)


class _Program:
    """A program and the channel it talks through. A thread for each pipe, and one that waits for its end."""

    def __init__(self, channel: paramiko.Channel, command: bytes) -> None:
        self.channel = channel
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._open_streams = 2
        self._drained = threading.Event()

    def pump_input(self) -> None:
        """Channel to stdin, until the client closes its side."""
        stdin = self.process.stdin
        assert stdin is not None
        try:
            while data := self.channel.recv(CHUNK):
                view = memoryview(data)
                while view:
                    view = view[stdin.write(view) :]
        except OSError:
            pass  # the program reads no more
        finally:
            with contextlib.suppress(OSError):
                stdin.close()

    def pump_output(self) -> None:
        """Stdout to the channel."""
        self._pump(self.process.stdout, self.channel.sendall)

    def pump_errors(self) -> None:
        """Stderr to the channel's other stream."""
        self._pump(self.process.stderr, self.channel.sendall_stderr)

    def _pump(self, pipe: IO[bytes] | None, send: Callable[[bytes], None]) -> None:
        assert pipe is not None
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException), pipe:
            while data := pipe.read(CHUNK):
                send(data)
        with self._lock:
            self._open_streams -= 1
            last = not self._open_streams
        if last:
            # As sshd does: the end of output is told when both are over, whether or not the program lives on.
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self.channel.shutdown_write()
            self._drained.set()

    def wait(self) -> None:
        """When the program has ended and all it wrote is sent, tell the status and close the channel."""
        status = self.process.wait()
        self._drained.wait()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            # A shell's word for a signal: paramiko cannot send SSH's own.
            self.channel.send_exit_status(status if status >= 0 else 128 - status)
            self.channel.close()

    def kill(self) -> None:
        """End the program and what it started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
