"""A target's side of ``sync`` once it differs: checksums of blocks, and the removal of what is no longer wanted."""

import errno
import os
import stat

from ..bootstrap.calls.current import current
from . import directories, regular
from .delta import signature
from .filters import Filter
from .plan import MAX_NAMED
from .records import name_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Tuple


def signatures(dst: "str", wanted: "List[Tuple[bytes, int, int]]") -> "Iterator[bytes]":
    """The checksums of each file's blocks: (path below the top, size of a block, how many at most); b"" for one that is
    gone."""
    top = directories.open_directory(directories.expand(dst))
    walker = directories.Walker(top)
    try:
        for path, block, most in wanted:
            yield _signature(walker, path, block, most)
    finally:
        walker.close()
        os.close(top)


def _signature(walker: "directories.Walker", path: "bytes", block: "int", most: "int") -> "bytes":
    parts = [name_untrusted(name) for name in path.split(b"/")]
    try:
        fd = regular.open_regular(parts[-1], walker.go(tuple(parts[:-1])), False)
    except OSError:
        return b""
    call = current()

    def read(size: "int") -> "bytes":
        call.check()
        return os.read(fd, size)

    try:
        return signature(read, block, most)
    finally:
        os.close(fd)


def refuse(dst: "str", path: "bytes", delete: "bool") -> "None":
    """Raise the error of a file that cannot take the place of a directory, which stays."""
    why = ("a directory is there, and what is excluded in it stays" if delete else
           "a directory is there, which only delete=True (--delete) removes")
    raise IsADirectoryError(errno.EISDIR, why, os.path.join(directories.expand(dst), os.fsdecode(path)))


def remove(dst: "str", paths: "List[bytes]", rules: "Any", dry_run: "bool") -> "Dict[str, Any]":
    """Remove entries below the top, directories with all they hold but what ``rules`` exclude; links are removed, not
    followed. Returns how many were, or would be, a whole directory counting as one, and the paths of the first."""
    top = directories.open_directory(directories.expand(dst))
    walker, removal = directories.Walker(top), _Removal(Filter(rules), dry_run)
    try:
        for path in paths:
            parts = [name_untrusted(name) for name in path.split(b"/")]
            try:
                removal.remove(walker.go(tuple(parts[:-1])), parts[-1], path)
            except (FileNotFoundError, NotADirectoryError):  # gone already
                continue
            except OSError as error:
                raise type(error)(error.errno, error.strerror, os.path.join(
                    directories.expand(dst), os.fsdecode(error.filename or path))) from None
        return {"count": len(removal.gone), "names": b"\0".join(removal.gone[:MAX_NAMED])}
    finally:
        walker.close()
        os.close(top)


class _Removal(object):
    """Removes, or only tells what it would; ``gone`` has the paths."""

    def __init__(self, exclude: "Filter", dry_run: "bool") -> "None":
        self.gone: "List[bytes]" = []
        self._exclude = exclude
        self._dry_run = dry_run
        self._call = current()

    def remove(self, directory: "int", name: "Any", path: "bytes") -> "bool":
        """One entry: is nothing left of it?"""
        self._call.check()
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
        if self._exclude.rules and self._exclude.excludes(os.fsdecode(path + b"/" * is_directory)):
            return False
        before = len(self.gone)
        try:
            if is_directory and not self._emptied(directory, name, path):
                return False
            if not self._dry_run:
                (os.rmdir if is_directory else os.unlink)(name, dir_fd=directory)
        except OSError as error:
            if not isinstance(error.filename, bytes) or b"/" not in error.filename:
                error.filename = path  # rather than the name alone
            raise
        self.gone[before:] = [path]
        return True

    def _emptied(self, directory: "int", name: "Any", path: "bytes") -> "bool":
        fd = directories.open_below(directory, name)
        try:
            emptied = True
            for inner, _found in directories.entries(fd):
                emptied = self.remove(fd, inner, path + b"/" + os.fsencode(inner)) and emptied
            return emptied
        finally:
            os.close(fd)
