"""A byte path over two file descriptors: the pipes of a child, or our own stdin and stdout moved out of the way."""
import errno
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

# Bytes of one read. What is large, and then goes on, is read in larger pieces: a whole batch of the peer's writer and
# more. To set so much aside for each small message would cost three system calls.
READ, READ_ON = 64 * 1024, 256 * 1024
# The most buffers one writev takes (IOV_MAX on Linux and macOS).
IOV = 1024


class FdPath(object):
    """The byte path that a Link reads with ``start``, writes with ``write`` and ends with ``close``."""

    CLOSED = "we closed the link"
    _writev = staticmethod(os.writev)

    def __init__(self, read_fd: "int", write_fd: "int") -> "None":
        import select
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._lock = threading.Lock()
        self._closed = False
        self._writing = False
        self._written = False  # nothing more will be, and the descriptor is closed
        self._size = READ
        # Called after each read by the thread that reads; it may return when somebody else has read meanwhile.
        self.rest: "Callable[[], Any]" = lambda: None
        self._thread: "Optional[threading.Thread]" = None
        # A pipe of our own wakes the reader: closing an fd under a blocked read wakes nobody.
        self._wake_read, self._wake_write = os.pipe()
        self._poll = select.poll()
        self._poll.register(read_fd, select.POLLIN)
        self._besides: "Dict[int, Callable[[], Any]]" = {}
        self.listen(self._wake_read, lambda: os.read(self._wake_read, 64))
        for fd in (read_fd, write_fd):
            _widen(fd)

    def start(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        """Deliver what arrives on a thread of this path's own. Raises RuntimeError if there can be none."""
        thread = threading.Thread(target=self._read, args=(feed, ended), name="remotesvc-reader", daemon=True)
        with self._lock:  # `close` leaves the descriptors to a reader that there is, and closes them before
            if self._closed:
                raise RuntimeError(self.CLOSED)
            thread.start()
            self._thread = thread

    def _read(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        reason = "the peer closed the link"
        try:
            while self.take(self.wait(), feed):
                self.rest()
        except Exception as error:  # also what `rest` met: without a reader this process would only seem to live
            reason = "cannot read: %s" % error
        if self._closed:
            reason = self.CLOSED
        ended(reason)
        self.close()
        self._close_reading()

    def wait(self) -> "List[Tuple[int, int]]":
        """Wait for something to read; returns what ``poll`` says of the descriptors that have it."""
        return self._poll.poll()

    def take(self, ready: "List[Tuple[int, int]]", feed: "Callable[[bytes], None]") -> "bool":
        """Read and feed what ``wait`` has found; False at the end."""
        for fd, _event in ready:
            if self._closed:  # whatever still comes: nobody wants it, and it may never end
                return False
            if fd == self._read_fd:
                size = self._size
                data = os.read(fd, size)
                if not data:
                    return False
                self._size = READ if len(data) < size else READ_ON
                feed(data)
            else:
                self._besides[fd]()
        return True

    def listen(self, fd: "int", read: "Callable[[], Any]") -> "None":
        """Have the reader call ``read()`` when there is something at another descriptor."""
        self._poll.register(fd, 1)  # POLLIN
        self._besides[fd] = read

    def wake(self) -> "None":
        """Let ``wait`` return."""
        with self._lock:
            if not self._closed:
                os.write(self._wake_write, b"x")

    def _close_reading(self) -> "None":
        for fd in (self._read_fd, self._wake_read, self._wake_write):
            os.close(fd)

    def write(self, buffers: "List[Any]") -> "None":
        """Write every byte, however long the pipe is full. Raises OSError when the peer is gone or we closed."""
        self._writing = True  # first: `close` looks at this after it has closed, so that one of us sees the other
        try:
            while buffers and not self._closed:
                buffers = self._write_some(buffers)
        finally:
            self._writing = False
            if self._closed:
                self._close_writing()
        if buffers:
            raise OSError(errno.EPIPE, "the link is closed")

    def _write_some(self, buffers: "List[Any]") -> "List[Any]":
        try:
            done = self._writev(self._write_fd, buffers[:IOV])
        except BlockingIOError:
            # sudo and friends may leave our pipe non-blocking.
            import select
            poll = select.poll()
            poll.register(self._write_fd, select.POLLOUT)
            poll.poll(1000)
            return buffers
        if len(buffers) == 1 and done == len(buffers[0]):
            return []
        index = 0
        while index < len(buffers) and done >= len(buffers[index]):
            done -= len(buffers[index])
            index += 1
        buffers = buffers[index:]
        if done:
            buffers[0] = memoryview(buffers[0])[done:]
        return buffers

    def close(self) -> "None":
        """End both directions. The reader closes its own descriptors, a writer under way its own: to close a number
        under a thread that uses it would let the next file opened receive the rest."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake_write, b"x")
            if self._thread is None:
                self._close_reading()
        if not self._writing:
            self._close_writing()

    def _close_writing(self) -> "None":
        with self._lock:
            closed, self._written = self._written, True
        if not closed:
            os.close(self._write_fd)


def _widen(fd: "int") -> "None":
    """Ask for pipes of 1 MiB: a third more throughput. Where it is refused, 64 KiB do."""
    try:
        import fcntl
        fcntl.fcntl(fd, 1031, 1024 * 1024)  # F_SETPIPE_SZ
    except (ImportError, OSError):
        pass
