"""What a host says of itself: `remotesvc facts`, and ``fleet.run("remotesvc.facts:gather")``. Runs on targets."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

# Bytes read of any file of the system: these are short, and a strange one must not fill the memory.
MOST = 64 * 1024


def gather() -> "Dict[str, Any]":
    """Facts as plain data: system, python, processors, memory, disks, addresses, uptime. None for what is not known."""
    system = os.uname()
    return {
        "hostname": system.nodename,
        "system": system.sysname,
        "release": system.release,
        "machine": system.machine,
        "distribution": _distribution(),
        "python": {"version": ".".join(str(part) for part in sys.version_info[:3]), "executable": sys.executable,
                   "prefix": sys.prefix},
        "user": {"uid": os.getuid(), "gid": os.getgid(), "home": os.path.expanduser("~")},
        "processors": os.cpu_count(),
        "load": list(os.getloadavg()),
        "memory": _memory(),
        "disks": _disks(),
        "uptime": _uptime(),
    }


def _read(path: "str") -> "str":
    try:
        with open(path, "rb") as file:
            return file.read(MOST).decode("utf-8", "replace")
    except OSError:
        return ""


def _distribution() -> "Dict[str, str]":
    found = {}
    for line in _read("/etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals and name in ("ID", "VERSION_ID", "PRETTY_NAME"):
            found[name.lower()] = value.strip().strip("\"'")
    return found


def _memory() -> "Dict[str, int]":
    """Bytes in all, and available."""
    found = {}
    for line in _read("/proc/meminfo").splitlines():
        words = line.split()
        if len(words) == 3 and words[0] in ("MemTotal:", "MemAvailable:") and words[1].isdigit():
            found["total" if words[0] == "MemTotal:" else "available"] = 1024 * int(words[1])
    return found


def _disks() -> "List[Dict[str, Any]]":
    """Mounted file systems on devices: where, what, bytes in all and free."""
    found: "List[Dict[str, Any]]" = []
    seen = set()
    for line in _read("/proc/mounts").splitlines():
        words = line.split()
        if len(words) < 3 or not words[0].startswith("/dev/") or words[0] in seen:
            continue
        seen.add(words[0])
        try:
            size = os.statvfs(words[1])
        except OSError:
            continue
        found.append({"device": words[0], "mount": words[1], "type": words[2],
                      "total": size.f_frsize * size.f_blocks, "free": size.f_frsize * size.f_bavail})
    return found


def _uptime() -> "Any":
    words = _read("/proc/uptime").split()
    return float(words[0]) if words else None
