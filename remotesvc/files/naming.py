"""Names of ours in a user's directory: how they are made, and what they say. Nothing here touches a file.

A name has the kind of a file and a number; that of a part which may be gone on with has two: of what it will be called,
and of the source that it is the beginning of.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

# The kinds: of a single file (locked while it is written), of a part that may be gone on with, and of a tree: of its
# files (closed long before they get their names), of those that are kept when it is interrupted, and of the marker that
# leads to them.
PREFIX = b".remotesvc-"
SINGLE, PART, TREE, KEPT, MARK = b"s", b"p", b"t", b"k", b"m"
_END = b".part"
_BEGIN, _HEX = os.fsdecode(PREFIX), b"0123456789abcdef"


def ours(name: "str") -> "bool":
    """Is this the name of a file on its way?"""
    return name.startswith(_BEGIN) and parsed(os.fsencode(name)) is not None


def parsed(name: "bytes") -> "Optional[Tuple[bytes, bytes]]":
    """The kind and the first number in a name of ours; None for others. By hand: a target takes five milliseconds to
    import ``re``, longer than to list a thousand files."""
    kind, numbers = name[len(PREFIX):len(PREFIX) + 1], name[len(PREFIX) + 1:-len(_END)].split(b"-")
    if not name.startswith(PREFIX) or not name.endswith(_END) or kind not in (SINGLE, PART, TREE, KEPT, MARK):
        return None
    if len(numbers) > 2 or not all(map(is_number, numbers)):
        return None
    return kind, numbers[0]


def is_number(number: "bytes") -> "bool":
    """Is it a number as it stands in names of ours?"""
    return len(number) == 16 and not number.strip(_HEX)


def temporary_name(kind: "bytes") -> "bytes":
    """A name nobody else uses."""
    return PREFIX + kind + random_number() + _END


def random_number() -> "bytes":
    """A number nobody else has, as it stands in a name of ours."""
    return _hex(os.urandom(8))


def part_name(final: "bytes", identity: "bytes") -> "bytes":
    """The name under which the beginning of one source is kept for one destination."""
    return PREFIX + PART + key_of(final) + b"-" + identity + _END


def key_of(final: "bytes") -> "bytes":
    """What stands for a final name in a name of ours."""
    import hashlib
    return _hex(hashlib.sha256(final).digest()[:8])


def identity_of(found: "os.stat_result") -> "bytes":
    """What tells one state of a file from all others on its machine, as 16 hexadecimal digits."""
    import hashlib
    text = "%d %d %d %d" % (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return _hex(hashlib.sha256(text.encode()).digest()[:8])


def identity_in(part: "bytes") -> "bytes":
    """The identity of the source that a part is the beginning of, from its name."""
    return part[:-len(_END)].rpartition(b"-")[2]


def _hex(raw: "bytes") -> "bytes":
    return b"%016x" % int.from_bytes(raw, "big")
