"""Which parts of a file the other side has already: checksums of its blocks, and the search for them. Pure.

The weak checksum is Adler-32, which zlib computes for whole blocks and which rolls on by a byte in constant time. After
a difference the search first looks where the blocks would go on unshifted, and only then byte by byte.
"""

import hashlib
import struct
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, Tuple

# Smaller files are sent whole.
DELTA_FROM = 1 << 16
LEAST_BLOCK, LARGEST_BLOCK = 1 << 11, 1 << 17
# Bytes of the strong checksum: a false match is found by the digest of the whole, so that it only has to be rare.
STRONG = 5
ENTRY = struct.Struct(">I%ds" % STRONG)
# Bytes that one file is searched byte by byte at most, which takes a second or two: a file that has nothing in common
# with the old one is sent.
MAX_ROLLED = 8 << 20
# A strong checksum on the way takes as long as this part of its block, and so many bytes more. Where a weak one is
# known that is everywhere, there is one at each byte.
_STRONG_PART, _STRONG_LEAST = 64, 16
# A file there that is larger than this many times the one here is looked at up to there: the rest is hardly of use.
_REACH = 4
_MOD = 65521


def block_size(size: "int") -> "int":
    """The blocks for a file: about its square root, so that checksums and differences cost about the same."""
    block = LEAST_BLOCK
    while block * block < size and block < LARGEST_BLOCK:
        block *= 2
    return block


def most_blocks(size: "int", block: "int") -> "int":
    """Of how many blocks there checksums are of use for a file of ``size`` bytes here."""
    return _REACH * size // block + 1


def signature(read: "Callable[[int], bytes]", block: "int", most: "int") -> "bytes":
    """The checksums of all whole blocks of what ``read(size)`` gives, but no more than ``most``."""
    found, last, entry = bytearray(), b"", b""
    for _ in range(most):
        data = read(block)
        if len(data) < block:
            break
        if data != last:  # a hole has the same block again and again
            last, entry = data, ENTRY.pack(zlib.adler32(data), hashlib.sha256(data).digest()[:STRONG])
        found += entry
    return bytes(found)


class Search(object):
    """Finds blocks of a signature in new content."""

    def __init__(self, checksums: "bytes", block: "int") -> "None":
        self.block = block
        self._count = len(checksums) // ENTRY.size
        self._entries = checksums[:self._count * ENTRY.size]
        # The number of a block, or a list of them where several have the same: there may be millions.
        self._weak: "Dict[int, Any]" = {}
        for number, (weak, _strong) in enumerate(ENTRY.iter_unpack(self._entries)):
            known = self._weak.get(weak)
            if known is None:
                self._weak[weak] = number
            elif type(known) is int:
                self._weak[weak] = [known, number]
            elif len(known) < 16:  # the same block again and again: any of them will do
                known.append(number)
        self._budget = MAX_ROLLED
        self._expected = 0

    def skip(self, size: "int") -> "None":
        """So many bytes of the content, whole blocks, are not searched."""
        self._expected += size // self.block

    def instructions(self, data: "bytes") -> "Iterator[Tuple[int, int, int]]":
        """How to make the next piece of the content: (old offset, or -1 for new bytes, start, end) in order, without
        gaps."""
        block, size = self.block, len(data)
        position = literal = 0
        copy = None  # type: Any
        expected = self._expected
        while position + block <= size:
            number = self._match(data, position, expected)
            if number < 0:
                if copy is not None:
                    yield copy
                    copy, literal = None, position
                position = self._next(data, position, expected)
                expected += 1
                continue
            if literal < position and copy is None:
                yield -1, literal, position
            if copy is not None and copy[0] + copy[2] - copy[1] == number * block:
                copy = copy[0], copy[1], position + block
            else:
                if copy is not None:
                    yield copy
                copy = number * block, position, position + block
            position += block
            literal = position
            expected = number + 1
        self._expected = expected
        if copy is not None:
            yield copy
        if literal < size:
            yield -1, literal, size

    def _match(self, data: "Any", position: "int", expected: "int") -> "int":
        piece = data[position:position + self.block]
        return self._known(zlib.adler32(piece), piece, expected)

    def _known(self, weak: "int", piece: "Any", expected: "int") -> "int":
        numbers = self._weak.get(weak)
        if numbers is None:
            return -1
        entry = ENTRY.pack(weak, hashlib.sha256(piece).digest()[:STRONG])
        if 0 <= expected < self._count and self._entry(expected) == entry:
            return expected
        for number in (numbers,) if type(numbers) is int else numbers:
            if self._entry(number) == entry:
                return number
        return -1

    def _entry(self, number: "int") -> "bytes":
        return self._entries[number * ENTRY.size:(number + 1) * ENTRY.size]

    def _next(self, data: "Any", position: "int", expected: "int") -> "int":
        """Where to look again after a difference: a block further if it goes on there unshifted, else wherever within
        the next block a known one begins."""
        block, size = self.block, len(data)
        ahead = position + block
        if ahead + block > size:
            last = size - block
        else:
            if expected + 1 < self._count and self._match(data, ahead, expected + 1) == expected + 1:
                return ahead
            last = ahead
        if self._budget <= 0:
            return ahead
        self._budget -= block
        return self._roll(data, position, min(last, size - block), ahead)

    def _roll(self, data: "Any", position: "int", last: "int", ahead: "int") -> "int":
        block, weak_of = self.block, self._weak
        value = zlib.adler32(data[position:position + block])
        low, high = value & 0xFFFF, value >> 16
        while position < last:
            old = data[position]
            low = (low - old + data[position + block]) % _MOD
            high = (high - block * old + low - 1) % _MOD
            position += 1
            weak = high << 16 | low
            if weak in weak_of:
                if self._known(weak, data[position:position + block], -1) >= 0:
                    return position
                self._budget -= block // _STRONG_PART + _STRONG_LEAST
                if self._budget <= 0:
                    break
        return ahead
