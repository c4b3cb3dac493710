"""Directories by descriptor, temporary files beside their final names, and what survives a crash.

Nothing here follows a symbolic link but ``open_directory``, which gets the path a user gave.
"""

import fcntl
import os
import stat
import struct

from .errors import TransferRefused
from .records import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Optional, Tuple

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BENEATH = _DIRECTORY | os.O_NOFOLLOW
# A regular file is opened so that a FIFO or a device, should it take the file's place, does not make us wait.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Names of ours in a user's directory: of a single file (locked while it is written), of a part that may be gone on
# with, and of a tree: of its files (closed long before they get their names), of those that are kept when it is
# interrupted, and of the marker that leads to them.
PREFIX = b".remotesvc-"
SINGLE, PART, TREE, KEPT, MARK = b"s", b"p", b"t", b"k", b"m"
_END = b".part"
_BEGIN, _HEX = os.fsdecode(PREFIX), b"0123456789abcdef"
# Linux's FS_IOC_RESVSP64, which all file systems answer alike, and its struct space_resv.
_RESERVE, _RANGE = 0x4030582A, struct.Struct("hhqqiI16x")
# Seconds after which a file of a tree is a leftover: no lock tells.
STALE = 86400.0
# Seconds that a part, or what there is of a tree, is kept to be gone on with.
KEEP_PART = 7 * 86400.0
# Bytes read at once where a file is only read to be hashed.
BLOCK = 1 << 20
# A directory that is larger holds so many names that looking for leftovers would cost more than the transfer.
_LOOK_UP_TO = 1 << 20


def ours(name: "str") -> "bool":
    """Is this the name of a file on its way?"""
    return name.startswith(_BEGIN) and _parsed(os.fsencode(name)) is not None


def _parsed(name: "bytes") -> "Optional[Tuple[bytes, bytes]]":
    """The kind and the first number in a name of ours; None for others. By hand: a target takes five milliseconds to
    import ``re``, longer than to list a thousand files."""
    kind, numbers = name[len(PREFIX):len(PREFIX) + 1], name[len(PREFIX) + 1:-len(_END)].split(b"-")
    if not name.startswith(PREFIX) or not name.endswith(_END) or kind not in (SINGLE, PART, TREE, KEPT, MARK):
        return None
    if len(numbers) > 2 or any(len(number) != 16 or number.strip(_HEX) for number in numbers):
        return None
    return kind, numbers[0]


def expand(path: "str") -> "str":
    """A path as a user wrote it, with "~" for a home directory."""
    if "\0" in path or not path:
        raise TransferRefused("%r is not a path" % path[:80])
    return os.path.expanduser(path)


def open_directory(path: "str") -> "int":
    """A descriptor of the directory a user named, links followed. Raises OSError."""
    return os.open(path or ".", _DIRECTORY)


def open_below(directory: "int", name: "Any", follow: "bool" = False) -> "int":
    """A descriptor of a directory in another. Raises OSError."""
    return os.open(name, _DIRECTORY if follow else _BENEATH, dir_fd=directory)


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


def temporary_name(kind: "bytes") -> "bytes":
    """A name nobody else uses."""
    return PREFIX + kind + random_number() + b".part"


def random_number() -> "bytes":
    """A number nobody else has, as it stands in a name of ours."""
    return _hex(os.urandom(8))


def part_name(final: "bytes", identity: "bytes") -> "bytes":
    """The name under which the beginning of one source is kept for one destination."""
    return PREFIX + PART + key_of(final) + b"-" + identity + b".part"


def key_of(final: "bytes") -> "bytes":
    """What stands for a final name in a name of ours."""
    import hashlib
    return _hex(hashlib.sha256(final).digest()[:8])


def _hex(raw: "bytes") -> "bytes":
    return b"%016x" % int.from_bytes(raw, "big")


def create(directory: "int", name: "bytes", mode: "int" = 0o600) -> "int":
    """A new file. Raises OSError."""
    return os.open(name, _NEW, mode, dir_fd=directory)


def create_locked(directory: "int", name: "bytes") -> "Optional[int]":
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


