"""Files in, messages out: what a sender reads, hashes and packs. Nothing here knows to whom it goes."""

import hashlib
import os
import time

from .errors import SourceChanged, TransferRefused
from .landing import zeros
from .pseudo_files import content_of
from .records import CHUNK, DATA, DONE, DONE_HEAD, END, FILE, HOLE, NUMBER, ROOM, SMALL, SMALL_HEAD, Packer, file_head
from .regular import HOLES_FROM, changed, extents, prefix, same
from .transfer import Squeeze

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, List, Optional

    from .offers import Offers

# Bytes: for each file from this size on it is tried anew whether compressing pays; for small ones that would cost too
# much.
_TRY_FROM = 1 << 20
# Bytes: a smaller message is sent uncompressed, and says nothing about how well the data after it would shrink.
_LEAST_PACKED = 512
# The mode of what was no file before.
STREAM_MODE = 0o644
# The longest hole of one record.
_HOLE = 1 << 30
# With a limit, a message is so small that there are several a second, and never smaller than this.
LEAST_CHUNK = 4096
# On a slow line a message is no more than it carries in so many seconds: what others say on it waits for that. But
# never smaller than the least, and until the line is known a little more.
_SPAN, _LEAST_PIECE, _FIRST_PIECE = 0.1, 16 * 1024, 64 * 1024


def chunk_for(limit: "Any") -> "int":
    """The bytes of one message under a limit of so many a second."""
    return CHUNK if limit is None else int(max(LEAST_CHUNK, min(CHUNK, limit / 4)))


