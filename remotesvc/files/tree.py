"""Walks a tree and packs it, directory by directory, each opened through the one above: no link is followed by
accident, and what is swapped for another while we walk leads nowhere."""

import os
import stat

from . import disk
from .errors import TransferError, TransferRefused, about
from .records import DIRECTORY, DIRECTORY_HEAD, LINK, LINK_HEAD, MAX_DEPTH, MAX_TARGET, SKIPPED, UP
from .source import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Optional, Set, Tuple

    from .filters import Filter
    from .source import Sending


class Tree(object):
    """What lies below an open directory. ``symlinks`` is "keep", "follow" or "skip"; with ``wanted(path)``, only files
    and links for which it is true."""

    def __init__(self, sending: "Sending", symlinks: "str", exclude: "Filter",
                 wanted: "Optional[Callable[[str], bool]]" = None) -> "None":
        self._wanted = wanted
        self._sending = sending
        self._packer = sending.packer
        self._symlinks = symlinks
        self._exclude = exclude
        self._above: "Set[Tuple[int, int]]" = set()

    def messages(self, directory: "int", path: "str" = "", depth: "int" = 0) -> "Iterator[Any]":
        """The messages for all entries of a directory; ``path`` is where it lies, with a "/" at its end."""
        if depth > MAX_DEPTH:
            raise TransferRefused("directories are nested deeper than %d" % MAX_DEPTH)
        here = os.fstat(directory)
        key = here.st_dev, here.st_ino
        if key in self._above:
            raise TransferRefused("%s: a link leads back to a directory above it" % path)
        self._above.add(key)
        for name, found in disk.entries(directory):
            if not disk.ours(name):
                for message in self._entry(directory, name, found, path + os.fsdecode(name), depth):
                    yield message
        self._above.discard(key)

    def _entry(self, directory, name, found, path, depth):
        # type: (int, bytes, os.stat_result, str, int) -> Iterator[Any]
        follow = False
        if stat.S_ISLNK(found.st_mode):
            if self._exclude.excludes(path) or self._symlinks == "skip":
                return
            if self._symlinks == "keep":
                if self._wanted is None or self._wanted(path):
                    self._link(directory, name)
                return
            follow = True
            try:
                found = os.stat(name, dir_fd=directory)
            except OSError:  # it leads nowhere
                self._skip(path)
                return
        if stat.S_ISDIR(found.st_mode):
            if self._exclude.excludes(path + "/"):
                return
            for message in self._directory(directory, name, found, path + "/", depth, follow):
                yield message
        elif self._exclude.excludes(path):
            return
        elif stat.S_ISREG(found.st_mode):
            if self._wanted is not None and not self._wanted(path):
                return
            if self._sending.listed(name, found):
                return
            for message in self._file(directory, name, path, follow):
                yield message
        else:
            self._skip(path)

    def _directory(self, directory, name, found, path, depth, follow):
        # type: (int, bytes, os.stat_result, str, int, bool) -> Iterator[Any]
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW),
                         dir_fd=directory)
        except OSError as error:
            raise _named(error, path) from None
        try:
            self._packer.add(DIRECTORY, DIRECTORY_HEAD.pack(found.st_mode & 0o7777, found.st_mtime_ns), name)
            for message in self.messages(fd, path, depth + 1):
                yield message
            self._packer.add(UP)
        finally:
            os.close(fd)

    def _file(self, directory: "int", name: "bytes", path: "str", follow: "bool") -> "Iterator[Any]":
        try:
            fd = open_regular(name, directory, follow)
        except FileNotFoundError:  # gone since the directory was read
            return
        except OSError as error:
            raise _named(error, path) from None
        try:
            for message in self._sending.file(fd, name, path):
                yield message
        except OSError as error:
            raise _named(error, path) from None
        except TransferError as error:
            raise about(error, path) from None
        finally:
            os.close(fd)

    def _link(self, directory: "int", name: "bytes") -> "None":
        target = os.fsencode(os.readlink(name, dir_fd=directory))
        if len(target) <= MAX_TARGET:
            self._packer.add(LINK, LINK_HEAD.pack(len(name)), name, target)

    def _skip(self, path: "str") -> "None":
        self._packer.add(SKIPPED, os.fsencode(path)[:MAX_TARGET])


def _named(error: "OSError", path: "str") -> "OSError":
    """The same error with the whole path, rather than the last component."""
    return type(error)(error.errno, error.strerror, path)
