"""Channels between routers in one process: meeting, both ways, ends, strangers."""

from __future__ import annotations

import pytest

from remotesvc import Channel, Closed, Error, Lost, NotSent, Select, WaitTimeout
from remotesvc.testing.tree import MemoryTree, Node
from tests.kernel.contexts import LIMIT, until
from tests.kernel.mailboxes import at, no_mailbox_is_left
from tests.threads import in_thread

pytest_plugins = ("tests.kernel.tree_fixtures",)


def joined(tree: MemoryTree, node: Node) -> tuple[Channel, Channel]:
    near = Channel(tree.root)
    return near, Channel.join(at(node, near.invitation))


def test_a_channel_carries_messages_both_ways(tree: MemoryTree) -> None:
    node = tree.add(tree.add())
    near, far = joined(tree, node)
    for number in range(10):
        near.send(number)
        assert far.get(LIMIT).value == number
        far.send([number])
        message = near.get(LIMIT)
        assert (message.value, message.src_id) == ([number], node.id)
    far.send("rest")
    far.close()
    assert [message.value for message in near] == ["rest"]
    near.close()
    near.close()
    with pytest.raises(Closed):
        near.get()
    with pytest.raises(Closed):
        near.send(1)
    no_mailbox_is_left(tree.root, node)


def test_what_was_sent_before_the_end_arrives(tree: MemoryTree) -> None:
    near, far = joined(tree, tree.add())
    for number in range(100):
        near.send(number, LIMIT)
    near.close(LIMIT)
    assert [message.value for message in far] == list(range(100))
    with pytest.raises(NotSent):
        until(lambda: far.send("nobody reads"))
    far.close()


def test_both_sides_of_a_channel_write_a_lot_and_one_gives_up(tree: MemoryTree) -> None:
    """Nobody takes anything: both wait for credit. One closes, and the other is not left waiting."""
    near, far = joined(tree, tree.add())
    near.send("met", LIMIT)
    for each in (near, far):
        with pytest.raises(WaitTimeout):
            while True:
                each.send(bytes(50_000), timeout=0.2)
    blocked = in_thread(lambda: far.send(bytes(50_000)))
    closing = in_thread(near.close)
    assert isinstance(blocked.exception(LIMIT), NotSent)
    assert sum(len(message.value) > 3 for message in far) > 10
    closing.result(LIMIT)
    far.close()


def test_sending_waits_for_the_other_to_join(tree: MemoryTree) -> None:
    near, node = Channel(tree.root), tree.add()
    for wait in (0, 0.05):
        with pytest.raises(WaitTimeout, match="joined"):
            near.send(1, timeout=wait)
    sending = in_thread(lambda: near.send("waited"))
    reading = in_thread(lambda: near.get().value)
    far = Channel.join(at(node, near.invitation))
    assert far.get(LIMIT).value == "waited"
    far.send("answer")
    assert (sending.result(LIMIT), reading.result(LIMIT)) == (None, "answer")
    for each in (near, far):
        each.close()


def test_a_channel_that_was_closed_before_anybody_came_says_so(tree: MemoryTree) -> None:
    near = Channel(tree.root)
    near.close()
    far = Channel.join(at(tree.add(), near.invitation))
    assert list(far) == []
    with pytest.raises(NotSent):
        until(lambda: far.send("x"))
    far.close()
    no_mailbox_is_left(tree.root)
    waiting = Channel(tree.root)
    reading, sending = in_thread(waiting.get), in_thread(lambda: waiting.send(1))
    waiting.close()
    assert isinstance(reading.exception(LIMIT), Closed)
    assert isinstance(sending.exception(LIMIT), Closed)


