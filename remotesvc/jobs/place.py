"""Where the records of jobs lie: a directory of the user's alone, in it one for each machine, in that one for each job.

Machines, because many may share a home directory. The directories are held open, and whatever is named is named
relative to them, so that nobody can put another in their place meanwhile; they must be ours, and closed to others.
"""

import contextlib
import errno
import os
import time

from ..home import expand, home
from .errors import JobError
from .folder import DIRECTORY, Folder, opened
from .ids import is_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

# Jobs of one user on one machine whose records are kept at a time; each has a few files, and up to its limit of output.
MOST_JOBS = 1000
# Seconds after its end for which a job is kept that nobody forgets: looked at when the next one begins.
KEPT = 30 * 86400.0
# Seconds after which what was begun under a name of its own and never got its own is a leftover.
_STALE = 86400.0
# Bytes that each job has in reserve while it runs: a full disk has room then for the word that its result is not kept.
_SPARE = 4096
_REMEDY = "name a directory that this user may write to (jobs_dir=, --jobs-dir)"


def usual() -> "str":
    """Where records go if nobody says otherwise, by the XDG base directories. Raises JobError without a home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # others are to be ignored
        own = home()
        if not os.path.isabs(own):
            raise JobError("user %d has no home directory for the records of jobs; %s" % (os.geteuid(), _REMEDY))
        state = os.path.join(own, ".local", "state")
    return os.path.join(state, "remotesvc", "jobs")


def _path(where: "Optional[str]") -> "str":
    return os.path.abspath(expand(where)) if where else usual()


def _node() -> "str":
    return os.uname()[1].replace("/", "_") or "localhost"


def _no_place(path: "str", error: "OSError") -> "JobError":
    return JobError("the records of jobs cannot be kept in %s: %s; %s" % (path, error.strerror, _REMEDY))


class Place(object):
    """The directory with the jobs of this user on this machine, held open. A context manager."""

    def __init__(self, path: "str", fd: "int") -> "None":
        self.path = path
        self._fd = fd

    @classmethod
    def open(cls, where: "Optional[str]") -> "Optional[Place]":
        """The place below ``where``, or the usual one; None if there is none. Raises JobError if it cannot be opened,
        is another user's or open to others."""
        try:
            return cls._below(_path(where))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _no_place(_path(where), error) from None

    @classmethod
    def make(cls, where: "Optional[str]") -> "Place":
        """The place below ``where``, or the usual one; it is made if there is none. Raises JobError if it cannot be
        made or opened, is another user's or open to others."""
        path = _path(where)
        try:
            _make(path)
            root = opened(path, None)
            try:
                _made(_node(), root)
            finally:
                os.close(root)
            return cls._below(path)
        except OSError as error:
            raise _no_place(path, error) from None

    @classmethod
    def _below(cls, path: "str") -> "Place":
        root = opened(path, None)
        try:
            return cls(os.path.join(path, _node()), opened(_node(), root))
        finally:
            os.close(root)

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *exc_info: "object") -> "None":
        os.close(self._fd)

    def ids(self) -> "List[str]":
        """The jobs there are, all of them whole."""
        return sorted(name for name in os.listdir(self._fd) if is_id(name))

    def job(self, name: "str") -> "Folder":
        """The records of one. Raises JobError if there is none, or another's."""
        try:
            return Folder(opened(name, self._fd))
        except FileNotFoundError:
            raise JobError("there is no job %s" % name) from None
        except OSError as error:
            raise JobError("the records of job %s cannot be read: %s" % (name, error.strerror)) from None

    def begin(self, name: "str", record: "bytes") -> "Folder":
        """The records of a new job: they are there for others from now on, with its ``record`` in them, which
        this process holds.

        At most once for each name: it gets its name in one step, and only if none has it. Raises JobError.
        """
        if len(self.ids()) >= MOST_JOBS:
            raise JobError("%s holds %d jobs, which is the limit: forget some (remotesvc jobs HOST --forget)"
                           % (self.path, MOST_JOBS))
        new = ".new-%s-%d" % (name, os.getpid())
        try:
            os.mkdir(new, 0o700, dir_fd=self._fd)
            folder = Folder(opened(new, self._fd))
            try:
                folder.write("job", [record])
                folder.hold("job")
                folder.reserve("spare", _SPARE)
                os.close(folder.create("crash"))
                os.rename(new, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                folder.close()
                self._clear(new)
                raise
            return folder
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise JobError("job %s was begun before" % name) from None
            raise _no_place(self.path, error) from None

    def forget(self, name: "str") -> "None":
        """Remove all records of a job; for others they are gone in one step."""
        gone = ".gone-%s-%d" % (name, os.getpid())
        try:
            os.rename(name, gone, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except FileNotFoundError:
            return  # somebody else was faster
        self._clear(gone)

    def sweep(self) -> "None":
        """Remove what processes left that ended in the middle."""
        for name in os.listdir(self._fd):
            if name.startswith("."):
                try:
                    changed = os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mtime
                except OSError:
                    continue  # not left: it was renamed just now
                if time.time() - changed > _STALE:
                    self._clear(name)

    def _clear(self, name: "str") -> "None":
        try:
            fd = os.open(name, DIRECTORY, dir_fd=self._fd)
        except FileNotFoundError:
            return  # another process tidies up, too
        try:
            for each in os.listdir(fd):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(each, dir_fd=fd)
        finally:
            os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=self._fd)


def _make(path: "str") -> "None":
    """Make a directory and those above it, for us alone."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make(parent)
    _made(path, None)


def _made(path: "str", directory: "Optional[int]") -> "None":
    try:
        os.mkdir(path, 0o700, dir_fd=directory)
    except FileExistsError:
        pass
