"""Contents of small files, as a context keeps them in memory to send them on."""

import collections
import os

from .errors import TransferRefused
from .regular import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

# The largest file that is sent ahead: each hop holds it in memory. Larger ones are for ``Context.push``.
MAX_FILE = 16 << 20
# Bytes that one context keeps; what was used longest ago goes first. Nothing is written to a disk.
MAX_CACHE = 64 << 20


class Contents(object):
    """Contents by digest, the least recently used leaving first. Not thread-safe."""

    def __init__(self, limit: "int" = MAX_CACHE) -> "None":
        self._limit = limit
        self._held: "collections.OrderedDict[bytes, bytes]" = collections.OrderedDict()
        self.size = 0

    def put(self, digest: "bytes", data: "bytes") -> "None":
        """Keep a content."""
        if digest in self._held:
            self._held.move_to_end(digest)
            return
        self._held[digest] = data
        self.size += len(data)
        while self.size > self._limit:
            _digest, old = self._held.popitem(last=False)
            self.size -= len(old)

    def get(self, digest: "bytes") -> "Optional[bytes]":
        """A content, None if it is not here (any more)."""
        data = self._held.get(digest)
        if data is not None:
            self._held.move_to_end(digest)
        return data


def read_small(path: "str") -> "bytes":
    """The content of a regular file of at most MAX_FILE bytes; TransferRefused for any other. Raises OSError."""
    fd = open_regular(path)
    try:
        parts: "List[bytes]" = []
        size = 0
        for block in iter(lambda: os.read(fd, 1 << 20), b""):
            size += len(block)
            if size > MAX_FILE:
                raise TransferRefused("%s is larger than %d bytes; push it to each context instead" % (path, MAX_FILE))
            parts.append(block)
        return b"".join(parts)
    finally:
        os.close(fd)
