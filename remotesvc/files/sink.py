"""Records in, files out: what a receiver does with the messages of a transfer."""

import os

from .errors import DigestMismatch, SourceChanged, TransferRefused
from .landing import Landing, sweep
from .records import (
    ABANDON,
    DATA,
    DIGEST_SIZE,
    DONE,
    DONE_HEAD,
    END,
    FILE,
    FILE_HEAD,
    HOLE,
    MAX_SIZE,
    MAX_TARGET,
    NUMBER,
    SKIPPED,
    UNKNOWN,
    fields_untrusted,
    records_untrusted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from .landing import Finish

# The longest hole of one record.
MAX_HOLE = 1 << 30
# Bytes of a hole after which the receiver looks whether it is still wanted: a message is full of holes in no time, and
# hashing or writing them takes long.
_HOLE_PIECE = 1 << 20
# Names of skipped entries that are reported; how many there were is counted.
MAX_NAMED = 100


class Bounds(object):
    """No more content than ``max_bytes``, of a tree no more entries than ``max_files``; None: any. ``check()`` raises
    if the transfer is to end: asked within what takes long."""

    __slots__ = ("max_bytes", "max_files", "check")

    def __init__(self, max_bytes: "Optional[int]" = None, max_files: "Optional[int]" = None,
                 check: "Callable[[], Any]" = bool) -> "None":
        self.max_bytes = max_bytes
        self.max_files = max_files
        self.check = check


class Sink(object):
    """What all receivers share: the order of records, and the books. A subclass makes the files.

    ``path`` is where they go, for people."""

    def __init__(self, bounds: "Bounds", path: "str" = "") -> "None":
        self.path = path
        self._bounds = bounds
        self.files = 0
        self.bytes = 0
        self.resumed = 0
        self.skipped: "List[bytes]" = []
        self.skipped_count = 0
        self.digest = b""
        self.done = False
        self._landing: "Any" = None
        self._head: "Tuple[int, int, int]" = (0, 0, 0)
        self._handlers: "Dict[int, Callable[[memoryview], Any]]" = {
            FILE: self._on_file, DATA: self._on_data, HOLE: self._on_hole, END: self._on_end,
            SKIPPED: self._on_skipped, DONE: self._on_done, ABANDON: self._on_abandon}

    @property
    def where(self) -> "str":
        """Where it is just at work, for people."""
        return self.path

    def take(self, body: "Any") -> "None":
        """One message. Raises TransferRefused, SourceChanged, DigestMismatch, OSError."""
        for kind, payload in records_untrusted(body):
            handler = self._handlers.get(kind)
            if handler is None or self.done:
                raise TransferRefused("a record of kind %d is not expected here" % kind)
            handler(payload)

    def offers(self) -> "bytes":
        """What is here of the files of a tree, for the sender; see ``Offers``."""
        return b""

    def _begin(self, name: "bytes", offset: "int") -> "Any":
        raise NotImplementedError

    def _finish(self, landing: "Any", size: "int", digest: "bytes", mode: "int", mtime: "int") -> "None":
        raise NotImplementedError

    def _on_file(self, payload: "memoryview") -> "None":
        if self._landing is not None:
            raise TransferRefused("a file begins inside another")
        mode, mtime, size, offset = fields_untrusted(FILE_HEAD, payload, "a file")
        if size != UNKNOWN and size > MAX_SIZE:
            raise TransferRefused("a file of %d bytes" % size)
        self._check_room(offset if size == UNKNOWN else size)
        self._landing = self._begin(bytes(payload[FILE_HEAD.size:]), offset)
        self._head = mode, mtime, size
        self._landing.start_at(offset)
        self.bytes += offset
        self.resumed += offset

    def _check_room(self, more: "int") -> "None":
        most = self._bounds.max_bytes
        if most is not None and self.bytes + more > most:
            raise TransferRefused("more than %d bytes; max_bytes says how many are allowed" % most)

    def _current(self, size: "int") -> "Any":
        landing = self._landing
        if landing is None:
            raise TransferRefused("data without a file")
        if self._head[2] != UNKNOWN and landing.position + size > self._head[2]:
            raise SourceChanged("more came than the %d bytes announced" % self._head[2])
        self._check_room(size)
        self.bytes += size
        return landing

    def _on_data(self, payload: "memoryview") -> "None":
        self._current(len(payload)).write(payload)

    def _on_hole(self, payload: "memoryview") -> "None":
        (size,) = fields_untrusted(NUMBER, payload, "a hole")
        if size > MAX_HOLE:
            raise TransferRefused("a hole of %d bytes in one record" % size)
        self._bounds.check()  # of an empty one, too
        self._hole(self._current(size), size)

    def _hole(self, landing: "Any", size: "int") -> "None":
        while size > 0:
            self._bounds.check()
            piece = min(size, _HOLE_PIECE)
            landing.hole(piece)
            size -= piece

    def _on_end(self, payload: "memoryview") -> "None":
        landing, digest = self._current(0), bytes(payload)
        if len(digest) != DIGEST_SIZE:
            raise TransferRefused("a digest of %d bytes" % len(digest))
        mode, mtime, size = self._head
        self._finish(landing, size, digest, mode, mtime)
        self._landing, self.digest = None, digest
        self.files += 1

    def _on_skipped(self, payload: "memoryview") -> "None":
        self.skipped_count += 1
        if len(self.skipped) < MAX_NAMED:
            self.skipped.append(bytes(payload[:MAX_TARGET]))

    def _on_done(self, payload: "memoryview") -> "None":
        files, size = fields_untrusted(DONE_HEAD, payload, "the end")
        if self._landing is not None or (files, size) != (self.files, self.bytes):
            raise DigestMismatch("%d files with %d bytes were sent, %d with %d came"
                                 % (files, size, self.files, self.bytes))
        self.done = True

    def _on_abandon(self, payload: "memoryview") -> "None":
        raise SourceChanged("the sender could not read it to its end")

    def complete(self) -> "None":
        """The last message is here: make it real. Raises SourceChanged if the end is missing."""
        if not self.done:
            raise SourceChanged("the sender stopped in the middle")

    def close(self, keep: "bool") -> "None":
        """Leave nothing behind but what is complete; with ``keep`` also a part to be gone on with. Idempotent."""

    def summary(self) -> "Dict[str, Any]":
        """What came, as plain data."""
        return {"files": self.files, "bytes": self.bytes, "skipped": self.skipped_count,
                "skipped_names": self.skipped, "digest": self.digest if self.files == 1 else b""}


class FileSink(Sink):
    """One file, under a name of the receiver's choice; ``directory`` is closed at the end."""

    def __init__(self, directory: "int", final: "bytes", path: "str", finish: "Finish", bounds: "Bounds",
                 part: "Optional[bytes]", begun: "Optional[Landing]" = None) -> "None":
        """``part`` names what may be gone on with; ``begun`` is that, if it has been opened and hashed already."""
        super().__init__(bounds, path)
        self._directory = directory
        self._final = final
        self._settings = finish
        self._ready: "Optional[Landing]" = None
        self._closed = False
        try:
            sweep(directory, final, part)
            self._file: "Landing" = (Landing(directory, final, part, check=bounds.check) if begun is None
                                       else begun)
            self._file.directory = directory
        except BaseException:  # Ctrl-C, too: nobody else knows the descriptors
            if begun is not None:
                begun.discard(True)
            os.close(directory)
            raise
        self._missed = part is not None and self._file.name != part  # another had it, and may leave it
        self.offered, self.offered_digest = self._file.offered, self._file.hash.digest()

    def _begin(self, name: "bytes", offset: "int") -> "Landing":
        if self._ready is not None or self.files:
            raise TransferRefused("a second file where one was expected")
        return self._file

    def _finish(self, landing: "Landing", size: "int", digest: "bytes", mode: "int", mtime: "int") -> "None":
        landing.finish(size, digest, self._settings, mode, mtime)

    def complete(self) -> "None":
        super().complete()
        if not self.files:
            raise SourceChanged("no file came")
        self._file.place(self._settings.durable)
        if self._missed:
            sweep(self._directory, self._final, None)

    def close(self, keep: "bool") -> "None":
        if not self._closed:
            self._closed = True
            self._file.discard(keep)
            os.close(self._directory)
