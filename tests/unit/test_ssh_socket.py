"""The stream socket under paramiko: what it reads ahead, nobody misses."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from remotesvc.ssh.paths.socket import AHEAD, TunedSocket


@pytest.fixture
def pair() -> Iterator[tuple[TunedSocket, socket.socket]]:
    """A socket of ours and the peer's."""
    ours, theirs = socket.socketpair()
    with TunedSocket(ours.family, ours.type, ours.proto, ours.detach()) as tuned, theirs:
        yield tuned, theirs


def read(stream: TunedSocket, sizes: list[int]) -> list[bytes]:
    """As paramiko reads: so many bytes each, however many reads it takes."""
    pieces = []
    for size in sizes:
        piece = b""
        while len(piece) < size:
            data = stream.recv(size - len(piece))
            assert 0 < len(data) <= size - len(piece)
            piece += data
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize(
    "sizes", [[1, 1, 1], [16, 84], [16, AHEAD - 16, 16, 100], [16, 3 * AHEAD], [AHEAD + 1, 16, 20]]
)
def test_bytes_come_in_order_however_they_are_asked_for(
    pair: tuple[TunedSocket, socket.socket], sizes: list[int]
) -> None:
    tuned, peer = pair
    sent = bytes(number % 251 for number in range(sum(sizes)))
    peer.sendall(sent)
    assert b"".join(read(tuned, sizes)) == sent
    peer.close()
    assert tuned.recv(16) == b""


def test_what_was_read_ahead_comes_before_the_end(pair: tuple[TunedSocket, socket.socket]) -> None:
    tuned, peer = pair
    peer.sendall(b"head and rest")
    peer.close()
    assert read(tuned, [4, 9]) == [b"head", b" and rest"]
    assert tuned.recv(16) == b""


def test_a_small_packet_takes_one_read(pair: tuple[TunedSocket, socket.socket]) -> None:
    tuned, peer = pair
    peer.sendall(b"h" * 16 + b"r" * 84)
    assert tuned.recv(16) == b"h" * 16
    peer.sendall(b"next")
    assert tuned.recv(84) == b"r" * 84
    with pytest.raises(BlockingIOError):  # nothing but what came with the head is here without a read
        tuned.setblocking(False)
        assert read(tuned, [4, 1]) == []


def test_the_allowance_counts_what_is_read(pair: tuple[TunedSocket, socket.socket]) -> None:
    tuned, peer = pair
    tuned.allowance = 10
    peer.sendall(b"x" * 11)
    with pytest.raises(OSError, match="greeting"):
        tuned.recv(1)


def test_the_shortest_round_trip_is_the_systems() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TunedSocket(socket.AF_INET, socket.SOCK_STREAM) as ours:
        ours.connect(server.getsockname())
        with server.accept()[0] as theirs:
            ours.sendall(b"x")
            assert theirs.recv(1) == b"x"
            theirs.sendall(b"y")
            assert ours.recv(1) == b"y"
        told = ours.round_trip()
    assert (told is not None and 0 <= told < 1) if sys.platform == "linux" else told is None
    assert ours.round_trip() is None, "it is closed"


def test_what_is_no_tcp_connection_tells_no_round_trip(pair: tuple[TunedSocket, socket.socket]) -> None:
    assert pair[0].round_trip() is None
