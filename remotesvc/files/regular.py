"""A regular file that is read: opened so that nothing else is waited for, its states told apart, where its data lie."""

import errno
import os
import stat

from .errors import TransferRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Optional, Tuple

# A regular file is opened so that a FIFO or a device, should it take the file's place, does not make us wait.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# Bytes read at once where a file is only read to be hashed.
BLOCK = 1 << 20
# Files below this are not asked for holes: it would cost more than the zeros.
HOLES_FROM = 1 << 16
# Bytes hashed between two signs of life.
_SIGN_EVERY = 1 << 26


def open_file(name: "Any", directory: "Optional[int]" = None, follow: "bool" = True) -> "int":
    """A descriptor of what should be a regular file, which is to be checked. Raises OSError."""
    return os.open(name, _READ if follow else _READ | os.O_NOFOLLOW, dir_fd=directory)


def check_regular(fd: "int", name: "Any") -> "None":
    """Raises TransferRefused if a descriptor is of anything but a regular file."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise TransferRefused("%s is not a regular file" % os.fsdecode(name))


def open_regular(name: "Any", directory: "Optional[int]" = None, follow: "bool" = True) -> "int":
    """A descriptor of a regular file. Raises TransferRefused for anything else, at once, and OSError."""
    fd = open_file(name, directory, follow)
    try:
        check_regular(fd, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def same(one: "os.stat_result", other: "os.stat_result") -> "bool":
    """Are these two looks at one file, that was not written to between them?"""
    return (one.st_ino == other.st_ino and one.st_mtime_ns == other.st_mtime_ns and one.st_size == other.st_size
            and one.st_ctime_ns == other.st_ctime_ns and one.st_mode == other.st_mode and one.st_dev == other.st_dev)


def changed(before: "os.stat_result", after: "os.stat_result") -> "bool":
    """Was a file written to between these two looks?"""
    return any(getattr(before, name) != getattr(after, name) for name in ("st_size", "st_mtime_ns", "st_ctime_ns"))


def extents(fd: "int", found: "os.stat_result", offset: "int") -> "Iterator[Tuple[int, int]]":
    """Where a file has data: (start, end) in order, closed by an empty one at its end."""
    size = found.st_size
    sparse = size >= HOLES_FROM and found.st_blocks * 512 < size and hasattr(os, "SEEK_DATA")
    while sparse and offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                break
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
                raise  # to take it for a hole would make zeros of what is there
            sparse = False  # not known here
            continue
        end = min(size, os.lseek(fd, start, os.SEEK_HOLE))
        yield start, end
        offset = end
    if not sparse:
        yield offset, size
    yield size, size


def prefix(fd: "int", size: "int") -> "Iterator[Any]":
    """Hash the first bytes of a file: yields None now and then, at last the hash object; not if it is shorter."""
    import hashlib  # what only lists a directory needs none
    digest, left = hashlib.sha256(), size
    os.lseek(fd, 0, os.SEEK_SET)
    while left:
        block = os.read(fd, min(BLOCK, left))
        if not block:
            return
        digest.update(block)
        left -= len(block)
        if (size - left) % _SIGN_EVERY == 0:
            yield None
    yield digest
