"""One source for many receivers: read, hashed and compressed once, however many there are."""

import tempfile
import threading

from ..bootstrap.errors import UsageError
from .errors import SourceChanged, TransferRefused, refusing_here
from .origin import FileOrigin, Origin
from .source import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Optional, Tuple

    from .listing import Lister

# Bytes of packed content kept in memory; what is more lies in a temporary file without a name.
IN_MEMORY = 64 << 20


class Shared(Origin):
    """Another origin, for as many pushes at once as there are receivers. Pass it as the source of each; close it.

    ``reads`` counts the bytes that were read of the origin. The fastest receiver drives the reading. Whoever has a
    part of a file or a tree already gets the rest by itself.
    """

    def __init__(self, origin: "Origin", compress: "str" = "auto") -> "None":
        self.kind, self.name, self.size, self.identity = origin.kind, origin.name, origin.size, origin.identity
        self.top = origin.top
        self._origin = origin
        self._sending = Sending(compress, eager=True)
        self._producer: "Iterator[Any]" = origin.messages(self._sending)
        self._places: "List[Tuple[int, int, int]]" = []
        self._end = 0
        self._over = self._closed = False
        self._error: "Optional[BaseException]" = None
        self._lock = threading.Lock()
        self._spool: "Any" = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115

    @property
    def reads(self) -> "int":
        """Bytes read of the origin so far."""
        return self._sending.read

    def check_open(self) -> "None":
        if self._closed:
            raise UsageError("this shared source is closed; push it within the `with` that made it")

    def agrees(self, offset: "int", digest: "bytes") -> "Iterator[Any]":
        again = self._again()
        if again is not None:
            try:
                for found in again.agrees(offset, digest):
                    yield found
            finally:
                again.close()

    def listed(self) -> "Optional[Lister]":
        return self._origin.listed()

    def apart(self) -> "Origin":
        return self._origin.apart()

    def _again(self) -> "Optional[FileOrigin]":
        """The file opened once more, with a place of its own in it; None if it is no file, or no longer the same."""
        if self.identity is None or not isinstance(self._origin, FileOrigin):
            return None
        try:
            again = FileOrigin(self._origin.path)
        except (OSError, TransferRefused):
            return None
        if again.identity == self.identity:
            return again
        again.close()
        return None

    def messages(self, sending: "Sending", offset: "int" = 0, digest: "Any" = None) -> "Iterator[Any]":
        return self._rest(sending, offset, digest) if offset else self._all(sending)

    def _rest(self, sending: "Sending", offset: "int", digest: "Any") -> "Iterator[Any]":
        again = self._again()
        if again is None:
            raise SourceChanged("it was changed while it was read")
        try:
            for message in again.messages(sending, offset, digest):
                yield message
        finally:
            again.close()

    def _all(self, sending: "Sending") -> "Iterator[Any]":
        number = 0
        while True:
            found = self._message(number)
            if found is None:
                sending.files, sending.bytes = self._sending.files, self._sending.bytes
                return
            message, sending.read = found
            yield message
            number += 1

    def _message(self, number: "int") -> "Optional[Tuple[bytes, int]]":
        with self._lock:
            self.check_open()
            while len(self._places) <= number:
                if self._error is not None:
                    raise self._error
                if self._over:
                    return None
                self._produce()
            start, size, read = self._places[number]
            self._spool.seek(start)
            return self._spool.read(size), read

    def _produce(self) -> "None":
        try:
            message = next(self._producer)
        except StopIteration:
            self._over = True
            return
        except BaseException as error:  # each receiver has to hear of it
            self._error = error
            return
        self._spool.seek(self._end)
        self._spool.write(message)
        self._places.append((self._end, len(message), self._sending.read))
        self._end += len(message)

    def close(self) -> "None":
        """A push that is over leaves it open; ``end`` closes it."""

    def end(self) -> "None":
        """Close the origin and forget what was read. Idempotent."""
        with self._lock:
            self._closed = True
            self._places.clear()
            self._spool.close()
        self._origin.close()

    def __enter__(self) -> "Shared":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.end()


@refusing_here
def share(src: "Any", **options: "Any") -> "Shared":
    """A source that many contexts are pushed at once: ``with share(path) as source: ctx.push(source, dst)`` for each.

    Takes what ``Context.push`` takes, and of its options symlinks, exclude and compress.
    """
    from .options import Options
    from .push import open_source
    chosen = Options(options)
    return Shared(open_source(src, chosen), chosen.compress)

