"""Who writes to a receiver: pure book-keeping of its lines and their writers; the receiver does what it says.

A line stands for one Sender that was handed out, of which several contexts may have copies. It ends when one of those
who write to it closes it, or is lost, and nobody else writes to it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Set, Tuple

    # A sender: its context, and the handle at which it hears that nobody reads any more.
    Writer = Tuple[int, int]

# Senders that may write to one receiver at once: each may have a window of messages waiting there.
MAX_WRITERS = 1024
# Lines of one receiver that have not ended.
MAX_LINES = 4096


class Book(object):
    """The lines of one receiver, by their handles. Not thread-safe: the receiver's lock covers it."""

    def __init__(self) -> "None":
        self.lines: "Dict[int, Set[Writer]]" = {}
        self._contexts: "Dict[int, int]" = {}
        self._writing = 0
        self._any = False

    @property
    def over(self) -> "bool":
        """Have lines been handed out, and have all of them ended?"""
        return self._any and not self.lines

    def open(self, line: "int") -> "bool":
        """A line is handed out; False if there are too many."""
        if len(self.lines) >= MAX_LINES:
            return False
        self.lines[line] = set()
        self._any = True
        return True

    def wrote(self, line: "int", writer: "Writer") -> "Optional[bool]":
        """A message: True if it is the first of its context, None if it is one writer too many."""
        writers = self.lines[line]
        if writer in writers:
            return False
        if self._writing >= MAX_WRITERS:
            return None
        writers.add(writer)
        self._writing += 1
        count = self._contexts[writer[0]] = self._contexts.get(writer[0], 0) + 1
        return count == 1

    def left(self, line: "int", writer: "Writer", closes: "bool") -> "bool":
        """A writer stops; True if the line has ended by that."""
        writers = self.lines[line]
        if writer in writers:
            writers.remove(writer)
            self._writing -= 1
            self._contexts[writer[0]] -= 1
            if not self._contexts[writer[0]]:
                del self._contexts[writer[0]]
        if writers or not closes:
            return False
        del self.lines[line]
        return True

    def writes(self, context: "int") -> "bool":
        """Has it written to a line that has not ended?"""
        return context in self._contexts

    def lost(self, context: "int", closes: "bool" = True) -> "List[int]":
        """A context is gone: the lines that have ended by that. None has if it only leaves them."""
        ended = []
        for line, writers in list(self.lines.items()):
            for writer in [each for each in writers if each[0] == context]:
                if self.left(line, writer, closes):
                    ended.append(line)
        return ended

    def close(self, line: "int") -> "List[Writer]":
        """A line ends, whoever writes to it: returns those."""
        writers = list(self.lines.get(line, ()))
        for writer in writers:
            self.left(line, writer, False)
        self.lines.pop(line, None)
        return writers
