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


def say_bytes(data: bytes) -> None:
    """What is no frame, or none that a kernel would send."""
    say([data])


def tell(text: str) -> "dict[str, str]":
    """The same text by every way that leads up: printed, logged, as a name, and returned."""
    import logging
    import sys

    print(text)
    print(text, file=sys.stderr)
    logging.getLogger("tests." + text).error(text, extra={"colour": text})
    return {"ansible_host": text, text: text}


def fail(text: str) -> None:
    error = type(text, (RuntimeError,), {})(text, text)
    error.__notes__ = [text]
    raise error


def keep(secret: "remotesvc.Secret", text: str, began: str, end: str) -> None:
    """Hold on to a secret until a file is there, then fail with it in hand."""
    import os

    open(began, "w").close()
    while not os.path.exists(end):
        time.sleep(0.01)
    raise LookupError(repr(secret) + " was of no use")


def print_much(block: bytes, times: int) -> int:
    import os

    for _ in range(times):
        os.write(1, block)
    return len(block) * times


def fail_long(size: int) -> None:
    raise ValueError("x" * size)


def listening() -> "list[str]":
    """The addresses and names at which this process waits for somebody."""
    import os

    own = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            own.add(os.readlink("/proc/self/fd/" + fd))
        except OSError:
            continue  # the one that lists them
    found = []
    for name, waits, inode, where in (("tcp", ("0A",), 9, 1), ("tcp6", ("0A",), 9, 1), ("udp", ("07",), 9, 1),
                                      ("udp6", ("07",), 9, 1), ("unix", ("00010000",), 6, -1)):
        with open("/proc/net/" + name) as table:
            for line in table.read().splitlines()[1:]:
                words = line.split()
                if words[3] in waits and "socket:[" + words[inode] + "]" in own:
                    found.append(name + " " + words[where])
    return found
