"""Bytes of any number of buffers as the payloads of SSH packets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Buffer = bytes | bytearray | memoryview

PACKET = 32768 - 64
"""Payload of a full packet: what every server accepts, less paramiko's allowance for the header."""


def packed(buffers: Sequence[Buffer], size: int = PACKET) -> Iterator[Buffer]:
    """Cut and join `buffers` into packets that are full but for the last; what is large is not copied."""
    small: list[Buffer] = []
    filled = 0
    for buffer in buffers:
        view: Buffer = buffer
        if filled + len(view) >= size or not isinstance(view, bytes):
            view = memoryview(view).cast("B")
            if filled:
                small.append(view[: size - filled])
                filled += len(small[-1])
                view = view[len(small[-1]) :]
                if filled == size:
                    yield b"".join(small)
                    small, filled = [], 0
            if not filled:
                while len(view) >= size:
                    yield view[:size]
                    view = view[size:]
        if view:
            small.append(view)
            filled += len(view)
    if filled:
        yield small[0] if len(small) == 1 else b"".join(small)
