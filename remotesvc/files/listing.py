"""What lies in a tree, without its content: made on both sides of a sync, and compared."""

import hashlib
import os
import stat

from . import disk
from .errors import TransferRefused
from .landing import BLOCK
from .records import (
    DIRECTORY,
    DIRECTORY_HEAD,
    END,
    FILE,
    FILE_HEAD,
    LINK,
    LINK_HEAD,
    SKIPPED,
    UP,
    fields_untrusted,
    file_head,
    name_untrusted,
    records_untrusted,
)
from .source import Sending
from .tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional

    from .filters import Filter

    Entry = NamedTuple("Entry", [("kind", int), ("mode", int), ("size", int), ("mtime", int), ("what", bytes)])
else:
    import collections

    # ``kind`` FILE, DIRECTORY or LINK; ``mtime`` nanoseconds; ``what`` a file's digest, if asked for, a link's target.
    Entry = collections.namedtuple("Entry", "kind mode size mtime what")


class Listing(Sending):
    """Packs entries instead of files; with ``checksum`` their digests, too."""

    def __init__(self, checksum: "bool") -> "None":
        super().__init__("zlib")
        self._checksum = checksum

    def listed(self, name: "bytes", found: "os.stat_result") -> "bool":
        if self._checksum:
            return False
        self.packer.add(FILE, file_head(stat.S_IMODE(found.st_mode), found.st_mtime_ns, found.st_size, 0), name)
        return True

    def file(self, fd: "int", name: "bytes", path: "str") -> "Iterator[Any]":
        digest = hashlib.sha256()
        for block in iter(lambda: os.read(fd, BLOCK), b""):
            digest.update(block)
        found = os.fstat(fd)
        self.packer.add(FILE, file_head(stat.S_IMODE(found.st_mode), found.st_mtime_ns, found.st_size, 0), name)
        self.packer.add(END, digest.digest())
        return iter(self.packer.take())


def list_tree(path: "str", symlinks: "str", exclude: "Filter", checksum: "bool") -> "List[bytes]":
    """The messages that list a directory; none if there is none. Raises OSError."""
    try:
        fd = disk.open_directory(path)
    except FileNotFoundError:
        return []
    try:
        listing = Listing(checksum)
        messages = [bytes(each) for each in Tree(listing, symlinks, exclude).messages(fd) if len(each)]
        listing.packer.flush()
        return messages + [bytes(each) for each in listing.packer.take()]
    finally:
        os.close(fd)


def entries_untrusted(messages: "Iterable[bytes]", most: "int") -> "Dict[bytes, Entry]":
    """What a listing says, by path. The paths are names for comparing, never for opening. Raises TransferRefused."""
    found: "Dict[bytes, Entry]" = {}
    above: "List[bytes]" = []
    last: "Optional[bytes]" = None
    for message in messages:
        for kind, payload in records_untrusted(message):
            if kind == UP and above:
                above.pop()
            elif kind == DIRECTORY:
                mode, mtime = fields_untrusted(DIRECTORY_HEAD, payload, "a directory")
                above.append(name_untrusted(payload[DIRECTORY_HEAD.size:]))
                found[b"/".join(above)] = Entry(DIRECTORY, mode, 0, mtime, b"")
            elif kind == FILE:
                mode, mtime, size, _offset = fields_untrusted(FILE_HEAD, payload, "a file")
                last = b"/".join(above + [name_untrusted(payload[FILE_HEAD.size:])])
                found[last] = Entry(FILE, mode, size, mtime, b"")
            elif kind == END and last is not None:
                found[last] = found[last]._replace(what=bytes(payload[:32]))
            elif kind == LINK:
                (length,) = fields_untrusted(LINK_HEAD, payload, "a link")
                name = name_untrusted(payload[LINK_HEAD.size:LINK_HEAD.size + length])
                found[b"/".join(above + [name])] = Entry(LINK, 0, 0, 0, bytes(payload[LINK_HEAD.size + length:]))
            elif kind != SKIPPED:
                raise TransferRefused("a record of kind %d has no place in a listing" % kind)
            if len(found) > most:
                raise TransferRefused("more than %d entries; max_files says how many are allowed" % most)
    return found

