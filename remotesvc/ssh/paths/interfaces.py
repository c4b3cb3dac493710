"""The addresses of a network interface, for BindInterface: as ssh does, one of them becomes the source address."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from typing import Any

SUPPORTED = sys.platform == "linux"
"""Elsewhere Python has no way to ask."""

_ADDRESS, _FLAGS = 0x8915, 0x8913
"""SIOCGIFADDR and SIOCGIFFLAGS: netdevice(7)."""
_UP = 1
_IPV6 = "/proc/net/if_inet6"
_GLOBAL = "00"
"""The scope of an address in that file; others hold on this link or host only."""

Local = tuple[int, int, int, str, Any]


def addresses(name: str) -> list[Local]:
    """Those to bind to, in the form of `getaddrinfo`, the best of each family first. OSError if there is none."""
    found: list[Local] = []
    request = struct.pack("16s24x", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            flags = struct.unpack_from("H", fcntl.ioctl(sock, _FLAGS, request), 16)[0]
        except OSError:
            raise OSError(errno.ENODEV, f"there is no network interface {name}") from None
        if not flags & _UP:
            raise OSError(errno.ENETDOWN, f"the network interface {name} is down")
        try:
            host = socket.inet_ntoa(fcntl.ioctl(sock, _ADDRESS, request)[20:24])
            found.append((socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 0)))
        except OSError:
            pass  # it has no such address
    found += sorted(_ipv6(name), key=lambda each: each[3] != _GLOBAL)
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, f"the network interface {name} has no address")
    return found


def _ipv6(name: str) -> list[Local]:
    if not os.path.exists(_IPV6):
        return []
    found: list[Local] = []
    with open(_IPV6, encoding="ascii") as file:
        for line in file:
            digits, index, _prefix, scope, _flags, owner = line.split()
            if owner == name:
                host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
                where = (host, 0, 0, 0 if scope == _GLOBAL else int(index, 16))
                found.append((socket.AF_INET6, socket.SOCK_STREAM, 0, scope, where))
    return found
