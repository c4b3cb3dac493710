"""Packs a tree, directory by directory."""

import os
import stat

from . import regular
from .errors import TransferError, about
from .records import DIRECTORY, DIRECTORY_HEAD, LINK, LINK_HEAD, MAX_TARGET, SKIPPED, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Optional

    from .source import Sending
    from .walk import Walk


class Tree(object):
    """What a walk finds, as messages; with ``wanted(path)``, only files and links for which it is true."""

    def __init__(self, sending: "Sending", walk: "Walk", wanted: "Optional[Callable[[str], bool]]" = None) -> "None":
        self._sending = sending
        self._packer = sending.packer
        self._walk = walk
        self._wanted = wanted

    def messages(self, directory: "int", path: "str" = "") -> "Iterator[Any]":
        """The messages for all entries of a directory; ``path`` is where it lies, with a "/" at its end."""
        for name, found, followed in self._walk.taken(directory, path):
            if found is None:
                self._packer.add(SKIPPED, os.fsencode(path + name)[:MAX_TARGET])
            elif stat.S_ISDIR(found.st_mode):
                yield from self._directory(directory, name, found, path + name + "/", followed)
            elif self._wanted is None or self._wanted(path + name):
                if stat.S_ISLNK(found.st_mode):
                    self._link(directory, name, path + name)
                else:
                    yield from self._file(directory, name, found, path + name, followed)

    def _directory(self, directory, name, found, path, followed):
        # type: (int, str, os.stat_result, str, bool) -> Iterator[Any]
        fd = self._walk.enter(directory, name, followed, path)
        if fd is None:
            return
        try:
            self._packer.add(DIRECTORY, DIRECTORY_HEAD.pack(found.st_mode & 0o7777, found.st_mtime_ns),
                             os.fsencode(name))
            yield from self.messages(fd, path)
            self._packer.add(UP)
        finally:
            self._walk.leave(fd)

    def _file(self, directory, name, found, path, followed):
        # type: (int, str, os.stat_result, str, bool) -> Iterator[Any]
        try:
            fd = regular.open_file(name, directory, followed)
        except FileNotFoundError:  # gone since the directory was read
            return
        except OSError as error:
            raise self._walk.named(error, path) from None
        try:
            if self._sending.small(fd, os.fsencode(name), found, path):
                yield from self._packer.take()
            else:
                regular.check_regular(fd, name)
                yield from self._sending.file(fd, os.fsencode(name), path)
        except OSError as error:
            raise self._walk.named(error, path) from None
        except TransferError as error:
            raise about(error, self._walk.whole(path)) from None
        finally:
            os.close(fd)

    def _link(self, directory: "int", name: "str", path: "str") -> "None":
        try:
            target = os.fsencode(os.readlink(name, dir_fd=directory))
        except FileNotFoundError:  # gone since the directory was read
            return
        except OSError as error:
            raise self._walk.named(error, path) from None
        if len(target) <= MAX_TARGET:
            packed = os.fsencode(name)
            self._packer.add(LINK, LINK_HEAD.pack(len(packed)), packed, target)
