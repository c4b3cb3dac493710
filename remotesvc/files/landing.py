"""One file on its way to its final name: a temporary file beside it, verified, made durable, renamed."""

import hashlib
import os
import stat
import time

from ..bootstrap.errors import Error
from . import disk, kept, leftovers, naming, regular
from .errors import DigestMismatch, SourceChanged, TransferRefused
from .records import MAX_SIZE, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Tuple

_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_ZEROS = bytes(1 << 16)
# Bytes that are reserved at once, in files that are larger.
_RESERVED = 1 << 24


class Finish(object):
    """What a file becomes besides its content.

    ``mode`` permission bits instead of the source's; ``special`` keeps set-uid, set-gid and sticky bits of the source;
    ``owner`` (uid, gid), -1 for "as it is"; ``mtime`` nanoseconds; ``times`` takes the source's; ``durable`` says that
    it survives a crash of the machine once it has its name.
    """

    __slots__ = ("mode", "special", "owner", "mtime", "times", "durable")

    def __init__(self, mode: "Optional[int]" = None, special: "bool" = False,
                 owner: "Optional[Tuple[int, int]]" = None, mtime: "Optional[int]" = None, times: "bool" = False,
                 durable: "bool" = True) -> "None":
        self.mode = mode
        self.special = special
        self.owner = owner
        self.mtime = mtime
        self.times = times
        self.durable = durable

    def mode_of(self, source: "int") -> "int":
        """The permission bits for a source with these."""
        if self.mode is not None:
            return self.mode
        return source & (0o7777 if self.special else 0o7777 & ~_SPECIAL)

    def mtime_of(self, source: "int") -> "Optional[int]":
        """The modification time for a source with this one, in nanoseconds; None for now."""
        return self.mtime if self.mtime is not None else source if self.times else None

    def apply(self, fd: "int", mode: "int", mtime: "Optional[int]") -> "None":
        """Give an open file or directory its owner, mode and time. Raises OSError."""
        if self.owner is not None:
            os.fchown(fd, self.owner[0], self.owner[1])
        os.fchmod(fd, mode)  # after the owner: a change of owner takes special bits away
        self.apply_time(fd, mtime)

    @staticmethod
    def apply_time(fd: "int", mtime: "Optional[int]") -> "None":
        """Give an open file or directory its time, if there is one. Raises OSError."""
        if mtime is not None:
            os.utime(fd, ns=(mtime, mtime))


