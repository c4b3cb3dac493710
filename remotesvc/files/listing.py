"""What lies in a tree, without its content: made on both sides of a sync, and compared.

    listing   by the path of each directory, its parts; a directory with hardly an entry that fits has several
    part      COUNTS, then columns: all modes with their types, all sizes, all times, the names with zeros between, and
              the targets of links and, if asked for, the digests of files, one behind the other
    message   parts with their paths before them, compressed

Both sides make the same bytes of the same directory: two that are equal need not be taken apart.
"""

import itertools
import os
import stat
import struct
import zlib

from ..bootstrap.calls.current import current
from . import directories, regular
from .errors import TransferError, TransferRefused, about
from .filters import Filter
from .records import DIGEST_SIZE, MAX_TARGET, name_untrusted
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

    from .walk import Taken

    Entry = NamedTuple("Entry", [("mode", int), ("size", int), ("mtime", int), ("what", bytes)])
    Listing = Dict[bytes, List[bytes]]
else:
    import collections

    # ``mode`` with the type; ``mtime`` nanoseconds; ``what`` a file's digest, if asked for, a link's target.
    Entry = collections.namedtuple("Entry", "mode size mtime what")

PATH = struct.Struct(">H")
# Entries, how many of them are files, bytes of names, bytes of targets and digests.
COUNTS = struct.Struct(">IIII")
# Bytes of an entry in the columns of numbers.
NUMBERS = 4 + 8 + 8
# Entries of one part.
PART = 1000
# A bit of a mode, above those of the system: it belongs to somebody else than whom it is to belong to.
OTHERS = 1 << 16
# Bytes of a message before it is compressed: it is closed when it has as many, and one part more is the most it has.
FULL = 1 << 16
MOST = FULL + PATH.size + (1 << 16) + COUNTS.size + PART * (NUMBERS + 256 + MAX_TARGET)
# Bytes of an entry, on average over a tree, that nothing but an attack exceeds.
AVERAGE = 512


class Lister(object):
    """Lists a directory and all below it. ``checksum`` digests stand in place of times; ``mode`` is what files get
    instead of their own, ``special`` keeps set-uid, set-gid and sticky bits. ``skipped`` has the paths of what can
    only be told of. ``check()`` raises if it is to end. What does not belong to ``owner``, if there is one, (uid, gid)
    with -1 for any, has OTHERS in its mode."""

    def __init__(self, checksum: "bool", mode: "Any" = None, special: "bool" = True,
                 check: "Callable[[], Any]" = bool) -> "None":
        self.found: "Listing" = {}
        self.skipped: "List[bytes]" = []
        self.owner: "Optional[Tuple[int, int]]" = None
        self._checksum = checksum
        self._mode = mode
        self._check = check
        self._bits = 0o7777 if special else 0o777

    def walk(self, walk: "Walk", directory: "int", path: "str" = "") -> "None":
        """List an open directory; ``path`` is where it lies, with a "/" at its end. Raises OSError with the whole path,
        TransferRefused."""
        self._check()
        parts = self.found[os.fsencode(path[:-1])] = []
        inner: "List[Tuple[str, bool]]" = []
        taken = self._told(walk.taken(directory, path), path)
        for some in iter(lambda: list(itertools.islice(taken, PART)), []):
            parts.append(self._part(walk, directory, path, some))
            inner += [(name, followed) for name, found, followed in some
                      if stat.S_ISDIR(found.st_mode)]  # type: ignore[union-attr]
        for name, followed in inner:
            below = path + name + "/"
            fd = walk.enter(directory, name, followed, below)
            if fd is None:
                continue
            try:
                self.walk(walk, fd, below)
            finally:
                walk.leave(fd)

    def _told(self, taken: "Iterable[Taken]", path: "str") -> "Iterator[Taken]":
        for each in taken:
            if each[1] is None:
                self.skipped.append(os.fsencode(path + each[0]))
            else:
                yield each

    def _part(self, walk: "Walk", directory: "int", path: "str", taken: "List[Taken]") -> "bytes":
        names: "List[str]" = []
        modes: "List[int]" = []
        sizes: "List[int]" = []
        times: "List[int]" = []
        whats: "List[bytes]" = []
        bits, (user, group) = self._bits, self.owner or (-1, -1)
        for name, found, followed in taken:
            mode: "int" = found.st_mode  # type: ignore[union-attr]
            size = mtime = 0
            if stat.S_ISDIR(mode):
                mode = stat.S_IFDIR | mode & bits
            elif stat.S_ISREG(mode) and not self._checksum:
                mode = stat.S_IFREG | (mode & bits if self._mode is None else self._mode)
                size, mtime = found.st_size, found.st_mtime_ns  # type: ignore[union-attr]
            else:
                try:
                    if stat.S_ISREG(mode):
                        mode = stat.S_IFREG | (mode & bits if self._mode is None else self._mode)
                        what, size = _digest_of(directory, name, followed, self._check)
                    else:
                        what = os.fsencode(os.readlink(name, dir_fd=directory))
                        mode, size = stat.S_IFLNK, len(what)
                except FileNotFoundError:  # gone since the directory was read
                    continue
                except OSError as error:
                    raise walk.named(error, path + name) from None
                except TransferError as error:
                    raise about(error, walk.whole(path + name)) from None
                whats.append(what)
            if user not in (-1, found.st_uid) or group not in (-1, found.st_gid):  # type: ignore[union-attr]
                mode |= OTHERS
            names.append(name)
            modes.append(mode)
            sizes.append(size)
            times.append(mtime)
        return part_of(names, modes, sizes, times, whats)