def test_no_stranger_joins_or_talks(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    near = Channel(tree.root)
    at(other, near.invitation).send("no invitation")
    far = Channel.join(at(one, near.invitation))
    far.send("hello")
    message = near.get(LIMIT)
    assert (message.value, message.src_id) == ("hello", one.id)
    at(other, near.invitation).send("listen to me")
    far.send("again")
    assert near.get(LIMIT).value == "again"
    only = Channel(tree.root, peer=one.id)
    stranger = Channel.join(at(other, only.invitation))
    with pytest.raises(NotSent):
        until(lambda: stranger.send("x"))
    assert only.pending == 0
    for each in (near, far, only, stranger):
        each.close()


def test_who_joins_a_channel_that_is_taken_is_told_so(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    near, far = joined(tree, one)
    near.send("met", LIMIT)
    with Channel.join(at(other, near.invitation)) as far_away, pytest.raises(Closed, match="another has joined"):
        far_away.get(LIMIT)  # although nobody takes anything at the other side
    late = [Channel.join(at(node, near.invitation)) for node in (other, one, other)]
    with pytest.raises(NotSent, match="another has joined"):
        Channel.join(near.invitation)
    for number in range(3):
        far.send(number)
    assert [near.get(LIMIT).value for _ in range(3)] == [0, 1, 2]
    reading = in_thread(near.get)
    for each in late:
        with pytest.raises(Closed, match="another has joined"):
            each.get(LIMIT)
        with pytest.raises(Closed, match="another has joined"):
            list(each)
        with pytest.raises(NotSent, match="another has joined"):
            each.send("x")
        each.close()
        with pytest.raises(Closed, match="is closed"):
            each.get(LIMIT)
    far.send("still here")
    assert reading.result(LIMIT).value == "still here"
    assert far.get(LIMIT).value == "met"
    far.close()
    assert list(near) == []  # those who were turned away keep it from no end
    near.close()
    no_mailbox_is_left(tree.root, one, other)


def test_who_joins_second_is_told_so_by_a_channel_that_closes_unread(tree: MemoryTree) -> None:
    near, far = joined(tree, tree.add())
    until(lambda: near.pending == 1, what="the first is here")
    second = Channel.join(at(tree.add(), near.invitation))
    until(lambda: near.pending == 2, what="the second is here")
    near.close()
    assert list(far) == []
    with pytest.raises(Closed, match="another has joined"):
        second.get(LIMIT)
    for each in (far, second):
        each.close()


def test_who_is_not_the_peer_of_a_channel_is_told_so(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    near = Channel(tree.root, peer=one.id)
    stranger = Channel.join(at(other, near.invitation))
    for wait in (lambda: stranger.get(LIMIT), lambda: list(stranger)):
        with pytest.raises(Closed, match=f"only context {one.id} may"):
            wait()
    with pytest.raises(NotSent, match=f"only context {one.id} may"):
        Channel.join(near.invitation)
    with Channel.join(at(one, near.invitation)) as far:
        near.send("hello", LIMIT)
        assert far.get(LIMIT).value == "hello"
    near.close()
    for _ in range(2):
        with Channel.join(at(one, near.invitation)) as late, pytest.raises(Closed, match="the channel is closed"):
            late.get(LIMIT)
    stranger.close()
    no_mailbox_is_left(tree.root, one, other)


def test_the_loss_of_the_other_side(tree: MemoryTree) -> None:
    node, silent = tree.add(), tree.add()
    near, far = joined(tree, node)
    never = Channel(tree.root, peer=silent.id)
    far.send("before")
    sending = in_thread(lambda: never.send(1))
    until(lambda: near.pending == 2, what="its invitation and its message are here")
    for each in (node, silent):
        assert each.path is not None
        each.path.cut_after(0)
    assert near.get(LIMIT).value == "before"
    for channel in (near, never):
        with pytest.raises(Lost):
            channel.get(LIMIT)
        with pytest.raises(Closed):
            channel.get(LIMIT)
        with pytest.raises(Error):
            channel.send("nobody")
    assert isinstance(sending.exception(LIMIT), Closed)
    for channel in (near, never):
        channel.close()


def test_channels_in_a_select(tree: MemoryTree) -> None:
    pairs = [joined(tree, tree.add()) for _ in range(3)]
    select = Select()
    for number, (near, _) in enumerate(pairs):
        select.add(near, key=number)
    for number, (_, far) in enumerate(pairs):
        with far:
            far.send(number * 10)
    assert sorted((event.key, event.value) for event in select) == [(0, 0), (1, 10), (2, 20)]
    for near, _ in pairs:
        near.close()
