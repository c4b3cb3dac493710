"""Follow a log file on many hosts at once: `python tail_logs.py /var/log/syslog web1 web2`.

Without hosts it follows two files that it writes itself, on this machine, so that there is something to see. Each host
sends its lines as messages; one that prints faster than we show is slowed down, and one that dies is named while the
others go on.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable

import remotesvc


def follow(path: str, lines: remotesvc.Sender, limit: int = 0) -> int:
    """On the host: send each line of a file, and wait for more; ends after `limit` lines, or when nobody reads."""
    sent = 0
    with lines, open(path, encoding="utf-8", errors="replace") as file:
        while not limit or sent < limit:
            line = file.readline()
            if line:
                lines.send(line.rstrip("\n"))
                sent += 1
            elif remotesvc.current().wait(0.2):  # the caller gave up
                break
    return sent


def show(receiver: remotesvc.Receiver) -> None:
    """Print what arrives, with the host it came from."""
    for message in receiver:
        print(message.error or f"{message.src.name}: {message.value}", flush=True)


def from_hosts(path: str, hosts: Iterable[str]) -> None:
    with remotesvc.Router() as router, remotesvc.Receiver(router) as receiver:
        for host in hosts:
            router.connect(host).submit(follow, path, receiver.sender())
        show(receiver)


def demonstration(lines: int = 5) -> None:
    with tempfile.TemporaryDirectory() as directory, remotesvc.Router() as router:
        receiver = remotesvc.Receiver(router)
        paths = [os.path.join(directory, name) for name in ("one", "two")]
        for path in paths:
            open(path, "w").close()
            context = router.local(name=os.path.basename(path))
            context.submit(follow, path, receiver.sender(source=context), lines)
        for number in range(lines):
            for path in paths:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(f"line {number} at {time.strftime('%H:%M:%S')}\n")
        show(receiver)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit("usage: tail_logs.py [FILE HOST...]")
    if len(sys.argv) > 2:
        from_hosts(sys.argv[1], sys.argv[2:])
    else:
        demonstration()
