"""What killed or interrupted transfers left in a directory: found again, and removed when it is of no more use."""

import os

from . import disk
from .naming import KEPT, MARK, PART, PREFIX, SINGLE, TREE, key_of, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

# Seconds after which a file of a tree is a leftover: no lock tells.
STALE = 86400.0
# Seconds that a part, or what there is of a tree, is kept to be gone on with.
KEEP_PART = 7 * 86400.0
# A directory that is larger holds so many names that looking for leftovers would cost more than the transfer.
_LOOK_UP_TO = 1 << 20


def parts_of(directory: "int", final: "bytes") -> "List[bytes]":
    """The names of the parts kept for one destination."""
    begin = PREFIX + PART + key_of(final)
    try:
        names = [os.fsencode(name) for name in os.listdir(directory)]
    except OSError:
        return []
    return [name for name in names if name.startswith(begin) and parsed(name)]


def sweep(directory: "int", final: "bytes", keep: "bytes", now: "float") -> "List[bytes]":
    """Remove what transfers that were killed left in a directory, and parts of ``final`` other than ``keep``; returns
    the names. ``now`` is the time by the clock that files bear."""
    try:
        if os.fstat(directory).st_size > _LOOK_UP_TO:
            return []
        names = [os.fsencode(name) for name in os.listdir(directory)]
    except OSError:
        return []
    key, swept = key_of(final), []
    for name in names:
        said = parsed(name)
        if said is not None and name != keep and _sweep_one(directory, name, said[0], said[1] == key, now):
            swept.append(name)
    return swept


def _sweep_one(directory: "int", name: "bytes", kind: "bytes", same: "bool", now: "float") -> "bool":
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        age = now - found.st_ctime
        if kind == MARK:  # only after what it leads to
            return False
        if kind in (TREE, KEPT):
            if found.st_uid != os.geteuid() or age < (STALE if kind == TREE else KEEP_PART):
                return False
            os.unlink(name, dir_fd=directory)
            return True
        fd = disk.open_part(directory, name)
        if fd is None:
            return False
        try:
            # Locked by us, so nobody writes it; where there are no locks its age must tell.
            gone = disk.lock(fd) if kind == SINGLE else same
            if gone or age > (STALE if kind == SINGLE else KEEP_PART):
                os.unlink(name, dir_fd=directory)
                return True
        finally:
            os.close(fd)
    except OSError:
        pass
    return False
