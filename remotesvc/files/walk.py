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
    from typing import Iterator, Optional, Tuple

    from .filters import Filter

    # Its name, what it is, and whether a link was followed to that. None for what can only be told of: sockets,
    # devices, links that lead nowhere.
    Taken = Tuple[str, Optional[os.stat_result], bool]


class Walk(object):
    """Goes through what lies below an open directory. ``symlinks`` is "keep", "follow" or "skip"; ``place`` is the path
    of that directory, as people know it. Paths below it have a "/" at their end if they are of directories."""

    def __init__(self, top: "int", symlinks: "str", exclude: "Filter", place: "str") -> "None":
        self._symlinks = symlinks
        self._exclude = exclude
        self._place = place
        self._above = [_identity(top)]

    def taken(self, directory: "int", path: "str") -> "Iterator[Taken]":
        """What is taken of an open directory, in order of names, each looked at when its turn has come; ``path`` is
        where it lies. Nothing of one that has vanished, but for the top one. Raises OSError with the whole path."""
        try:
            yield from self._taken(directory, path)
        except FileNotFoundError as error:
            if not path:
                raise self.named(error, path) from None
        except OSError as error:
            raise self.named(error, path + (error.filename if isinstance(error.filename, str) else "")) from None

    def _taken(self, directory: "int", path: "str") -> "Iterator[Taken]":
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
                    yield name, None, True
                    continue
            mode = entry.st_mode
            if choosy and self._exclude.excludes(path + name + "/" if stat.S_ISDIR(mode) else path + name):
                continue
            sent = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
            yield name, entry if sent else None, followed

    def enter(self, directory: "int", name: "str", followed: "bool", path: "str") -> "Optional[int]":
        """A descriptor of a directory in the one we are in, ``path`` its own; ``leave`` closes it. None if it has
        vanished.

        Raises OSError with the whole path, TransferRefused.
        """
        if len(self._above) > MAX_DEPTH:
            raise TransferRefused("%s: directories are nested deeper than %d" % (self.whole(path), MAX_DEPTH))
        try:
            fd = directories.open_below(directory, name, followed)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.named(error, path) from None
        identity = _identity(fd)
        if identity in self._above:
            os.close(fd)
            raise TransferRefused("%s: a link leads back to a directory above it" % self.whole(path))
        self._above.append(identity)
        return fd

    def leave(self, directory: "int") -> "None":
        """Back to the one above."""
        self._above.pop()
        os.close(directory)

    def whole(self, path: "str") -> "str":
        """Where something lies, as people know it."""
        return os.path.join(self._place, path).rstrip("/") or "/"

    def named(self, error: "OSError", path: "str") -> "OSError":
        """An error of the system with the whole path, rather than its last component. Ours stay what they are, though
        some are errors of the system, too."""
        if isinstance(error, Error):
            return error
        return type(error)(error.errno, error.strerror, self.whole(path))


def _identity(directory: "int") -> "Tuple[int, int]":
    found = os.fstat(directory)
    return found.st_dev, found.st_ino
