"""Directories by descriptor: opened, listed, and moved through one component at a time.

Nothing here follows a symbolic link but ``open_directory``, which gets the path a user gave.
"""

import errno
import os
import stat

from .. import home
from .errors import TransferRefused
from .records import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Optional, Tuple

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BENEATH = _DIRECTORY | os.O_NOFOLLOW


def expand(path: "str") -> "str":
    """A path as a user wrote it, with "~" for a home directory. Raises TransferRefused."""
    if "\0" in path or not path:
        raise TransferRefused("%r is not a path" % path[:80])
    expanded = home.expand(path)
    if expanded.startswith("~"):  # rather than a directory of that name, which nobody looks for
        raise TransferRefused("no home directory is known for %s; ./%s is what has that name"
                              % (path.partition("/")[0], path))
    return expanded


def is_content(path: "str") -> "bool":
    """Does it name what is in a directory, rather than the directory? So "dir/", "dir/.", "." and ".." do."""
    return path.rpartition("/")[2] in ("", ".", "..")


def open_directory(path: "str") -> "int":
    """A descriptor of the directory a user named, links followed. Raises OSError."""
    return os.open(path or ".", _DIRECTORY)


def make(path: "str", durable: "bool", mode: "int" = 0o777) -> "None":
    """Make a directory with this mode, as far as the umask allows it, and those above it that are missing; ``durable``:
    they survive a crash of the machine. Raises OSError."""
    parents, above = [], path.rstrip("/")
    outer = os.path.dirname(above)
    while durable and above and not os.path.isdir(above):
        above = os.path.dirname(above)
        parents.append(above)
    try:
        if outer:
            os.makedirs(outer, exist_ok=True)
        if not os.path.isdir(path):
            os.mkdir(path, mode)
    except FileExistsError as error:
        if not os.path.isdir(path):  # else somebody was faster
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from None
    for parent in parents:
        try:
            fd = open_directory(parent)
        except PermissionError:  # names may be made in it, but not read
            continue
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def open_below(directory: "int", name: "Any", follow: "bool" = False) -> "int":
    """A descriptor of a directory in another. Raises OSError."""
    return os.open(name, _DIRECTORY if follow else _BENEATH, dir_fd=directory)


def entries(directory: "int") -> "Iterator[Tuple[str, os.stat_result]]":
    """The entries of an open directory in order of their names, with what each is; what vanishes is left out."""
    for name in sorted(os.listdir(directory)):
        try:
            yield name, os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue


class Walker(object):
    """Moves through the directories below a top one by descriptor, one component at a time, following no link.

    ``fd`` is the directory it is in, ``path`` where that is, below the top.
    """

    def __init__(self, top: "int") -> "None":
        self.fd = top
        self.path: "Tuple[bytes, ...]" = ()
        self._above: "List[int]" = []

    def down(self, name: "bytes", make: "Optional[int]" = None, replace: "bool" = False) -> "bool":
        """Enter a directory. ``make`` is the mode to make it with where there is none: in place of a link always, of
        a file or the like only if it may ``replace`` that. Returns whether it was made. Raises OSError,
        TransferRefused."""
        if len(self._above) >= MAX_DEPTH:
            raise TransferRefused("%s: directories are nested deeper than %d"
                                  % (os.fsdecode(b"/".join(self.path + (name,))), MAX_DEPTH))
        made = False
        try:
            fd = open_below(self.fd, name)
        except OSError:
            if make is None:
                raise
            made = self._make(name, make & 0o777 | 0o700, replace)
            fd = open_below(self.fd, name)
        self._above.append(self.fd)
        self.fd, self.path = fd, self.path + (name,)
        return made

    def _make(self, name: "bytes", mode: "int", replace: "bool") -> "bool":
        try:
            os.mkdir(name, mode, dir_fd=self.fd)
            return True
        except FileExistsError:
            found = os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode
            if stat.S_ISDIR(found):
                return False
        if not replace and not stat.S_ISLNK(found):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        os.unlink(name, dir_fd=self.fd)
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