def part_of(names, modes, sizes, times, whats):
    # type: (List[str], List[int], List[int], List[int], List[bytes]) -> bytes
    """A part from its columns; ``whats`` only has those of links and, if asked for, of files."""
    count, files, text, rest = len(names), sum(map(stat.S_ISREG, modes)), os.fsencode("\0".join(names)), b"".join(whats)
    return (COUNTS.pack(count, files, len(text), len(rest))
            + struct.pack(">%dI%dq%dq" % (count, count, count), *(modes + sizes + times)) + text + rest)


def _digest_of(directory: "int", name: "str", followed: "bool", check: "Callable[[], Any]") -> "Tuple[bytes, int]":
    """The digest of a file and how much it has taken."""
    import hashlib  # brings OpenSSL, which takes milliseconds
    digest, size = hashlib.sha256(), 0
    fd = regular.open_regular(name, directory, followed)
    try:
        for block in iter(lambda: os.read(fd, regular.BLOCK), b""):
            check()
            digest.update(block)
            size += len(block)
        return digest.digest(), size
    finally:
        os.close(fd)


def list_tree(path: "str", symlinks: "str", exclude: "Filter", lister: "Lister") -> "Listing":
    """What lies in a directory; an empty listing if there is no such directory. Raises OSError, TransferRefused."""
    try:
        fd = directories.open_directory(path)
    except FileNotFoundError:
        return {}
    try:
        lister.walk(Walk(fd, symlinks, exclude, path), fd)
    finally:
        os.close(fd)
    return lister.found


def there(dst: "str", rules: "Any", checksum: "bool", owner: "Optional[str]" = None) -> "List[bytes]":
    """On the target: the messages that list what is there now. Raises OSError, TransferRefused."""
    lister = Lister(checksum, check=current().check)
    if owner is not None:
        from .destination import owner_of
        lister.owner = owner_of(owner)
    return messages(list_tree(directories.expand(dst), "keep", Filter(rules), lister))


def messages(listing: "Listing") -> "List[bytes]":
    """A listing for the other side."""
    packed: "List[bytes]" = []
    pieces: "List[bytes]" = []
    size = 0
    for path, parts in listing.items():
        for part in parts:
            pieces += PATH.pack(len(path)), path, part
            size += PATH.size + len(path) + len(part)
            if size >= FULL:
                packed.append(zlib.compress(b"".join(pieces), 1))
                pieces, size = [], 0
    if pieces:
        packed.append(zlib.compress(b"".join(pieces), 1))
    return packed


def listing_untrusted(packed: "Iterable[bytes]", most: "int") -> "Listing":
    """What the other side says. The paths are names for comparing, never for opening. Raises TransferRefused."""
    found: "Listing" = {}
    entries = size = 0
    for message in packed:
        raw = _unpacked_untrusted(message)
        size += len(raw)
        at = 0
        while at < len(raw):
            path, part = _next_untrusted(raw, at)
            at += PATH.size + len(path) + len(part)
            entries += max(1, count_of(part)[0])
            found.setdefault(path, []).append(part)
        check_count(entries if size <= AVERAGE * most + MOST else most + 1, most)
    return found


def check_count(entries: "int", most: "int") -> "None":
    """Raises TransferRefused for more entries than are allowed."""
    if entries > most:
        raise TransferRefused("more than %d entries; max_files says how many are allowed" % most)


def _unpacked_untrusted(message: "bytes") -> "bytes":
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(message, MOST)
    except (zlib.error, TypeError):
        raise TransferRefused("a message is not what zlib packs") from None
    if not unpack.eof:
        raise TransferRefused("a message holds more than fits into one")
    return raw


def _next_untrusted(raw: "bytes", at: "int") -> "Tuple[bytes, bytes]":
    """The path and the part that begin at an offset."""
    try:
        begin = at + PATH.size
        part = begin + PATH.unpack_from(raw, at)[0]
        count, _files, names, whats = COUNTS.unpack_from(raw, part)
    except struct.error:
        raise TransferRefused("a listing is cut short") from None
    end = part + COUNTS.size + count * NUMBERS + names + whats
    if end > len(raw):
        raise TransferRefused("a listing is cut short")
    return raw[begin:part], raw[part:end]


def count_of(part: "bytes") -> "Tuple[int, int]":
    """How many entries, and how many files, a part says that it has."""
    return COUNTS.unpack_from(part)[:2]


def entries_untrusted(parts: "Iterable[bytes]", checksum: "bool") -> "Dict[bytes, Entry]":
    """The entries of one directory by name. Raises TransferRefused."""
    found: "Dict[bytes, Entry]" = {}
    for part in parts:
        count, _files, length, _whats = COUNTS.unpack_from(part)
        numbers = struct.unpack_from(">%dI%dq%dq" % (count, count, count), part, COUNTS.size)
        at = COUNTS.size + count * NUMBERS + length
        names = part[at - length:at].split(b"\0") if count else []
        if len(names) != count:
            raise TransferRefused("%d entries have %d names" % (count, len(names)))
        for name, mode, size, mtime in zip(names, numbers, numbers[count:], numbers[2 * count:]):
            what = size if stat.S_ISLNK(mode) else DIGEST_SIZE if checksum and stat.S_ISREG(mode) else 0
            if not 0 <= what <= len(part) - at:
                raise TransferRefused("a listing is cut short")
            found[name_untrusted(name)] = Entry(mode, size, mtime, part[at:at + what])
            at += what
    return found
