"""The files of one job, in a directory of the user's alone.

They are written whole, and read as if a stranger had written them: regular files only, up to a limit.
"""

import errno
import fcntl
import os
import stat

from .errors import JobError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Optional

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder(object):
    """The files of one job, by a directory that is held open. A context manager."""

    def __init__(self, fd: "int") -> "None":
        self.fd = fd
        self._held: "Optional[int]" = None

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *exc_info: "object") -> "None":
        self.close()

    def close(self) -> "None":
        """Let go of the directory, and of the file that is held."""
        os.close(self.fd)
        if self._held is not None:
            os.close(self._held)

    def names(self) -> "List[str]":
        """The files there are."""
        return os.listdir(self.fd)

    def create(self, name: "str") -> "int":
        """A new file that only we may open. Raises OSError."""
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                       dir_fd=self.fd)

    def reserve(self, name: "str", size: "int") -> "None":
        """A new file of so many bytes, which nobody reads. Raises OSError."""
        fd = self.create(name)
        try:
            write_all(fd, bytes(size))
        finally:
            os.close(fd)

    def remove(self, name: "str") -> "None":
        """Remove a file, if it is there."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass

    def write(self, name: "str", pieces: "Iterable[bytes]") -> "None":
        """Write a file whole: it gets its name when all of it is on the disk. Raises OSError."""
        new = ".%s-%d" % (name, os.getpid())
        fd = self.create(new)
        try:
            try:
                for piece in pieces:
                    write_all(fd, piece)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(new, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            self.remove(new)
            raise

    def open(self, name: "str") -> "int":
        """A file to be read, which may be anything but one that blocks. Raises OSError, FileNotFoundError."""
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "%s is not a regular file" % name)
        return fd

    def open_to_write(self, name: "str") -> "int":
        """A file of ours that is there. Raises OSError."""
        return os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)

    def hold(self, name: "str") -> "None":
        """Lock a file for as long as this is open and the process lives: its forks have no part in that. Raises OSError
        if there is no such file."""
        self._held = self.open_to_write(name)
        try:
            fcntl.lockf(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass  # a file system without locks

    def held(self, name: "str") -> "bool":
        """Does the process that holds a file live? It may be one that cannot be seen from here."""
        try:
            fd = self.open(name)
        except OSError:
            return False
        try:
            fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except OSError as error:
            return error.errno in (errno.EACCES, errno.EAGAIN)
        finally:
            os.close(fd)

    def read(self, name: "str", limit: "int") -> "bytes":
        """The first ``limit`` bytes of a file; empty if there is none, or none that is a file."""
        try:
            fd = self.open(name)
        except OSError:
            return b""
        try:
            return read_up_to(fd, limit)
        finally:
            os.close(fd)


def write_all(fd: "int", data: "bytes") -> "None":
    """Write all of it. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left):]


def read_up_to(fd: "int", size: "int") -> "bytes":
    """So many bytes, or fewer if the file ends. Raises OSError."""
    pieces: "List[bytes]" = []
    while size:
        pieces.append(os.read(fd, size))
        if not pieces[-1]:
            break
        size -= len(pieces[-1])
    return b"".join(pieces)


def opened(path: "str", directory: "Optional[int]") -> "int":
    """A directory of ours that is closed to others."""
    try:
        fd = os.open(path, DIRECTORY, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise JobError("%s holds no jobs: it is not a directory, or a symbolic link" % path) from None
        raise
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        trouble = "it belongs to user %d" % found.st_uid
    elif found.st_mode & 0o077:
        trouble = "others may open it (mode %o; chmod 700 makes it ours alone)" % stat.S_IMODE(found.st_mode)
    else:
        return fd
    os.close(fd)
    raise JobError("%s is no place for the records of jobs of user %d: %s" % (path, os.geteuid(), trouble))
