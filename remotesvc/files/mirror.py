"""A target's side of ``sync`` once it differs: checksums of blocks, and the removal of what is no longer wanted."""

import os
import stat

from ..bootstrap.calls.current import current
from . import directories, regular
from .delta import signature
from .records import name_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Tuple


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


def remove(dst: "str", paths: "List[bytes]") -> "int":
    """Remove entries below the top, directories with all they hold; links are removed, not followed."""
    call, top = current(), directories.open_directory(directories.expand(dst))
    walker = directories.Walker(top)
    try:
        for path in paths:
            call.check()
            parts = [name_untrusted(name) for name in path.split(b"/")]
            try:
                _remove(walker.go(tuple(parts[:-1])), parts[-1])
            except (FileNotFoundError, NotADirectoryError):  # gone already
                continue
        return len(paths)
    finally:
        walker.close()
        os.close(top)


def _remove(directory: "int", name: "Any") -> "None":
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=directory)
        return
    fd = directories.open_below(directory, name)
    try:
        for inner, _found in directories.entries(fd):
            _remove(fd, inner)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=directory)
