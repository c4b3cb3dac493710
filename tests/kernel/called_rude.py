"""Functions of a compromised target: they take over the link of their kernel and say what they like."""

import time

import remotesvc
from remotesvc.bootstrap.links import wire


def say(frames: "list[bytes]") -> None:
    """Write frames past every rule of ours but two: one writer at a time, and bytes sent are counted."""
    link = remotesvc.current().router.links[None]
    data = b"".join(frames)
    while True:
        with link.lock:
            if not link.writing:
                link.writing = True
                link.flight.sent += len(data)
                break
        time.sleep(0.001)
    link.write_own([data])


def ping_at_once(count: int) -> int:
    """So many signs of life are asked for, however many are answered; returns how many."""
    for _ in range(count // 100):
        say([wire.Frame(wire.PING).pack()] * 100)
    return count
