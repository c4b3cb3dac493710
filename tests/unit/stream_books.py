"""The books of one context with its grants, and one who sends under them."""

from __future__ import annotations

from typing import Any

from remotesvc.bootstrap.links import fragments, wire
from remotesvc.bootstrap.links.assembly import Assemblies
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.bootstrap.links.streams import MESSAGE_COST, Streams
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.bootstrap.routing.router import Message

SRC, OTHER = 7, 8
MIB = 1 << 20
LIMIT = 20.0


class Neighbour:
    """What streams know of a link."""

    def __init__(self, context: int | None = SRC) -> None:
        self.context = context
        self.pace = None
        self.taken = self.freed = 0
        self.failed = ""

    @property
    def held(self) -> int:
        return self.taken - self.freed

    def fail(self, reason: str) -> None:
        self.failed = reason


class Books:
    """Streams, and the grants they send."""

    def __init__(self) -> None:
        self.grants: dict[tuple[int, int], int] = {}
        self.streams = Streams(self._grant)
        self.streams.large, self.streams.early = Assemblies(self.streams), None
        self.link = Neighbour()
        self.streams.large.own.add(self.link)  # as if it had one small message on its way: all others need room

    def _grant(self, src: int, stream: int, size: int) -> None:
        self.grants[src, stream] = self.grants.get((src, stream), 0) + size

    def take(self, frame: Frame, link: Neighbour | None = None) -> Any:
        """(flags, body, what to release) of the message that a frame completes, or None."""
        message = Message(frame.kind, frame.flags, frame.stream, frame.dst, frame.src, frame.auth, frame.handle,
                          frame.reply_to, frame.payload)
        whole = self.streams.arrived(link or self.link, message)
        return (message.flags, message.payload, message.owed) if whole else None

    @property
    def unread(self) -> int:
        """Bytes of large messages that wait for their reader."""
        return sum(self.streams.large.unread.values())

    @property
    def room(self) -> int:
        room: int = self.streams.large.budget
        return room


def fill(books: Books, left: int) -> int:
    """Have messages of other neighbours under way that leave so much room; returns how much they take."""
    taken = books.room - left
    books.streams.large.budget = left
    return taken


def give_back(books: Books, size: int) -> None:
    """Some of them are complete."""
    books.streams.large.budget += size
    books.streams.forget({OTHER + 1000}, "nobody: whoever leaves has room given to those who wait")


def cut(total: int, stream: int = 20, src: int = SRC, flags: int = wire.END) -> list[Frame]:
    """The frames of a large message, as a router sends them."""
    frames = []
    for more, _length, payload in fragments.fragments([bytes(total)], total):
        frame_flags = more | (0 if more & wire.MORE else flags)
        frames.append(Frame(wire.MESSAGE, frame_flags, stream, 0, src, src, 1, payload=b"".join(payload)))
    return frames


def cost(*frames: Frame) -> int:
    """What frames take of their stream's window."""
    return sum(len(frame.payload) + wire.SIZE + (MESSAGE_COST if frame.stream >= wire.DYNAMIC else 0)
               for frame in frames)


class Sender:
    """One large message under its credit: sends what it may, and takes grants."""

    def __init__(self, books: Books, total: int, stream: int, src: int = SRC, link: Neighbour | None = None) -> None:
        self.books = books
        self.link = link
        self.key = (src, stream)
        self.frames = cut(total, stream, src)
        self.out = 0
        self.whole: Any = None

    def pump(self) -> bool:
        """Send one frame if credit allows; False if it does not, or all is sent."""
        self.out -= self.books.grants.pop(self.key, 0)
        assert self.out >= 0
        if not self.frames or (self.out and self.out + cost(self.frames[0]) > WINDOW):
            return False
        frame = self.frames.pop(0)
        self.out += cost(frame)
        self.whole = self.books.take(frame, self.link)
        return True
