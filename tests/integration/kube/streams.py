"""The two protocols in which kubectl carries a command's streams over a connection that it has upgraded.

Both give the same: `incoming()` is (stream, data) as they arrive, b"" for a stream's end; `send` and `end` answer. All
raise OSError once kubectl has left.
Streams have the numbers of `remotecommand` in Kubernetes: 0 stdin, 1 stdout, 2 stderr, 3 the status.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.utilities import LocalProtocolError

STDIN, STDOUT, STDERR, STATUS = range(4)

Read = Callable[[], bytes]
"""The next bytes of the connection; b"" at its end."""
Write = Callable[[bytes], object]


class Streams(Protocol):
    """What a protocol gives."""

    def incoming(self) -> Iterator[tuple[int, bytes]]: ...

    def send(self, stream: int, data: bytes) -> None: ...

    def end(self) -> None: ...


class WebSocketStreams:
    """kubectl from 1.31 on: "v5.channel.k8s.io". The first byte of a message is its stream's number, 255 says that the
    stream in the second byte has ended."""

    PROTOCOL = "v5.channel.k8s.io"
    _ENDED = 255

    def __init__(self, read: Read, write: Write) -> None:
        self._read, self._write = read, write
        self._connection = Connection(ConnectionType.SERVER)
        self._lock = threading.Lock()

    def incoming(self) -> Iterator[tuple[int, bytes]]:
        message = b""
        while data := self._read():
            with self._lock:
                self._connection.receive_data(data)
                events = list(self._connection.events())
            for event in events:
                if isinstance(event, BytesMessage):
                    message += event.data
                    if event.message_finished:
                        stream, message = message, b""
                        yield (stream[1], b"") if stream[0] == self._ENDED else (stream[0], stream[1:])
                elif isinstance(event, Ping):
                    self._say(event.response())
                elif isinstance(event, CloseConnection):
                    return

    def send(self, stream: int, data: bytes) -> None:
        self._say(BytesMessage(data=bytes([stream]) + data))

    def end(self) -> None:
        self._say(CloseConnection(code=1000))

    def _say(self, event: BytesMessage | CloseConnection | Ping | object) -> None:
        with self._lock:
            try:
                data = self._connection.send(event)  # type: ignore[arg-type]
            except LocalProtocolError as error:  # it has said that it closes
                raise BrokenPipeError(str(error)) from error
            self._write(data)


class SpdyStreams:
    """kubectl before 1.31: "v4.channel.k8s.io" over SPDY/3.1.

    Which stream is which stands in compressed headers; kubectl opens them in a fixed order, which spares us reading
    those: the status first, then stdin, stdout, stderr.
    """

    PROTOCOL = "v4.channel.k8s.io"
    _ORDER = (STATUS, STDIN, STDOUT, STDERR)
    _SYN_STREAM, _SYN_REPLY, _PING, _GOAWAY = 1, 2, 6, 7
    _FIN = 1

    def __init__(self, read: Read, write: Write) -> None:
        self._read, self._write = read, write
        self._lock = threading.Lock()
        self._buffer = b""
        self._numbers: dict[int, int] = {}
        self._opened = threading.Event()
        self._headers = zlib.compressobj()

    def incoming(self) -> Iterator[tuple[int, bytes]]:
        try:
            yield from self._frames()
        finally:
            self._opened.set()  # nobody waits for streams of one that has left

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while True:
            first, second = struct.unpack(">II", self._exactly(8))
            flags, body = second >> 24, self._exactly(second & 0xFFFFFF)
            if not first >> 31:
                stream = self._number(first)
                if body:
                    yield stream, body
                if flags & self._FIN:
                    yield stream, b""
            elif first & 0xFFFF == self._SYN_STREAM:
                self._open(struct.unpack(">I", body[:4])[0])
            elif first & 0xFFFF == self._PING:
                self._write_control(self._PING, body)
            elif first & 0xFFFF == self._GOAWAY:
                return

    def send(self, stream: int, data: bytes) -> None:
        self._opened.wait()
        self._write_data(stream, data, self._FIN if stream == STATUS else 0)

    def end(self) -> None:
        for stream in (STDOUT, STDERR):
            self._write_data(stream, b"", self._FIN)

    def _open(self, number: int) -> None:
        self._numbers[self._ORDER[len(self._numbers)]] = number
        with self._lock:
            none = self._headers.compress(struct.pack(">I", 0)) + self._headers.flush(zlib.Z_SYNC_FLUSH)
        self._write_control(self._SYN_REPLY, struct.pack(">I", number) + none)
        if len(self._numbers) == len(self._ORDER):
            self._opened.set()

    def _number(self, of: int) -> int:
        return next(stream for stream, number in self._numbers.items() if number == of)

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size and (data := self._read()):
            self._buffer += data
        if len(self._buffer) < size:
            raise ConnectionResetError("kubectl has left")
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _write_control(self, kind: int, body: bytes) -> None:
        with self._lock:
            self._write(struct.pack(">II", 0x80030000 | kind, len(body)) + body)

    def _write_data(self, stream: int, data: bytes, flags: int) -> None:
        if stream not in self._numbers:
            raise BrokenPipeError("kubectl has left before it opened its streams")
        with self._lock:
            self._write(struct.pack(">II", self._numbers[stream], flags << 24 | len(data)) + data)
