"""A large transfer over a raw channel of a connection: what files are measured beside."""

from __future__ import annotations

import sys
from typing import Any

MIB = 1 << 20


def raw_up(connection: Any, size: int) -> None:
    """Send so many bytes to a program that takes them, and wait for its word."""
    take = f"import os; left = {size}\nwhile left: left -= len(os.read(0, {MIB}))\nos.write(1, bytes([107]))"
    channel = connection.open_session()
    channel.exec_command(f"exec {sys.executable} -I -S -c '{take}'")
    block = memoryview(bytes(MIB))
    for _ in range(size // MIB):
        channel.sendall(block)
    assert channel.recv(1) == b"k"


def raw_down(connection: Any, size: int) -> None:
    """Take so many bytes from a program that sends them."""
    send = f"import sys; [sys.stdout.buffer.write(bytes({MIB})) for _ in range({size // MIB})]"
    channel = connection.open_session(window_size=64 * MIB, max_packet_size=256 * 1024)
    channel.exec_command(f"exec {sys.executable} -I -S -c '{send}'")
    left = size
    while left:
        left -= len(channel.recv(MIB))
