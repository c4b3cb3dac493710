"""What `remotesvc demo` calls on its target. An ordinary module: nothing in it knows that it travels."""

import os
import platform
import sys
import time
from collections import namedtuple

Machine = namedtuple("Machine", "node system python cpus uptime_s")


def inventory(path: str = "/") -> "Machine":
    """Print a line, then return a namedtuple. The master knows nothing of its class, so a Record arrives there."""
    print("looking around on", platform.node())
    space = os.statvfs(path)
    free = space.f_bavail * space.f_frsize
    print(f"{free >> 20} MiB free below {path}", file=sys.stderr)
    return Machine(
        platform.node(), platform.system(), platform.python_version(), os.cpu_count(), int(time.monotonic())
    )


def broken(name: str) -> str:
    """Fail the way real code fails: a file is not there."""
    with open(os.path.join("/nonexistent", name)) as handle:
        return handle.read()


def slow(seconds: float) -> str:
    """Take longer than the caller is willing to wait."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
    return "nobody waits for this"
