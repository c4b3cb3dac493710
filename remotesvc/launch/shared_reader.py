"""One thread that reads many quiet paths.

Each path has a reader thread of its own, which is the quickest for a few and keeps what a path meets (its end, a disk
that is slow to take a file) from all others. Of a thousand that answer at once, a thousand threads would stand in line
for the interpreter and touch a thousand stacks. So beyond a few, paths that are up and carry small messages are read
here, while their own threads sleep; who streams, says something on its stderr or ends has its own thread back.
"""

import selectors
import threading

from ..bootstrap.links.stdio import READ, FdPath
from .forks import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

# Links that are read by their own threads in any case. From there on standing in line costs more than the hand-over.
FEW = 16
# Reads in a row that leave room in their buffer after which a path counts as quiet again: what streams comes in larger
# ones for the most part, and a hand-over costs as much as several.
CALM = 32


class SharedReader(object):
    """Reads for paths that hand themselves over; ``links()`` says how many there are in all. Thread-safe."""

    def __init__(self, links: "Callable[[], int]") -> "None":
        self._links = links
        self._lock = threading.Lock()
        self._selector: "Any" = None
        self._served = 0
        watch(self)

    @property
    def worthwhile(self) -> "bool":
        """Are there so many links that sharing a thread is quicker?"""
        return self._links() > FEW

    def serve(self, path: "SharedPath", feed: "Callable[[bytes], None]") -> "bool":
        """Read this path; returns when its own thread is to go on, False at once if there is nothing to read it with.
        Raises what ``feed`` has raised."""
        served = _Served(path, feed)
        with self._lock:
            if self._selector is None and not self._begin():
                return False
            self._served += 1
            for fd in served.descriptors:
                self._selector.register(fd, selectors.EVENT_READ, served)
        served.over.acquire()
        if served.error is not None:
            raise served.error
        return True

    def _begin(self) -> "bool":
        selector = None
        try:
            selector = selectors.DefaultSelector()
            threading.Thread(target=self._read, args=(selector,), name="remotesvc-shared-reader", daemon=True).start()
        except (OSError, RuntimeError):  # no room for another descriptor or thread: that ends no link
            if selector is not None:
                selector.close()
            return False
        self._selector = selector
        return True

    def _read(self, selector: "Any") -> "None":
        while True:
            for key, _events in selector.select():
                served = key.data
                if not served.done and not served.read(key.fd) and self._hand_back(served, selector):
                    return

    def _hand_back(self, served: "_Served", selector: "Any") -> "bool":
        """Let its own thread go on; True if it was the last one, and this thread is to end."""
        with self._lock:
            served.done = True
            for fd in served.descriptors:
                selector.unregister(fd)
            self._served -= 1
            last = not self._served
            if last:
                self._selector = None
                selector.close()
        served.over.release()
        return last

    def drop_copies(self) -> "None":
        """In a fork of this process."""
        self._lock = threading.Lock()
        selector, self._selector = self._selector, None
        if selector is not None:
            selector.close()


class _Served(object):
    """A path while it is read here."""

    __slots__ = ("path", "feed", "descriptors", "over", "done", "error")

    def __init__(self, path: "SharedPath", feed: "Callable[[bytes], None]") -> "None":
        self.path = path
        self.feed = feed
        self.descriptors = path.descriptors
        self.over = threading.Lock()  # its own thread waits for it
        self.over.acquire()
        self.done = False
        self.error: "Optional[Exception]" = None

    def read(self, fd: "int") -> "bool":
        """Take what there is; False if that is for the path's own thread, or what follows is."""
        try:
            return self.path.take_quietly(fd, self.feed)
        except Exception as error:
            self.error = error
            return False


class _Besides(dict):  # type: ignore[type-arg]
    """What to call for descriptors. One that is ignored by now may still be among those at which `wait` has found
    something."""

    def __missing__(self, fd: "int") -> "Callable[[], Any]":
        return bool


class SharedPath(FdPath):
    """A byte path that has itself read by a SharedReader while it is quiet and there are many."""

    # Whose; None: it is always read by its own thread.
    reader: "Optional[SharedReader]" = None

    def __init__(self, read_fd: "int", write_fd: "int") -> "None":
        super().__init__(read_fd, write_fd)
        self._besides = _Besides(self._besides)
        self._is_up = False
        self._calm = CALM

    def settled(self) -> "None":
        """The kernel at the other end is up."""
        self._is_up = True

    @property
    def descriptors(self) -> "Any":
        """What there may be something to read at."""
        return (self._read_fd,) + tuple(self._besides)

    def ignore(self, fd: "int") -> "None":
        """Undo ``listen``."""
        self._poll.unregister(fd)
        del self._besides[fd]

    def take_quietly(self, fd: "int", feed: "Callable[[bytes], None]") -> "bool":
        """Read and feed what is at this descriptor; False if that is no small message, which is left unread, or if it
        was none."""
        return fd == self._read_fd and self.take([(fd, 1)], feed) and self._size == READ

    def _read(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        reader = self.reader
        if reader is not None:
            def rest() -> "None":
                self._calm = self._calm + 1 if self._size == READ else 0
                shared = self._is_up and self._calm >= CALM and reader.worthwhile
                if shared and (not reader.serve(self, feed) or self._size != READ):
                    self._calm = 0

            self.rest = rest
        super()._read(feed, ended)
