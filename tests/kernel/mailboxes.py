"""What tests of messages between routers in one process share: senders led to another, and what is left behind."""

from __future__ import annotations

from remotesvc import Sender, WaitTimeout
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.testing.tree import Node
from tests.kernel.contexts import until


def at(node: Node, sender: Sender) -> Sender:
    """A sender as it arrives at a node."""
    encoded = node.codec.encode(sender)
    arrived = node.codec.decode(encoded.data, (), encoded.tagged, node.bindings)
    assert isinstance(arrived, Sender)
    return arrived


def fill(sender: Sender, size: int = 32 * 1024) -> int:
    """Send until the receiver is a window behind; returns how many were sent."""
    count = 0
    try:
        while True:
            sender.send(bytes(size), timeout=0.2)
            count += 1
    except WaitTimeout:
        return count


def no_mailbox_is_left(*nodes: Node) -> None:
    for node in nodes:  # a loop over a receiver ends when its last line has, and the reader drops that right after
        until(lambda node=node: node.unanswered() == [], what=f"no mailbox is left at {node.id}")  # type: ignore[misc]


def granted(sender: Sender) -> None:
    """Wait until a sender knows that the receiver has taken everything, but for what may be granted later."""
    assert sender._way is not None
    credit = sender._way._credit().credit
    until(lambda: credit.outstanding < WINDOW // 8, what="what was taken is granted")
