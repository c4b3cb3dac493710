"""What a receiver has of the files of a tree already, as it tells the sender: pure packing and looking up.

    offers   entries in the order of their places, one behind the other
    entry    the place of a file in the tree (8 bytes of a digest), how much of it is there, and the sha256 of that

Places rather than paths: an entry has one size, so a hundred thousand of them are 5 MB, on the wire and in memory, and
are searched where they lie.
"""

import hashlib
import struct

from .errors import TransferRefused
from .naming import key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

ENTRY = struct.Struct(">8sQ32s")
_PLACE = 8
# Entries of one message, 12 MB: what an interrupted tree has beyond them is sent again.
MAX_OFFERS = 1 << 18


def place_of(directory: "bytes", key: "bytes") -> "bytes":
    """The place of a file: by the path of its directory below the top, and the key of its name."""
    return hashlib.sha256(directory + b"\0" + key).digest()[:_PLACE]


def packed(entries: "List[bytes]") -> "bytes":
    """Offers from their entries."""
    return b"".join(sorted(entries))


class Offers(object):
    """What the other side says that it has. Raises TransferRefused for malformed offers.

    None of it is believed: the sender compares the digest of what is offered with that of its own file.
    """

    def __init__(self, raw_untrusted: "Any") -> "None":
        if type(raw_untrusted) is not bytes or len(raw_untrusted) % ENTRY.size:
            raise TransferRefused("what the receiver says that it has is cut short")
        if len(raw_untrusted) > MAX_OFFERS * ENTRY.size:
            raise TransferRefused("the receiver offers more than %d files" % MAX_OFFERS)
        self._raw = raw_untrusted

    def find(self, path: "bytes") -> "Tuple[int, bytes]":
        """How much of a file is there, by its path below the top, and the digest of that; (0, b"") if nothing."""
        directory, _, name = path.rpartition(b"/")
        place = place_of(directory, key_of(name))
        low, high = 0, len(self._raw) // ENTRY.size
        while low < high:
            middle = (low + high) // 2
            at = middle * ENTRY.size
            if self._raw[at:at + _PLACE] < place:
                low = middle + 1
            else:
                high = middle
        if self._raw[low * ENTRY.size:low * ENTRY.size + _PLACE] != place:
            return 0, b""
        _place, size, digest = ENTRY.unpack_from(self._raw, low * ENTRY.size)
        return size, digest
