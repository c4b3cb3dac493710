"""Which entries of a tree are taken, and the way through its directories: each is opened through the one above, so no
link is followed by accident, and what is swapped for another while we walk leads nowhere."""

import os
import stat

from ..bootstrap.errors import Error
from . import directories, naming
from .errors import TransferRefused
from .records import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    from .filters import Filter

    # Its name, what it is, and whether a link was followed to that. None for what can only be told of: sockets,
    # devices, links that lead nowhere.
    Taken = Tuple[str, Optional[os.stat_result], bool]


class Walk(object):
    """Goes through what lies below an open directory. ``symlinks`` is "keep", "follow" or "skip"."""

    def __init__(self, top: "int", symlinks: "str", exclude: "Filter") -> "None":
        self._symlinks = symlinks
        self._exclude = exclude
        self._above = [_identity(top)]

    def taken(self, directory: "int", path: "str") -> "List[Taken]":
        """What is taken of an open directory, in order of names; ``path`` is where it lies, with a "/" at its end."""
        found: "List[Taken]" = []
        choosy = bool(self._exclude.rules)
        for name, entry in directories.entries(directory):
            followed = False
            if naming.ours(name):
                continue
            if self._symlinks != "keep" and stat.S_ISLNK(entry.st_mode):
                if self._symlinks == "skip" or self._exclude.excludes(path + name):
                    continue
                try:
                    entry, followed = os.stat(name, dir_fd=directory), True
                except OSError:  # it leads nowhere
                    found.append((name, None, True))
                    continue
            mode = entry.st_mode
            if choosy and self._exclude.excludes(path + name + "/" if stat.S_ISDIR(mode) else path + name):
                continue
            sent = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
            found.append((name, entry if sent else None, followed))
        return found

    def enter(self, directory: "int", name: "str", followed: "bool", path: "str") -> "int":
        """A descriptor of a directory in the one we are in, ``path`` its own; ``leave`` closes it.

        Raises OSError with the whole path, TransferRefused.
        """
        if len(self._above) > MAX_DEPTH:
            raise TransferRefused("directories are nested deeper than %d" % MAX_DEPTH)
        try:
            fd = directories.open_below(directory, name, followed)
        except OSError as error:
            raise named(error, path) from None
        identity = _identity(fd)
        if identity in self._above:
            os.close(fd)
            raise TransferRefused("%s: a link leads back to a directory above it" % path)
        self._above.append(identity)
        return fd

    def leave(self, directory: "int") -> "None":
        """Back to the one above."""
        self._above.pop()
        os.close(directory)


def _identity(directory: "int") -> "Tuple[int, int]":
    found = os.fstat(directory)
    return found.st_dev, found.st_ino


def named(error: "OSError", path: "str") -> "OSError":
    """The same error with the whole path, rather than the last component. Ours stay what they are, though some are
    errors of the system, too."""
    if isinstance(error, Error):
        return error
    return type(error)(error.errno, error.strerror, path)
