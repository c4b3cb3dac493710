"""Files on their way: made beside their final names, locked while they are written, found again after a crash.

Nothing here follows a symbolic link.
"""

import fcntl
import os
import stat
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple

# Seconds for which whoever goes on with a transfer waits for the one before, which may not have heard yet that it was
# given up; between two looks.
PATIENCE, _LOOK = 1.0, 0.02
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Linux's FS_IOC_RESVSP64, which all file systems answer alike, and its struct space_resv.
_RESERVE, _RANGE = 0x4030582A, struct.Struct("hhqqiI16x")


def create(directory: "int", name: "bytes", mode: "int" = 0o600) -> "int":
    """A new file. Raises OSError."""
    return os.open(name, _NEW, mode, dir_fd=directory)


def create_and_lock(directory: "int", name: "bytes") -> "Optional[int]":
    """A new file that only we may open, locked; None if the name is taken. Raises OSError."""
    try:
        fd = create(directory, name)
    except FileExistsError:
        return None
    # Somebody who sweeps may have taken it for a leftover before it was locked.
    if lock(fd) is not False and os.fstat(fd).st_nlink:
        return fd
    os.close(fd)
    return None


def open_part(directory: "int", name: "bytes", patience: "float" = 0.0) -> "Optional[int]":
    """What was kept of an earlier transfer, locked; None if there is nothing, or nothing of ours, or it is in use for
    so many seconds."""
    fd = _open_own(directory, name, os.O_RDWR, (os.geteuid(),))
    # Whoever had it locked until now may have given it its final name: then it is what it was to become.
    if fd is not None and (not _locked_within(fd, patience) or not _is_named(fd, directory, name)):
        os.close(fd)
        return None
    return fd


def _locked_within(fd: "int", patience: "float") -> "bool":
    end = time.monotonic() + patience
    while lock(fd) is False:
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK)
    return True


def _is_named(fd: "int", directory: "int", name: "bytes") -> "bool":
    try:
        return os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=directory, follow_symlinks=False))
    except OSError:
        return False


def open_kept(directory: "int", name: "bytes", owners: "Tuple[int, ...]") -> "Optional[int]":
    """A file of an earlier transfer of a tree; None if there is none, or none of ours. A complete one may have a mode
    that lets nobody write to it."""
    fd = _open_own(directory, name, os.O_RDWR, owners)
    return _open_own(directory, name, os.O_RDONLY, owners) if fd is None else fd


def _open_own(directory: "int", name: "bytes", how: "int", owners: "Tuple[int, ...]") -> "Optional[int]":
    """A regular file that has one of these owners and no other name."""
    try:
        fd = os.open(name, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid in owners and found.st_nlink == 1:
        return fd
    os.close(fd)
    return None


def lock(fd: "int") -> "Optional[bool]":
    """Lock a file while its descriptor is open: False if another process holds it, None where there are no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def write_all(fd: "int", view: "Any") -> "None":
    """Write everything at the current position. Raises OSError."""
    while len(view):
        view = view[os.write(fd, view):]


def reserve(fd: "int", start: "int", size: "int") -> "bool":
    """Ask for blocks for what is about to be written, without making the file larger; False where that is not known.

    Writing then takes a third less time, and so renaming to a name that is taken takes none: ext4 otherwise allocates
    the blocks at that moment, so that a crash leaves the old file or the new one. ``os.posix_fallocate`` would write
    zeros on file systems that cannot reserve.
    """
    try:
        fcntl.ioctl(fd, _RESERVE, _RANGE.pack(0, os.SEEK_SET, start, size, 0, 0))
    except OSError:
        return False
    return True


def remove(directory: "int", name: "bytes") -> "None":
    """Remove a file if it is there."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass
