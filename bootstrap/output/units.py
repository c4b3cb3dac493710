"""What was written, put together again as lines: what goes upward in one piece, and when. Pure.

Lines of one call that end soon after one another go together, as a unit. What has no end yet is kept, by who wrote it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Tuple
    Key = Tuple[int, int, int]  # fd, call (0: not known), thread (0: came by the pipe)

LINE = 65536  # bytes after which a line is cut
UNIT = 32768  # whole lines go together up to this many bytes


class Units(object):
    """`emit(fd, call, data)` gets whole lines where it can, at most LINE bytes; it must not raise.

    `partial` has the lines without an end, and when each began: any clock's seconds, as they are given to `add`.
    """

    def __init__(self, emit: "Callable[[int, int, bytes], Any]") -> "None":
        self.partial: "Dict[Key, Tuple[bytearray, float]]" = {}
        self._emit = emit
        self._unit, self._unit_key = bytearray(), (0, 0)

    def add(self, key: "Key", data: "bytes", now: "float") -> "None":
        """Add to the line of `key`; what is whole of it is ready to go."""
        for start in range(0, len(data), LINE):
            line, since = self.partial.pop(key, (bytearray(), now))
            piece = data[start:start + LINE]
            line += piece
            while b"\n" in piece or len(line) >= LINE:
                end = line.rfind(b"\n", 0, UNIT) + 1 or line.find(b"\n", UNIT, LINE) + 1
                if not end and len(line) < LINE:
                    break
                self._ready(key, line[:end or LINE])
                del line[:end or LINE]
                since = now
            if line:
                self.partial[key] = (line, since)

    def cut(self, key: "Key") -> "None":
        """The line of `key` goes without its end."""
        if key in self.partial:
            self._ready(key, self.partial.pop(key)[0])

    def cut_older(self, moment: "float") -> "None":
        """Lines that began at `moment` or before go without their ends."""
        for key, (_, since) in list(self.partial.items()):
            if since <= moment:
                self.cut(key)

    def cut_all(self) -> "None":
        """No line will go on."""
        for key in list(self.partial):
            self.cut(key)

    def cut_of(self, call: "int", thread: "int") -> "None":
        """Lines of a call (only of one thread, if that is not 0), and of the pipes, go without their ends."""
        for key in list(self.partial):
            if not key[2] or key[1] == call and thread in (0, key[2]):
                self.cut(key)

    def release(self) -> "None":
        """Emit what is ready."""
        unit, self._unit = self._unit, bytearray()
        if unit:
            self._emit(self._unit_key[0], self._unit_key[1], bytes(unit))

    def _ready(self, key: "Key", data: "bytearray") -> "None":
        if key[2]:  # printed: what came by the pipe before it goes before it, even without its end
            self.cut((key[0], 0, 0))
        if key[:2] != self._unit_key or len(self._unit) + len(data) > UNIT:
            self.release()
            self._unit_key = key[:2]
        self._unit += data