def open_part(directory: "int", name: "bytes") -> "Optional[int]":
    """What was kept of an earlier transfer, locked; None if there is nothing, or nothing of ours, or it is in use."""
    fd = _open_own(directory, name, os.O_RDWR, (os.geteuid(),))
    if fd is not None and lock(fd) is False:
        os.close(fd)
        return None
    return fd


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

    Writing takes a third less then, and a file that takes another's name (ext4 has its blocks found at that moment, so
    that a crash leaves one of both) takes it at once. ``os.posix_fallocate`` would write zeros where it is not known.
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
        parsed = _parsed(name)
        if parsed is not None and name != keep and _sweep_one(directory, name, parsed[0], parsed[1] == key, now):
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
        fd = open_part(directory, name)
        if fd is None:
            return False
        try:
            # Locked by us, so nobody writes it; where there are no locks its age must tell.
            gone = lock(fd) if kind == SINGLE else same
            if gone or age > (STALE if kind == SINGLE else KEEP_PART):
                os.unlink(name, dir_fd=directory)
                return True
        finally:
            os.close(fd)
    except OSError:
        pass
    return False


def identity_of(found: "os.stat_result") -> "bytes":
    """What tells one state of a file from all others on its machine, as 16 hexadecimal digits."""
    import hashlib
    text = "%d %d %d %d" % (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return _hex(hashlib.sha256(text.encode()).digest()[:8])


def same(one: "os.stat_result", other: "os.stat_result") -> "bool":
    """Are these two looks at one file, that was not written to between them?"""
    return (one.st_ino == other.st_ino and one.st_mtime_ns == other.st_mtime_ns and one.st_size == other.st_size
            and one.st_ctime_ns == other.st_ctime_ns and one.st_mode == other.st_mode and one.st_dev == other.st_dev)


def changed(before: "os.stat_result", after: "os.stat_result") -> "bool":
    """Was a file written to between these two looks?"""
    return any(getattr(before, name) != getattr(after, name) for name in ("st_size", "st_mtime_ns", "st_ctime_ns"))


class Walker(object):
    """Moves through the directories below a top one by descriptor, one component at a time, following no link.

    ``fd`` is the directory it is in, ``path`` where that is, below the top.
    """

    def __init__(self, top: "int") -> "None":
        self.fd = top
        self.path: "Tuple[bytes, ...]" = ()
        self._above: "List[int]" = []

    def down(self, name: "bytes", make: "Optional[int]" = None) -> "bool":
        """Enter a directory; with ``make``, its mode, it is made if missing and takes the place of what is none.
        Returns whether it was made. Raises OSError, TransferRefused."""
        if len(self._above) >= MAX_DEPTH:
            raise TransferRefused("directories are nested deeper than %d" % MAX_DEPTH)
        made = False
        try:
            fd = open_below(self.fd, name)
        except OSError:
            if make is None:
                raise
            made = self._make(name, make & 0o777 | 0o700)
            fd = open_below(self.fd, name)
        self._above.append(self.fd)
        self.fd, self.path = fd, self.path + (name,)
        return made

    def _make(self, name: "bytes", mode: "int") -> "bool":
        try:
            os.mkdir(name, mode, dir_fd=self.fd)
            return True
        except FileExistsError:
            if stat.S_ISDIR(os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode):
                return False
        os.unlink(name, dir_fd=self.fd)  # a link or a file stands where a directory belongs: it is replaced
        os.mkdir(name, mode, dir_fd=self.fd)
        return True

    def up(self) -> "None":
        """Leave the directory."""
        left, self.fd = self.fd, self._above.pop()
        self.path = self.path[:-1]
        os.close(left)

    def go(self, path: "Tuple[bytes, ...]") -> "int":
        """Move to another directory below the top; returns its descriptor. Raises OSError."""
        common = 0
        while common < min(len(path), len(self.path)) and path[common] == self.path[common]:
            common += 1
        while len(self.path) > common:
            self.up()
        for name in path[common:]:
            self.down(name)
        return self.fd

    def close(self) -> "None":
        """Close what it opened; the top one belongs to whoever made it."""
        while self._above:
            self.up()


def entries(directory: "int") -> "Iterator[Tuple[str, os.stat_result]]":
    """The entries of an open directory in order of their names, with what each is; what vanishes is left out."""
    for name in sorted(os.listdir(directory)):
        try:
            yield name, os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue


def parts_of(directory: "int", final: "bytes") -> "List[bytes]":
    """The names of the parts kept for one destination."""
    begin = PREFIX + PART + key_of(final)
    try:
        names = [os.fsencode(name) for name in os.listdir(directory)]
    except OSError:
        return []
    return [name for name in names if name.startswith(begin) and _parsed(name)]


def identity_in(part: "bytes") -> "bytes":
    """The identity of the source that a part is the beginning of, from its name."""
    return part[:-len(b".part")].rpartition(b"-")[2]
