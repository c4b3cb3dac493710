"""Opening a TCP connection: every address of a name, the next one tried while the last is still silent (RFC 8305)."""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from . import interfaces
from .socket import TunedSocket

STAGGER = 0.25
"""Seconds an address has for itself before the next one is tried too: RFC 8305, section 8."""

Address = tuple[int, int, int, str, Any]
"""As `socket.getaddrinfo` gives them."""


def connect(host: str, port: int, deadline: float, family: str = "any", bind: str | None = None,
            interface: str | None = None) -> TunedSocket:
    """Open a tuned connection to the first address of `host` that answers before `deadline` (monotonic).

    Raises socket.gaierror for a name that does not resolve, TimeoutError, or the OSError of the last address.
    """
    wanted = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(family, socket.AF_UNSPEC)
    addresses = interleaved(lookup(host, port, wanted, deadline))
    local: list[Address] | None = None
    if bind is not None:
        try:
            local = lookup(bind, 0, wanted, deadline)
        except socket.gaierror as error:  # it is not the host that is not found
            raise OSError(errno.EADDRNOTAVAIL, f"BindAddress {bind} does not resolve: {error.strerror}") from error
    elif interface is not None:
        local = list(interfaces.addresses(interface))
    sock = _race(addresses, local, deadline)
    sock.setblocking(True)
    sock.deadline = deadline
    return sock


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """The addresses with their families in turn, each family in the resolver's order, its first choice first."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    rows = itertools.zip_longest(*families.values())
    return [address for row in rows for address in row if address is not None]


def lookup(host: str, port: int, family: int, deadline: float) -> list[Address]:
    """`getaddrinfo` that gives up at the deadline. Raises gaierror and TimeoutError."""
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)  # type: ignore[return-value]
    except UnicodeError:  # two dots in a row, and other things that no name has
        raise socket.gaierror(socket.EAI_NONAME, "no such name is possible") from None
    except socket.gaierror:
        pass  # a name, and resolvers have their own idea of patience
    found: list[list[Address] | BaseException] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))  # type: ignore[arg-type]
        except BaseException as error:
            found.append(error)

    # Left behind if the resolver hangs: nothing can end it before its own limit.
    thread = threading.Thread(target=ask, name="remotesvc-lookup", daemon=True)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0.001))
    if not found:
        raise TimeoutError(errno.ETIMEDOUT, f"looking up {host} took too long")
    (outcome,) = found
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _race(addresses: list[Address], local: list[Address] | None, deadline: float) -> TunedSocket:
    """Start one attempt after the other, `STAGGER` apart or as soon as the last failed; the first one wins."""
    poll = select.poll()
    running: dict[int, TunedSocket] = {}
    last: OSError = TimeoutError(errno.ETIMEDOUT, "no address answered in time")
    pending = list(addresses)
    try:
        while (pending or running) and time.monotonic() < deadline:
            if pending:
                sock, problem = _begin(pending.pop(0), local)
                if sock is None:
                    last = problem or last
                    continue
                running[sock.fileno()] = sock
                poll.register(sock, select.POLLOUT)
            left = deadline - time.monotonic()
            for number, _events in poll.poll(max(min(left, STAGGER) if pending else left, 0) * 1000 + 1):
                poll.unregister(number)
                sock = running.pop(number)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not code:
                    return sock
                last = OSError(code, os.strerror(code))
                sock.close()
    finally:
        for sock in running.values():
            sock.close()
    if running:
        raise TimeoutError(errno.ETIMEDOUT, "no answer in time")
    raise last


def _begin(address: Address, local: list[Address] | None) -> tuple[TunedSocket | None, OSError | None]:
    """A socket whose connection is under way, or the reason why there is none."""
    family, kind, protocol, _name, where = address
    try:
        sock = TunedSocket(family, kind, protocol)
    except OSError as error:
        return None, error
    try:
        if local is not None:
            own = [each[4] for each in local if each[0] == family]
            if not own:
                raise OSError(errno.EADDRNOTAVAIL, "the address to bind is of another family")
            sock.bind(own[0])
        sock.tune()
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError as error:
        sock.close()
        return None, error
    return sock, None