class Sending(object):
    """The messages of one transfer: packs, compresses where that pays, and counts.

    ``rate()`` tells what the line carries, in bytes a second, and ``pace()`` what is thought of it before that is
    known; 0 as long as nothing is. ``bytes`` is content, holes included; ``read`` what was
    taken from files to be sent; ``resumed`` what of a tree the receiver had.
    """

    def __init__(self, compress: "str" = "auto", rate: "Callable[[], float]" = float, eager: "bool" = False,
                 chunk: "int" = CHUNK, pace: "Optional[Callable[[], float]]" = None) -> "None":
        self._offers: "Optional[Offers]" = None
        self._begin()
        self._chunk = min(chunk, CHUNK)
        # Files of a tree that are smaller are one record: they are not asked for holes.
        self._small = min(self._chunk, HOLES_FROM)
        self._rate = rate
        self._pace = pace
        self._decide = Squeeze(compress, eager)
        # Messages, not yet sent, with which other data begins: whether the last data shrank says nothing about it.
        self._begins: "List[Any]" = []

    def _begin(self) -> "None":
        self.files = self.bytes = self.read = self.resumed = 0
        self.digest = b""
        self.packer = Packer()

    def _piece(self) -> "int":
        """The bytes of the next message."""
        piece = self._chunk
        if self._pace is not None:
            pace = self._pace()
            piece = min(piece, max(_LEAST_PIECE, int(pace * _SPAN)) if pace else _FIRST_PIECE)
        self.packer.largest = ROOM + piece
        return piece

    def go_on(self, offers: "Offers") -> "None":
        """Begin anew with a tree, and leave out what its receiver has."""
        self._begin()
        self._offers = offers

    def packed(self, message: "Any") -> "Any":
        """A message as it is sent, compressed where that pays. As late as possible: the line may be known by then."""
        rate = self._rate()
        if self._begins and message is self._begins[0]:
            del self._begins[0]
            self._decide.begin()
        if len(message) < _LEAST_PACKED or not self._decide.wanted(rate):
            return message
        import zlib
        raw, begun = memoryview(message)[1:], time.perf_counter()
        packed = zlib.compress(raw, 1)
        worth = self._decide.tried(len(raw), len(packed), time.perf_counter() - begun, rate)
        return b"\x01" + packed if worth and len(packed) < len(raw) else message

    def done(self) -> "Iterator[Any]":
        """The last messages."""
        self.packer.add(DONE, DONE_HEAD.pack(self.files, self.bytes))
        self.packer.flush()
        return iter(self.packer.take())

    def small(self, fd: "int", name: "bytes", found: "os.stat_result", path: "str") -> "bool":
        """A small file of a tree, just opened, as one record: if it is still what was ``found`` under its name, and
        stays that while it is read. Else nothing is packed, and ``file`` deals with it. Raises OSError."""
        if found.st_size >= self._small:
            return False
        self._piece()
        data = os.read(fd, found.st_size + 1)  # one byte more: it may have grown, or the size means nothing
        if len(data) != found.st_size or not same(found, os.fstat(fd)):
            return False
        digest = hashlib.sha256(data)
        self.digest = digest.digest()
        if self._offers is not None and self._offers.find(os.fsencode(path)) == (len(data), self.digest):
            self.packer.add(FILE, file_head(found.st_mode & 0o7777, found.st_mtime_ns, len(data), len(data)), name)
            self.resumed += len(data)
            self.end_file(digest, len(data))
            return True
        self.packer.add(SMALL, SMALL_HEAD.pack(found.st_mode & 0o7777, found.st_mtime_ns, self.digest, len(name)),
                        name, data)
        self.files += 1
        self.bytes += len(data)
        self.read += len(data)
        return True

    def file(self, fd: "int", name: "bytes", path: "str") -> "Iterator[Any]":
        """An open file of a tree, as far as the receiver does not have it; ``path`` is where it lies."""
        offered, theirs = (0, b"") if self._offers is None else self._offers.find(os.fsencode(path))
        return self._rest(fd, name, path, offered, theirs) if offered else self.whole(fd, name, path)

    def whole(self, fd: "int", name: "bytes", path: "str") -> "Iterator[Any]":
        """An open file of a tree, of which the receiver has nothing that it was sent."""
        return self.regular(fd, name)

    def _rest(self, fd: "int", name: "bytes", path: "str", offered: "int", theirs: "bytes") -> "Iterator[Any]":
        before = os.fstat(fd)
        if offered <= before.st_size:
            for ours in prefix(fd, offered):
                yield b""  # a sign of life: hashing may take longer than the other side waits
                if ours is not None and ours.digest() == theirs:
                    self.resumed += offered
                    yield from self.regular(fd, name, offered, ours, before)
                    return
        os.lseek(fd, 0, os.SEEK_SET)
        yield from self.whole(fd, name, path)

    def regular(self, fd, name, offset=0, digest=None, before=None):
        # type: (int, bytes, int, Any, Optional[os.stat_result]) -> Iterator[Any]
        """An open regular file, from ``offset`` on; ``digest`` has taken what lies before, since it was what it was
        ``before``. Raises SourceChanged."""
        before = before or os.fstat(fd)
        content = content_of(fd, before)
        if content is not None:
            return self._made_up(content, before, name)
        return self._as_large_as_it_says(fd, before, name, offset, digest or hashlib.sha256())

    def _made_up(self, content: "bytes", found: "os.stat_result", name: "bytes") -> "Iterator[Any]":
        self.packer.add(FILE, file_head(found.st_mode & 0o7777, found.st_mtime_ns, len(content), 0), name)
        for start in range(0, len(content), CHUNK):
            self.packer.add(DATA, content[start:start + CHUNK])
            self.packer.flush()
        self.read += len(content)
        self.end_file(hashlib.sha256(content), len(content))
        return iter(self.packer.take())

    def _as_large_as_it_says(self, fd, before, name, offset, digest):
        # type: (int, os.stat_result, bytes, int, Any) -> Iterator[Any]
        size, packer = before.st_size, self.packer
        new = size >= _TRY_FROM
        packer.add(FILE, file_head(before.st_mode & 0o7777, before.st_mtime_ns, size, offset), name)
        position = offset
        for start, end in extents(fd, before, offset):
            yield from self.hole(start - position, digest)
            position = start
            if position < end:
                os.lseek(fd, position, os.SEEK_SET)
            while position < end:
                position += self._block(fd, end - position, digest)
                messages = packer.take()
                if new and messages:
                    new = False
                    self._begins.append(messages[-1])
                for message in messages:
                    yield message
        # One byte more: it may have grown.
        os.lseek(fd, size, os.SEEK_SET)
        if os.read(fd, 1) or changed(before, os.fstat(fd)):
            raise SourceChanged("it was changed while it was read")
        self.end_file(digest, size)

    def hole(self, size: "int", digest: "Any") -> "Iterator[Any]":
        """Zeros that take no room."""
        while size > 0:
            piece = min(size, _HOLE)
            self.packer.add(HOLE, NUMBER.pack(piece))
            zeros(digest, piece)
            size -= piece
            self.packer.flush()
            yield from self.packer.take()

    def _block(self, fd: "int", left: "int", digest: "Any") -> "int":
        want, packer = min(self._piece(), left), self.packer
        if want == left and want < CHUNK // 2:  # the end of a file shares a message with what follows
            data = os.read(fd, want)
            packer.add(DATA, data)
            got = len(data)
            digest.update(data)
        else:
            block = bytearray(ROOM + want)
            view = memoryview(block)
            got = os.readv(fd, [view[ROOM:]])
            digest.update(view[ROOM:ROOM + got])
            del view
            packer.whole(block, got)
        if not got:
            raise SourceChanged("it became shorter while it was read")
        self.read += got
        return got

    def end_file(self, digest: "Any", size: "int") -> "None":
        """A file is complete: ``digest`` has taken all ``size`` bytes of it."""
        self.digest = digest.digest()
        self.packer.add(END, self.digest)
        self.files += 1
        self.bytes += size

    def stream(self, source: "Any", size: "Optional[int]" = None) -> "Iterator[Any]":
        """What an object with ``read(size)`` has to give, up to its end; ``size`` bytes if that is known.

        One that is ``patient`` returns None, now and then, while it waits for more."""
        self.packer.add(FILE, file_head(STREAM_MODE, int(time.time() * 1e9), size, 0))
        digest, taken = hashlib.sha256(), 0
        read = getattr(source, "read1", source.read)  # what is there, rather than wait until a block is full
        while True:
            data = read(self._piece())
            if data is None and getattr(source, "patient", False):
                yield b""  # a sign of life, and time for a look whether it is still wanted
                continue
            if data is None:  # what a raw stream that does not block returns when there is nothing yet
                raise TransferRefused("the source has nothing yet and does not wait; open it so that reading does")
            if not data:
                break
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TransferRefused("the source gives %s; open it in binary mode" % type(data).__name__)
            digest.update(data)
            taken += len(data)
            self.read += len(data)
            for start in range(0, len(data), CHUNK):
                self.packer.add(DATA, memoryview(data)[start:start + CHUNK])
                self.packer.flush()
            for message in self.packer.take():
                yield message
        self.end_file(digest, taken)
