"""Servers of a few lines, and ports without one. Clients come when they like, leave early, or never come."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.threads import PATIENCE


@contextlib.contextmanager
def serving(listener: socket.socket, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """Have a thread do so with each connection, one after the other; it may raise OSError where a client has left.

    Connections stay open until the end of the block. Then they are cut, which ends what `serve` waits for of them.
    """
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:  # the end of the block
                return
            connections.append(connection)
            with contextlib.suppress(OSError):
                serve(connection)

    thread = threading.Thread(target=accept, name="listener")
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for _ in range(int(PATIENCE / 0.1)):  # one that came just now may not be among them yet
            for connection in list(connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(0.1)
            if not thread.is_alive():
                break
        for connection in connections:
            connection.close()


@contextlib.contextmanager
def tcp_server(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server on loopback: see `serving`."""
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(listener, serve):
        yield listener.getsockname()[1]


@contextlib.contextmanager
def turning_away(words: bytes = b"") -> Iterator[tuple[int, list[socket.socket]]]:
    """The port of a server on loopback that says so much and hangs up, and the connections of all who came."""
    came: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        came.append(connection)
        with connection:
            connection.sendall(words)

    with tcp_server(serve) as port:
        yield port, came


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of loopback that refuses connections: nobody listens on it, and nobody else is given it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
