"""Files whose size says nothing of their content, for the kernel makes it while it is read: those of /proc and /sys.

Nothing tells whether such a file changed between two reads, neither its size nor its times. What is read of it is
believed when the next read of the whole finds the same.
"""

import os

from . import regular
from .errors import SourceChanged, TransferRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

# A file that is said to be larger is none of these: they say that they are empty, or as large as a page, which on some
# machines is 64 KiB.
_LARGEST_CLAIM = 1 << 16
# Bytes of one: all of it is held at once.
MOST = 1 << 20
# How often the whole is read until two reads in a row agree: content that is new each time never does.
_READS = 4


def content_of(fd: "int", found: "os.stat_result") -> "Optional[bytes]":
    """The content of such a file, None for any other. Raises SourceChanged, TransferRefused."""
    if found.st_blocks or found.st_size > _LARGEST_CLAIM:
        return None
    content = _read(fd)
    if len(content) == found.st_size or regular.changed(found, os.fstat(fd)):
        return None
    for _ in range(_READS - 1):
        before, content = content, _read(fd)
        if content == before:
            return content
    raise SourceChanged("the kernel makes it anew for each read, and no two were the same; take what one read gives"
                        " (remotesvc exec HOST -- cat FILE)")


def _read(fd: "int") -> "bytes":
    os.lseek(fd, 0, os.SEEK_SET)
    parts: "List[bytes]" = []
    size = 0
    for part in iter(lambda: os.read(fd, MOST), b""):
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise TransferRefused("the kernel makes it while it is read, and more than %d bytes cannot be compared with"
                                  " a second read; take what one gives (remotesvc exec HOST -- cat FILE)" % MOST)
    return b"".join(parts)
