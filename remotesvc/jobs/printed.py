"""What a job prints, on disk: in the order written, bounded.

It is cut into pieces of a quarter of the limit. The first piece stays and so do the last three: how a job began and how
it goes on are worth more than what lies between, which is left out, and counted.

A piece is a file ``output.N``: the number of bytes printed before it, then frames of descriptor, length, bytes. A
reader's position is (N, where in the file, bytes printed before): plain data, which it may keep as long as it likes.
"""

import codecs
import os
import struct
import threading

from ..bootstrap.errors import DecodeError
from .folder import read_up_to, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, List, Tuple

    from .folder import Folder

    Position = List[int]

# Bytes of output that are kept of a job, unless told otherwise.
LIMIT = 16 << 20
PIECES = 4
# Bytes in one frame: what is printed at once may be longer.
MOST = 8192
_BEFORE = struct.Struct(">Q")
_FRAME = struct.Struct(">BI")
START = [0, 0, 0]
STREAMS = {1: "stdout", 2: "stderr"}


class Writer(object):
    """Writes what one job prints. Thread-safe; a full disk loses output, and ends nothing."""

    def __init__(self, folder: "Folder", limit: "int") -> "None":
        self._folder = folder
        self._most = limit // PIECES
        self._number = -1
        self._fd = -1
        self._size = 0
        self._printed = 0
        self._lock = threading.Lock()

    def write(self, fd: "int", data: "bytes") -> "None":
        """This was written to descriptor ``fd``, 1 or 2."""
        with self._lock:
            for start in range(0, len(data), MOST):
                piece = data[start:start + MOST]
                try:
                    self._put(_FRAME.pack(fd, len(piece)) + piece)
                except OSError:
                    self._end()  # the next piece tells by its number of bytes what is missing
                self._printed += len(piece)

    def close(self) -> "None":
        """Nothing more will be written."""
        with self._lock:
            self._end()

    def _put(self, frame: "bytes") -> "None":
        if self._fd < 0 or self._size + len(frame) > self._most:
            self._end()
            self._begin(_name(self._number + 1))
            self._number += 1
            self._size = _BEFORE.size
            if self._number >= PIECES:
                self._folder.remove(_name(self._number - PIECES + 1))
        write_all(self._fd, frame)
        self._size += len(frame)

    def _begin(self, name: "str") -> "None":
        fd = self._folder.create(name)
        try:
            write_all(fd, _BEFORE.pack(self._printed))
        except OSError:  # on a full disk a file can be made, but not be written to
            os.close(fd)
            self._folder.remove(name)
            raise
        self._fd = fd

    def _end(self) -> "None":
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _name(number: "int") -> "str":
    return "output.%d" % number


def _numbers(folder: "Folder") -> "List[int]":
    found = [name.partition(".")[2] for name in folder.names() if name.startswith("output.")]
    return sorted(int(number) for number in found if number.isdigit() and len(number) < 10)


def read(folder: "Folder", position: "Position", most: "int") -> "Tuple[List[Any], Position]":
    """What was printed from a position on, about ``most`` bytes of it, and the position behind it.

    Items are [descriptor, bytes]; [0, n] stands for n bytes that were left out. None: there is no more, yet.
    """
    number, at, before = position
    items: "List[Any]" = []
    while most > 0:
        there = [each for each in _numbers(folder) if each >= number]
        if not there:
            break
        if there[0] > number:
            number, at = there[0], 0
        frames, at, first = _frames(folder, number, at, most)
        if first > before:
            items.append([0, first - before])
            before = first
        items += frames
        size = sum(len(data) for _fd, data in frames)
        before += size
        most -= size
        if not frames and (len(there) < 2 or most <= 0):
            break
        if not frames:
            number, at = there[1], 0
    return items, [number, at, before]


def _frames(folder: "Folder", number: "int", at: "int", most: "int") -> "Tuple[List[Any], int, int]":
    """Whole frames of a piece from ``at`` on; where they end; how much was printed before the piece, if ``at`` is its
    beginning."""
    frames: "List[Any]" = []
    try:
        fd = folder.open(_name(number))
    except OSError:
        return frames, at, 0  # it has just been left out: there is a later one
    try:
        first = 0
        if not at:
            start = read_up_to(fd, _BEFORE.size)
            if len(start) < _BEFORE.size:
                return frames, at, 0
            first, at = _BEFORE.unpack(start)[0], _BEFORE.size
        os.lseek(fd, at, os.SEEK_SET)
        while most > 0:
            head = read_up_to(fd, _FRAME.size)
            if len(head) < _FRAME.size:
                break
            stream, size = _FRAME.unpack(head)
            data = read_up_to(fd, size) if size <= MOST and stream in (1, 2) else b""
            if not size or len(data) < size:
                break  # not all there yet, or damaged
            frames.append([stream, data])
            at += _FRAME.size + size
            most -= size
        return frames, at, first
    finally:
        os.close(fd)


def raw_untrusted(pieces: "Iterable[Any]") -> "Iterator[Tuple[str, bytes]]":
    """(stream, bytes) of what a target gives as lists of such items; what was left out is told as of "stderr". Raises
    DecodeError for anything else."""
    for piece in pieces:
        for item in piece if type(piece) is list else [None]:
            fd, data = item if type(item) is list and len(item) == 2 else (None, None)
            if fd == 0 and type(data) is int and 0 <= data < 1 << 64:
                yield "stderr", b"\n[%d bytes are left out]\n" % data
            elif fd in (1, 2) and type(data) is bytes:
                yield STREAMS[fd], data
            else:
                raise DecodeError("the target's answer about output is malformed")


def texts(raw: "Iterable[Tuple[str, bytes]]") -> "Iterator[Tuple[str, str]]":
    """(stream, text) of (stream, bytes): what is not UTF-8 is U+FFFD."""
    make: "Any" = codecs.getincrementaldecoder("utf-8")
    decoders = {name: make("replace") for name in STREAMS.values()}
    for stream, data in raw:
        text = decoders[stream].decode(data)
        if text:
            yield stream, text
    for name, decoder in decoders.items():
        text = decoder.decode(b"", True)
        if text:
            yield name, text
