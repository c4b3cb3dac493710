"""Functions that the fault tests call on targets, of any Python from 3.6 on."""

import os
import time


def append_line(path: str, text: str) -> None:
    """One line for each time it runs."""
    with open(path, "a") as file:
        file.write(text + "\n")


def mark_and_measure(path: str, data: bytes) -> int:
    append_line(path, "ran")
    return len(data)


def eat_memory() -> None:
    """Take memory until there is none."""
    held = []
    while True:
        held.append(b"x" * (1 << 20))


def busy_not_reading(path: str, seconds: float) -> None:
    """Computes and never looks up."""
    append_line(path, str(os.getpid()))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def pause(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def modules_from_elsewhere() -> "list[str]":
    """The modules here that were not found on this machine."""
    import sys

    modules = list(sys.modules.items())
    files = {name: str(getattr(module, "__file__", "")) for name, module in modules}
    return sorted(name for name, file in files.items() if file.startswith("/proc/remotesvc:"))
