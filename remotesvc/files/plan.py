"""What a sync has to do, from what lies on the two sides (pure)."""

import stat

from .delta import DELTA_FROM
from .listing import count_of, entries_untrusted

# Paths that ``Copied`` names of those that are, or would be, sent, and as many that are removed; all are counted.
MAX_NAMED = 10000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from .listing import Entry, Listing


class Plan(object):
    """What differs between the two sides.

    ``send`` files and links, of which ``files`` are files with ``bytes``, ``make`` directories, ``delete`` entries that
    are only there, ``conflicts`` those that are something else there, of which ``blocked`` are directories there,
    ``delta`` files of which parts can be used again.
    ``top``: nothing is there, so that the directory itself may be missing. Without ``special`` it is the other side's
    affair which directories are set-gid.
    """

    def __init__(self, here: "Listing", there: "Listing", checksum: "bool", special: "bool" = False) -> "None":
        self.send: "List[bytes]" = []
        self.make: "List[bytes]" = []
        self.delete: "List[bytes]" = []
        self.conflicts: "List[bytes]" = []
        self.blocked: "List[bytes]" = []
        self.delta: "List[bytes]" = []
        self.unchanged = self.files = self.bytes = 0
        self.top = not there
        self._checksum = checksum
        self._ignored = 0 if special else stat.S_ISGID
        # What lies below an entry that is only there, or is no directory here, need not be looked at: it goes, too.
        for path, parts in here.items():
            others = there.get(path, [])
            if parts == others:
                self.unchanged += sum(count_of(part)[1] for part in parts)
            else:
                self._compare(path + b"/" if path else b"", entries_untrusted(parts, checksum),
                              entries_untrusted(others, checksum))

    def _compare(self, path: "bytes", here: "Dict[bytes, Entry]", there: "Dict[bytes, Entry]") -> "None":
        for name, entry in here.items():
            old = there.get(name)
            if old is not None and stat.S_ISDIR(old.mode) != stat.S_ISDIR(entry.mode):
                self.conflicts.append(path + name)
                if stat.S_ISDIR(old.mode):
                    self.blocked.append(path + name)
                old = None
            if stat.S_ISDIR(entry.mode):
                if old is None or old.mode & ~self._ignored != entry.mode:
                    self.make.append(path + name)
            elif old is not None and self._equal(entry, old):
                self.unchanged += stat.S_ISREG(entry.mode)
            else:
                self._send(path + name, entry, old)
        self.delete += [path + name for name in there if name not in here]

    def _send(self, path: "bytes", entry: "Entry", old: "Optional[Entry]") -> "None":
        self.send.append(path)
        if stat.S_ISREG(entry.mode):
            self.files += 1
            self.bytes += entry.size
            if old is not None and stat.S_ISREG(old.mode) and min(old.size, entry.size) >= DELTA_FROM:
                self.delta.append(path)

    def _equal(self, here: "Entry", there: "Entry") -> "bool":
        if here.mode != there.mode or here.size != there.size or here.what != there.what:
            return False
        return self._checksum or _same_time(here.mtime, there.mtime)


def _same_time(here: "int", there: "int") -> "bool":
    """As exactly as the file system there keeps times: nanoseconds, microseconds or seconds."""
    return any(there % unit == 0 and here // unit == there // unit for unit in (1, 1000, 10**9))
