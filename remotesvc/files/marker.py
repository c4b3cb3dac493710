"""The marker in the top of a tree: it leads to what an interrupted transfer of the tree left.

A file of a fixed name: the number of the transfer, then each directory it went into, "+" if it made that, "-" if not,
and the path below the top; all closed by zeros. The number is random: the tops of two transfers may lie in one another.

A directory is noted before anything is in it, so the marker leads to all that a transfer left that was killed, and not
through what else lies below the top. Whoever follows its paths takes them for those of a peer: anybody may have written
to it.
"""

import os

from . import disk, naming, regular
from .records import name_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Tuple

    Path = Tuple[bytes, ...]

MARKER = naming.PREFIX + naming.MARK + b"0" * 16 + b".part"
# Bytes of a marker: paths of a hundred thousand directories. Files in further directories are sent anew.
_MAX_MARKER = 1 << 24


class Marker(object):
    """A marker that is open and locked.

    ``left``: the directories that an earlier transfer went into, and whether it made them. ``prefix`` begins the names
    of files on their way: those of that transfer, until another one is to ``begin``.
    """

    def __init__(self, fd: "int") -> "None":
        self._fd = fd
        self.left: "Dict[bytes, bool]" = {}
        data = b""
        while len(data) <= _MAX_MARKER:
            block = os.read(fd, regular.BLOCK)
            if not block:
                break
            data += block
        entries = data.split(b"\0")[:-1]  # what is not closed was being written when it was killed
        self._size = sum(map(len, entries)) + len(entries)
        self.prefix = _prefix(entries[0] if entries else b"")
        if entries and naming.ours(os.fsdecode(self.name(b""))):
            for entry in entries[1:]:
                if entry[:1] in (b"+", b"-"):
                    self.left.setdefault(entry[1:], entry[:1] == b"+")
            os.lseek(fd, self._size, os.SEEK_SET)

    def begin(self) -> "None":
        """Empty it, for a transfer with a number of its own."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.ftruncate(self._fd, 0)
        number = naming.random_number()
        self.prefix, self._size = _prefix(number), 0
        self._write(number)

    def note(self, path: "bytes", made: "bool") -> "None":
        """The transfer goes into a directory, and has ``made`` it; not noted where the marker is full."""
        if self._size <= _MAX_MARKER:
            self._write((b"+" if made else b"-") + path)

    def _write(self, entry: "bytes") -> "None":
        disk.write_all(self._fd, entry + b"\0")
        self._size += len(entry) + 1

    def name(self, final: "bytes") -> "bytes":
        """The name of a file on its way to a final name in the same directory."""
        return self.prefix + naming.key_of(final) + b".part"


def _prefix(number: "bytes") -> "bytes":
    return naming.PREFIX + naming.KEPT + number + b"-"


def components_untrusted(path: "bytes") -> "Path":
    """The names of a path below the top. Raises TransferRefused."""
    return tuple(name_untrusted(part) for part in path.split(b"/")) if path else ()
