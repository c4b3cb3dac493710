"""Receives a file that goes to an object of the user's."""

import hashlib

from .errors import DigestMismatch, SourceChanged, TransferRefused
from .landing import zeros
from .records import UNKNOWN
from .sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .sink import Bounds


class StreamSink(Sink):
    """One file, written to an object with ``write``. What was written before an error has to be thrown away."""

    def __init__(self, out: "Any", bounds: "Bounds") -> "None":
        super().__init__(bounds)
        self._out = out

    def _begin(self, name: "bytes", offset: "int") -> "_Written":
        if self.files:
            raise TransferRefused("a second file where one was expected")
        return _Written(self._out)

    def _finish(self, landing: "_Written", size: "int", digest: "bytes", mode: "int", mtime: "int") -> "None":
        if size != UNKNOWN and landing.position != size:
            raise SourceChanged("%d bytes were announced, %d came" % (size, landing.position))
        if landing.hash.digest() != digest:
            raise DigestMismatch("what arrived is not what was sent")


class _Written(object):
    """The books of a file that goes to an object of the user's."""

    def __init__(self, out: "Any") -> "None":
        self.hash = hashlib.sha256()
        self.position = 0
        self._out = out

    def start_at(self, offset: "int") -> "None":
        if offset:
            raise TransferRefused("the sender goes on at %d of a file that begins" % offset)

    def write(self, view: "memoryview") -> "None":
        self.hash.update(view)
        rest = view
        while len(rest):
            written = self._out.write(rest)
            rest = rest[len(rest) if written is None else written:]
        self.position += len(view)

    def hole(self, size: "int") -> "None":
        zeros(self.hash, size)
        self.position += size
        block = bytes(1 << 16)
        while size > 0:
            self._out.write(block[:size])
            size -= len(block)
