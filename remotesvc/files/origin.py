"""What is sent: a file, a tree, or bytes, opened once. The same on the master and on a target."""

import collections
import copy
import io
import os
import stat

from . import directories, naming, regular
from .errors import TransferError, TransferRefused, about
from .filters import Filter
from .regular import prefix
from .tree import Tree
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Iterator, Optional, Tuple

    from .listing import Lister
    from .source import Sending

# Smaller files are sent anew rather than gone on with.
RESUME_FROM = 1 << 20
# Bytes of a tree that are read before the receiver is there to take them.
AHEAD = 8 << 20


class Origin(object):
    """An opened source. ``kind`` is "file", "tree" or "stream"; ``size`` None if it is not known."""

    kind = "stream"
    name = b""
    size: "Optional[int]" = None
    identity: "Optional[bytes]" = None
    # Of a tree: the mode and the time in nanoseconds of the directory itself.
    top: "Optional[Tuple[int, int]]" = None

    def check_open(self) -> "None":
        """Raises UsageError if a user gives it once more after it was closed."""

    def agrees(self, offset: "int", digest: "bytes") -> "Iterator[Any]":
        """Hash the first ``offset`` bytes: yields None now and then, at last the hash object if it agrees."""
        return iter(())

    def messages(self, sending: "Sending", offset: "int" = 0, digest: "Any" = None) -> "Iterator[Any]":
        """All messages from ``offset`` on."""
        raise NotImplementedError

    def read_ahead(self, sending: "Sending", over: "Callable[[], bool]") -> "None":
        """Prepare the first messages, until ``over()`` or there are many; ``messages`` gives them first."""

    def listed(self) -> "Optional[Lister]":
        """What lies in a tree, and what of it is skipped; None for what is no tree. Raises OSError, TransferRefused."""
        return None

    def apart(self) -> "Origin":
        """An origin of this tree for one receiver, from its beginning. Close it."""
        raise NotImplementedError

    def close(self) -> "None":
        """Close it. Idempotent."""


class OpenOrigin(Origin):
    """What lies behind a descriptor of ours."""

    def __init__(self, fd: "int") -> "None":
        self._fd: "Optional[int]" = fd

    def content(self, sending: "Sending", fd: "int", offset: "int", digest: "Any") -> "Iterator[Any]":
        """The messages from ``offset`` on, without the end, as they were packed."""
        raise NotImplementedError

    def messages(self, sending: "Sending", offset: "int" = 0, digest: "Any" = None) -> "Iterator[Any]":
        if self._fd is not None:
            yield from map(sending.packed, self.content(sending, self._fd, offset, digest))
            yield from map(sending.packed, sending.done())

    def close(self) -> "None":
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class FileOrigin(OpenOrigin):
    """A regular file, by its path; links to it are followed."""

    kind = "file"

    def __init__(self, path: "str") -> "None":
        fd = regular.open_regular(path)
        super().__init__(fd)
        self.path = path
        found = self._opened = os.fstat(fd)
        self.name = os.fsencode(os.path.basename(path))
        self.size = found.st_size
        if found.st_size >= RESUME_FROM:
            self.identity = naming.identity_of(found)

    def agrees(self, offset: "int", digest: "bytes") -> "Iterator[Any]":
        if self._fd is not None and self.size is not None and offset <= self.size:
            for found in prefix(self._fd, offset):
                yield found if found is None or found.digest() == digest else None

    def content(self, sending: "Sending", fd: "int", offset: "int", digest: "Any") -> "Iterator[Any]":
        try:
            # What lies before the offset was compared after it was opened.
            for message in sending.regular(fd, b"", offset, digest, self._opened if offset else None):
                yield message
        except TransferError as error:
            raise about(error, self.path) from None


class TreeOrigin(OpenOrigin):
    """All that lies below a directory."""

    kind = "tree"

    def __init__(self, path: "str", symlinks: "str", exclude: "Filter") -> "None":
        fd = directories.open_directory(path)
        super().__init__(fd)
        found = os.fstat(fd)
        self.top = found.st_mode & 0o7777, found.st_mtime_ns
        self._path = path
        self._symlinks = symlinks
        self._exclude = exclude
        self._walking: "Any" = None
        self._ahead: "Deque[Any]" = collections.deque()
        # Either its content goes to the destination, or the directory itself.
        self.name = b"" if directories.is_content(path) else os.fsencode(os.path.basename(path))

    def read_ahead(self, sending: "Sending", over: "Callable[[], bool]") -> "None":
        size = 0
        for message in self._walked(sending):
            self._ahead.append(message)
            size += len(message)
            if size >= AHEAD or over():
                break

    def apart(self) -> "TreeOrigin":
        again = copy.copy(self)
        again._fd = None if self._fd is None else directories.open_below(self._fd, ".")
        again._walking, again._ahead = None, collections.deque()
        return again

    def listed(self) -> "Optional[Lister]":
        from .listing import Lister
        lister, again = Lister(False), self.apart()
        try:
            if again._fd is not None:
                lister.walk(again._walk(again._fd), again._fd)
        finally:
            again.close()
        return lister

    def close(self) -> "None":
        walking, self._walking = self._walking, None
        if walking is not None:
            walking.close()  # the directories it is in
        super().close()

    def wanted(self) -> "Optional[Callable[[str], bool]]":
        """Which files and links are sent, by their paths; None: all."""
        return None

    def content(self, sending: "Sending", fd: "int", offset: "int", digest: "Any") -> "Iterator[Any]":
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._walked(sending)

    def _walked(self, sending: "Sending") -> "Iterator[Any]":
        """The one walk through it, begun when it is first asked for."""
        if self._walking is None and self._fd is not None:
            self._walking = Tree(sending, self._walk(self._fd), self.wanted()).messages(self._fd)
        return self._walking or iter(())

    def _walk(self, fd: "int") -> "Walk":
        return Walk(fd, self._symlinks, self._exclude, self._path)


class StreamOrigin(Origin):
    """Bytes, or an object with ``read``."""

    def __init__(self, source: "Any") -> "None":
        if isinstance(source, (bytes, bytearray, memoryview)):
            source = io.BytesIO(source)
            self.size = len(source.getbuffer())
        self._source = source

    def messages(self, sending: "Sending", offset: "int" = 0, digest: "Any" = None) -> "Iterator[Any]":
        yield from map(sending.packed, sending.stream(self._source, self.size))
        yield from map(sending.packed, sending.done())


def open_path(path: "str", symlinks: "str", exclude: "Filter") -> "Origin":
    """The origin a path names; a directory is a tree. Raises OSError, TransferRefused at once for what is neither."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return TreeOrigin(path, symlinks, exclude)
    if not stat.S_ISREG(mode):
        raise TransferRefused("%s is neither a file nor a directory" % path)
    return FileOrigin(path)
