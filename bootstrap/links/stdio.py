"""A byte path over two file descriptors: the pipes of a child, or our own stdin and stdout moved out of the way."""
import os
import threading

from .link import PathEnded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

# Bytes of one read. What is large, and then goes on, is read in larger pieces: a whole batch of the peer's writer and
# more. To set so much aside for each small message would cost three system calls.
READ, READ_ON = 64 * 1024, 256 * 1024
# The most buffers one writev takes (IOV_MAX on Linux and macOS).
IOV = 1024


class FdPath(object):
    """The byte path that a Link reads with ``start``, writes with ``write`` and ends with ``close``."""

    CLOSED = "we closed the link"
    noted: "List[int]"

    def __init__(self, read_fd: "int", write_fd: "int") -> "None":
        import select
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._lock = threading.Lock()
        self._closed = False
        self._writing = False
        self._size = READ
        # Called after each read by the thread that reads; it may return when somebody else has read meanwhile.
        self.rest: "Callable[[], Any]" = lambda: None
        self._thread: "Optional[threading.Thread]" = None
        # A pipe of our own wakes the reader: closing an fd under a blocked read wakes nobody.
        self._wake_read, self._wake_write = os.pipe()
        # Each is closed once.
        self._reading = iter([read_fd, self._wake_read, self._wake_write])
        self._writable = iter([write_fd])
        self._poll = select.poll()
        self._poll.register(read_fd, select.POLLIN)
        self._besides: "Dict[int, Any]" = {}
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
        with self._lock:  # a signal's handler may have ended `start`
            self._thread = threading.current_thread()
        try:
            while not self._closed and self.take(self.wait(), feed):
                self.rest()
        except Exception as error:  # also what `rest` met: without a reader this process would only seem to live
            reason = "cannot read: %s" % error
        if self._closed:
            reason = self.CLOSED
        ended(reason)
        self.close()
        self._close(self._reading)

    def wait(self) -> "Any":
        """Wait for something to read; returns what ``poll`` says of the descriptors that have it."""
        return self._poll.poll()

    def take(self, ready: "Any", feed: "Callable[[bytes], None]") -> "bool":
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

    def _close(self, fds: "Any") -> "None":
        for fd in fds:
            os.close(fd)

    def write(self, buffers: "List[Any]") -> "None":
        """Write every byte, however long the pipe is full. Raises PathEnded."""
        self._writing = True  # first: `close` looks at this after it has closed, so that one of us sees the other
        try:
            while buffers and not self._closed:
                buffers = self._write_some(buffers)
        finally:
            self._writing = False
            if self._closed:
                self._close(self._writable)
        if buffers:
            raise PathEnded(self.CLOSED)

    def _write_some(self, buffers: "List[Any]") -> "List[Any]":
        try:
            # In one step: between, and within, a signal's handler may raise.
            self.noted.extend(map(os.writev, (self._write_fd,), (buffers[:IOV],)))
        except BlockingIOError:
            # sudo and friends may leave our pipe non-blocking.
            import select
            poll = select.poll()
            poll.register(self._write_fd, select.POLLOUT)
            poll.poll(1000)
            return buffers
        except OSError as error:
            if error.__traceback__.tb_next:  # type: ignore[union-attr]
                raise
            raise PathEnded(*error.args) from None
        done = self.noted[-1]
        for index, each in enumerate(buffers):
            if done < len(each):
                return [memoryview(each)[done:]] + buffers[index + 1:]
            done -= len(each)
        return []

    def close(self) -> "None":
        """End both directions. The reader closes its own descriptors, a writer under way its own: to close a number
        under a thread that uses it would let the next file opened receive the rest."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake_write, b"x")
            if self._thread is None:
                self._close(self._reading)
        if not self._writing:
            self._close(self._writable)


def _widen(fd: "int") -> "None":
    """Ask for pipes of 1 MiB: a third more throughput. Where it is refused, 64 KiB do."""
    try:
        import fcntl
        fcntl.fcntl(fd, 1031, 1024 * 1024)  # F_SETPIPE_SZ
    except (ImportError, OSError):
        pass
