"""What stands in for `sys.stdout` and `sys.stderr` in a child: unbuffered streams in front of the capture.

They stay usable whatever a call does with them (closes, detaches or wraps them), because the next call prints
too. No TextIOWrapper is among them: its buffer could mix what threads of different calls write.
"""
import io
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence


class Binary(io.BufferedIOBase):
    """`sys.stdout.buffer`; close() only flushes."""

    mode = "wb"

    def __init__(self, capture: "Any", fd: "int") -> "None":
        self._capture, self._fd, self.put = capture, fd, capture.write
        self.name = "<stdout>" if fd == 1 else "<stderr>"

    def write(self, data: "Any") -> "int":
        data = memoryview(data).tobytes()
        self._capture.write(self._fd, data)
        return len(data)

    def flush(self) -> "None":
        self._capture.flush(self._fd)

    def fileno(self) -> "int":
        return self._fd

    def writable(self) -> "bool":
        return True

    close = flush


class Text(io.TextIOBase):
    """`sys.stdout` and `sys.stderr`: UTF-8 whatever is asked for, and no text that cannot be written."""

    encoding, errors, mode, line_buffering = "utf-8", "surrogateescape", "w", True

    def __init__(self, buffer: "Binary") -> "None":
        self.buffer = buffer
        self._write, self._fd = buffer.put, buffer.fileno()
        self.name = buffer.name
        self.flush = self.close = buffer.flush  # type: ignore[method-assign]
        self.fileno, self.writable = buffer.fileno, buffer.writable  # type: ignore[method-assign]

    def write(self, text: "str") -> "int":
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        try:
            data = text.encode("utf-8", "surrogateescape")  # a file name becomes the bytes it was
        except UnicodeEncodeError:
            data = text.encode("utf-8", "backslashreplace")
        self._write(self._fd, data)
        return len(text)

    def detach(self) -> "Any":
        return self.buffer

    def reconfigure(self, **options: "Any") -> "None":
        """Accepted and ignored."""


def flush_others(ours: "Sequence[Any]") -> "None":
    """Flush what a user put in the place of our streams, perhaps around them."""
    for stream, own in zip((sys.stdout, sys.stderr), ours):
        if stream is not own:
            try:
                stream.flush()
            except Exception:
                pass  # or put there broken
