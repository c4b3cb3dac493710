"""Which process is which: its number may be another's later, but not with the same time of start on the same boot."""

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

PROC = "/proc"

_RUN = re.compile(rb"/run-\w+\.service$", re.M)


def identity(pid: "int") -> "Dict[str, Any]":
    """What tells a process from others that have or had its number; ``start`` is 0 where the system does not say.
    ``space``: the PID namespace, which numbers mean something in; containers of a machine share the boot."""
    return {"pid": pid, "start": _start(pid), "boot": boot(), "space": space()}


def boot() -> "str":
    """A name of the time since the machine was started; empty where the system has none."""
    return _read("sys/kernel/random/boot_id").decode("ascii", "replace").strip()


def space() -> "str":
    """A name of the PID namespace that we are in; empty where the system has none."""
    try:
        return os.readlink(os.path.join(PROC, "self/ns/pid"))
    except OSError:
        return ""


def here(known: "Dict[str, Any]") -> "bool":
    """Is it one that can be seen from here? Numbers mean nothing in another PID namespace, or on another machine."""
    return bool(known["boot"] == boot() and known["space"] == space())


def lives(known: "Dict[str, Any]") -> "bool":
    """Does that very process run here? One that has ended and was not collected does not."""
    pid = known["pid"]
    if not here(known):
        return False
    if known["start"]:
        return bool(_start(pid) == known["start"])
    try:
        os.kill(pid, 0)  # without /proc the number is all there is
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # not ours, so it never was
    return True


def ends_with_kernel() -> "bool":
    """Does whatever we start end with a kernel of ours? So it is if that is the first process of its PID namespace, or
    was started by `systemd-run`, whose services are ended whole."""
    return b"\0remotesvc:" in _read("1/cmdline") or bool(_RUN.search(_read("self/cgroup")))


def _start(pid: "int") -> "int":
    """Ticks from boot to its start; 0 if there is no such process, or it is dead and only not collected."""
    # The name, which may hold anything, stands in brackets; behind it the state is the first, its start the 20th.
    fields = _read("%d/stat" % pid).rpartition(b")")[2].split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X") or not fields[19].isdigit():
        return 0
    return int(fields[19])


def _read(name: "str") -> "bytes":
    try:
        with open(os.path.join(PROC, name), "rb") as file:
            return file.read(4096)
    except OSError:
        return b""
