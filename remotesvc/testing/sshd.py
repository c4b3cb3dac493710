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
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType

import paramiko

from remotesvc.ssh.configuration.localuser import local_user

from .programs import Program
from .sessions import Packets, Session
from .sessions import Stats as Stats

LOG_CHANNEL = "remotesvc.testing.sshd"
JOIN = 5.0
"""Seconds that closing waits for each thread to notice."""


class EmbeddedServer:
    """A running server; `close` (or the end of the `with` block) ends it and every program it runs."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.user = local_user()
        self.stats = Stats()
        self._lock = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._connections: list[paramiko.Transport] = []
        self._programs: list[Program] = []
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
            session = Session(self)
            transport = paramiko.Transport(connection, packetizer_class=Packets)
            assert isinstance(transport.packetizer, Packets)
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

    # -- for sessions

    def allows(self, user: str, key: paramiko.PKey) -> bool:
        """Whether `key` logs `user` in."""
        return user == self.user and key.asbytes() == self._user_blob

    def execute(self, channel: paramiko.Channel, command: bytes) -> Program | None:
        """Start `command` for a channel, its pipes not yet served; None if it cannot be started."""
        with self._lock:
            if self._closed:
                return None
            self._programs = [old for old in self._programs if old.process.poll() is None]
            try:
                program = Program(channel, command)
            except (OSError, ValueError):
                return None
            self._programs.append(program)
            self.stats.channels += 1
        return program

    def serve(self, program: Program) -> None:
        """Begin to move bytes between a program and its channel."""
        for target in (program.pump_input, program.pump_output, program.pump_errors, program.wait):
            self._run(target, target.__name__)
