"""A TCP proxy on loopback that mistreats what passes: cut up, delayed, corrupted, reset, ended, swallowed."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading
from dataclasses import dataclass


@dataclass
class Direction:
    """One way through the proxy, and what is done to the bytes on it; set at any time, in force at once.

    slices      pieces no larger than so many bytes, each sent by itself
    silent      bytes are taken and dropped
    corrupt_at  one bit of the byte with this number is turned over
    fin_at      after so many bytes the connection is ended in both directions, properly
    reset_at    after so many bytes it is reset
    """

    slices: int = 0
    silent: bool = False
    corrupt_at: int | None = None
    fin_at: int | None = None
    reset_at: int | None = None
    passed: int = 0
    """Bytes passed so far, all connections together."""


class Proxy:
    """Listens on `port` of 127.0.0.1 and passes on to `address`. A context manager; ended, it leaves nothing."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.up, self.down = Direction(), Direction()
        """To the target, and from it."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, name="faulty-proxy")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(self.address, 10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [near, far]
            self._start(self._pump, near, far, self.up)
            self._start(self._pump, far, near, self.down)

    def _pump(self, source: socket.socket, sink: socket.socket, way: Direction) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = bytearray(source.recv(65536))
                if not data:
                    break
                if way.silent:
                    continue
                first, way.passed = way.passed, way.passed + len(data)
                if way.corrupt_at is not None and first <= way.corrupt_at < way.passed:
                    data[way.corrupt_at - first] ^= 0x10
                if way.fin_at is not None and way.passed >= way.fin_at:
                    sink.sendall(data[: max(0, way.fin_at - first)])
                    break
                if way.reset_at is not None and way.passed >= way.reset_at:
                    sink.sendall(data[: max(0, way.reset_at - first)])
                    _abort(source, sink)
                    return
                for piece in _cut(bytes(data), way.slices):
                    sink.sendall(piece)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Reset every connection, now."""
        with self._lock:
            _abort(*self._sockets)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(20)
        self.reset()
        for thread in self._threads:
            thread.join(20)
        for sock in self._sockets:
            sock.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]


def _abort(*sockets: socket.socket) -> None:
    """Reset connections: the kernel forgets them, tells the peer so, and wakes the threads that read from them."""
    libc = ctypes.CDLL(None, use_errno=True)
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    for sock in sockets:
        if sock.fileno() >= 0:
            libc.connect(sock.fileno(), nowhere, len(nowhere))