class Landing(object):
    """A file while it is written. ``discard`` it, or ``finish`` and then ``place`` it."""

    def __init__(self, directory: "int", final: "bytes", part: "Optional[bytes]" = None,
                 temporary: "Optional[bytes]" = None, fd: "Optional[int]" = None, hashed: "Any" = None,
                 check: "Callable[[], Any]" = bool) -> "None":
        """``part`` names what may be gone on with, ``temporary`` a file of a tree, which needs no lock. ``fd`` is that,
        if it is open already and locked; ``hashed`` has taken what is in it, if somebody has. Else it is hashed here,
        and ``check()`` raises if that is to end."""
        self.directory = directory
        self.final = final
        self.name = b""
        self.hash = hashlib.sha256()
        self.position = 0
        self.offered = 0
        self._reserved = _RESERVED  # bytes for which nothing is reserved, or everything has been
        self._fd: "Optional[int]" = None
        self._check = check
        if part is not None:
            self._open_part(part, fd)
        if temporary is not None:
            self.name, self._fd = temporary, disk.create(directory, temporary) if fd is None else fd
            if fd is not None:
                self._take_in(hashed)
        while self._fd is None:
            self.name = naming.temporary_name(naming.SINGLE)
            self._fd = disk.create_and_lock(directory, self.name)

    def _open_part(self, part: "bytes", fd: "Optional[int]") -> "None":
        """Go on with what an earlier transfer left, or begin such a part."""
        self.name, self._fd = part, fd
        if self._fd is None:
            self._fd = disk.create_and_lock(self.directory, part)
        if self._fd is None:
            self._fd = disk.open_part(self.directory, part, disk.PATIENCE)
        if self._fd is not None:
            # After a crash its end may be zeros: that is why the sender compares digests before it goes on.
            try:
                self._take_in(None)
            except BaseException as error:
                self._close()
                if not isinstance(error, OSError) or isinstance(error, Error):  # it is to end
                    raise
                self.hash, self.position = hashlib.sha256(), 0  # unreadable: all is sent again, under another name
            self.offered = self.position

    def _take_in(self, hashed: "Any") -> "None":
        """Move to the end of what is there already, hashing it on the way unless that has been done."""
        if hashed is not None:
            self.hash, self.position = hashed, os.lseek(self.fd, 0, os.SEEK_END)
            return
        for block in iter(lambda: os.read(self.fd, regular.BLOCK), b""):
            self._check()
            self.hash.update(block)
            self.position += len(block)

    @property
    def fd(self) -> "int":
        """Its descriptor."""
        if self._fd is None:
            raise TransferRefused("data for a file that is closed")
        return self._fd

    def start_at(self, offset: "int") -> "None":
        """The sender goes on at ``offset``: where we are, or at the beginning. Raises TransferRefused."""
        if offset == self.position:
            return
        if offset:
            raise TransferRefused("the sender goes on at %d, and %d bytes are here" % (offset, self.position))
        os.lseek(self.fd, 0, os.SEEK_SET)
        os.ftruncate(self.fd, 0)
        self.position, self._reserved, self.hash = 0, _RESERVED, hashlib.sha256()

    def write(self, view: "Any") -> "None":
        """The next bytes of it."""
        if self.position >= self._reserved:
            known = disk.reserve(self.fd, self.position, _RESERVED)
            self._reserved = self.position + _RESERVED if known else MAX_SIZE
        self.hash.update(view)
        disk.write_all(self.fd, view)
        self.position += len(view)

    def hole(self, size: "int") -> "None":
        """The next ``size`` bytes are zeros that take no room."""
        self._give_back()
        os.lseek(self.fd, size, os.SEEK_CUR)
        self.position += size
        os.ftruncate(self.fd, self.position)
        zeros(self.hash, size)

    def _give_back(self) -> "None":
        """What was reserved and is not needed."""
        if _RESERVED <= self.position < self._reserved:
            os.ftruncate(self.fd, self.position)
            self._reserved = self.position

    def finish(self, size: "int", digest: "bytes", finish: "Finish", mode: "int", mtime: "int",
               flush: "Optional[Callable[[int], Any]]" = None) -> "None":
        """Verify it, and give it all but its name. ``flush(fd)``, if given, makes it durable and closes it later.

        Raises SourceChanged, DigestMismatch, OSError.
        """
        fd = self.fd
        if size != UNKNOWN and self.position != size:
            raise SourceChanged("%d bytes were announced, %d came" % (size, self.position))
        if self.hash.digest() != digest:
            raise DigestMismatch("what arrived is not what was sent")
        self._give_back()
        check_written(self.position, os.fstat(fd))
        finish.apply(fd, finish.mode_of(mode), finish.mtime_of(mtime))
        if flush is not None:
            self._fd = None
            flush(fd)
        elif finish.durable:
            os.fsync(fd)

    def place(self, durable: "bool") -> "None":
        """Give it its name: whatever had it is replaced, a link itself and not what it leads to. Raises OSError."""
        os.rename(self.name, self.final, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        self.name = b""
        self._close()
        if durable:
            os.fsync(self.directory)

    def discard(self, keep: "bool") -> "None":
        """Give it up; with ``keep`` what is here of it stays to be gone on with. Idempotent."""
        part = self.name.startswith((naming.PREFIX + naming.PART, naming.PREFIX + naming.KEPT))
        if self.name and not (keep and part and self.position):
            disk.remove(self.directory, self.name)
        self.name = b""
        self._close()

    def _close(self) -> "None":
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def check_written(size: "int", found: "os.stat_result") -> "None":
    """Raises DigestMismatch if a file is not as large as what was written to it."""
    if found.st_size != size:
        raise DigestMismatch("%d bytes were written, the file has %d" % (size, found.st_size))


def land(directory: "int", name: "bytes", content: "Any", finish: "Finish", mode: "int", mtime: "int") -> "int":
    """A new file with all its content and attributes; returns its descriptor. Raises OSError, DigestMismatch."""
    wanted = finish.mode_of(mode)
    # It has its final mode at once, unless it is to be somebody else's: whoever may read it later may read it now.
    fd = disk.create(directory, name, wanted & 0o777 if finish.owner is None else 0o600)
    try:
        disk.write_all(fd, content)
        made = os.fstat(fd)
        check_written(len(content), made)
        if finish.owner is not None or stat.S_IMODE(made.st_mode) != wanted:
            finish.apply(fd, wanted, finish.mtime_of(mtime))
        else:
            finish.apply_time(fd, finish.mtime_of(mtime))
    except BaseException:
        os.close(fd)
        raise
    return fd


def zeros(digest: "Any", size: "int") -> "None":
    """Feed a hash with so many zeros."""
    while size > 0:
        digest.update(_ZEROS if size >= len(_ZEROS) else _ZEROS[:size])
        size -= len(_ZEROS)


def sweep(directory: "int", final: "bytes", part: "Optional[bytes]") -> "None":
    """Remove leftovers from the directory of a destination."""
    now = time.time()
    leftovers.sweep(directory, final, part or b"", now)
    kept.sweep(directory, now)
