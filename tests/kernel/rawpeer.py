"""A neighbour that says whatever a test wants: the other end of a router's link, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from remotesvc.bootstrap.calls.pending import Pending
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.testing.memory import CAPACITY, MemoryPath, pair
from remotesvc.testing.tree import MemoryTree, Node

LIMIT = 20.0


class RawPeer:
    """A child (or, ``above``, the parent) of a node, without a router: it sends frames and keeps those it gets."""

    def __init__(self, node: Node, number: int | None = None, capacity: int = CAPACITY, reads: bool = True) -> None:
        self.node = node
        self.id = number if number is not None else node.ids.take()
        self.far, self.path = pair(capacity, ("far", "raw"))
        self.link = MemoryTree.adopt(node, self.id, self.far)
        self._begin(reads)

    @classmethod
    def above(cls, node: Node, capacity: int = CAPACITY) -> RawPeer:
        """The parent of a node that has none yet."""
        peer = cls.__new__(cls)
        peer.node, peer.id = node, node.routes.ancestors[0]
        peer.far, peer.path = pair(capacity, ("far", "raw"))
        peer.link = node.attach(peer.far, None)
        peer._begin(True)
        return peer

    def _begin(self, reads: bool) -> None:
        self.got: list[Frame] = []
        self.ended = ""
        self._changed = threading.Condition()
        self._decoder = wire.Decoder()
        self._tokens = 0
        self.far.start(self.link.feed, self.link.fail)
        if reads:
            self.read()

    node: Node
    id: int
    far: MemoryPath
    path: MemoryPath
    link: Link

    def read(self) -> None:
        """Begin to take what the router sends."""
        self.path.start(self._feed, self._ended)

    def _feed(self, data: bytes) -> None:
        with self._changed:
            self.got += self._decoder.feed_untrusted(data)
            self._changed.notify_all()

    def _ended(self, reason: str) -> None:
        with self._changed:
            self.ended = reason
            self._changed.notify_all()

    # -- saying

    def send(self, *frames: Frame) -> None:
        """Write frames as they are."""
        self.path.write([frame.pack() for frame in frames])

    def say(self, kind: int, **fields: Any) -> None:
        """Send one frame, in our own name to the node unless it says otherwise."""
        self.send(Frame(kind, **{"dst": self.node.id, "src": self.id, "auth": self.id, **fields}))

    def message(self, handle: int, value: Any, **fields: Any) -> None:
        """Send a small message."""
        encoded = codec.encode(value)
        flags = fields.pop("flags", 0) | (wire.TAGGED if encoded.tagged else 0)
        self.say(wire.MESSAGE, flags=flags, stream=fields.pop("stream", wire.REPLIES), handle=handle,
                 payload=encoded.data, **fields)

    def lease(self) -> int:
        """The first of a block of ids for contexts behind us, for which we ask once."""
        handle = wire.RANDOM | 1 << 60
        self.message(wire.LEASE_IDS, None, stream=wire.CALLS, reply_to=handle)
        first: int = codec.decode(self.kind(wire.MESSAGE, handle=handle).payload)[0]
        return first

    # -- hearing

    def wait(self, found: Callable[[Frame], bool]) -> Frame:
        """The first frame that fits, waiting for it."""

        def hit() -> Frame | None:
            return next((frame for frame in self.got if found(frame)), None)

        with self._changed:
            assert self._changed.wait_for(hit, LIMIT), (self.got[-5:], self.ended)
            frame = hit()
            assert frame is not None
            return frame

    def kind(self, kind: int, **fields: Any) -> Frame:
        """The first frame of a kind, with these fields, waiting for it."""
        return self.wait(
            lambda frame: frame.kind == kind and all(getattr(frame, name) == value for name, value in fields.items())
        )

    def of_kind(self, kind: int) -> list[Frame]:
        """Those that have come."""
        return [frame for frame in list(self.got) if frame.kind == kind]

    def sync(self) -> None:
        """Everything sent so far was dealt with, and the control frames it led to are here."""
        self._tokens += 1
        token = 1 << 60 | self._tokens
        self.send(Frame(wire.PING, handle=token))
        self.kind(wire.PONG, handle=token)

    def wait_end(self) -> str:
        """Wait until the node closed the link and forgot who is behind it; returns the node's reason."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, LIMIT), "the link is still open"
        self.far.join(LIMIT)  # the path ends first: only then its reader tells the node
        return self.link.closed

    def close(self) -> None:
        """End the link."""
        self.path.close()
        self.path.join(LIMIT)
        self.link.join(LIMIT)
        self.far.join(LIMIT)


def ended(pending: Pending) -> Any:
    """What somebody who waits was told."""
    assert pending.wait(LIMIT), "nobody told the one who waits"
    return pending.outcome
