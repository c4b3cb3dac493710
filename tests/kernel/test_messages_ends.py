"""How receivers and senders end: closed, forgotten, or lost with the context they were in."""

from __future__ import annotations

import gc

import pytest

from remotesvc import Closed, Lost, NotSent, Receiver
from remotesvc.messages import receiver as receiver_module
from remotesvc.testing.tree import MemoryTree
from tests.kernel.contexts import LIMIT, until
from tests.kernel.mailboxes import at, fill, no_mailbox_is_left
from tests.threads import in_thread

pytest_plugins = ("tests.kernel.tree_fixtures",)
MIB = 1 << 20


def test_a_closed_receiver_ends_its_senders_also_those_that_wait(tree: MemoryTree) -> None:
    receiver, node = Receiver(tree.root), tree.add(tree.add())
    waits, idle = at(node, receiver.sender()), at(node, receiver.sender())
    idle.send("x")
    fill(waits)
    for size in (40_000, 5 * MIB):
        blocked = in_thread(lambda sender=waits, size=size: sender.send(bytes(size)))  # type: ignore[misc]
        receiver.close()
        error = blocked.exception(LIMIT)
        assert isinstance(error, NotSent)
        assert "closed" in str(error)
        receiver = Receiver(tree.root)
        waits = at(node, receiver.sender())
        fill(waits)
    with pytest.raises(NotSent, match="closed"):
        until(lambda: idle.send("y"))
    idle.close()
    receiver.close()
    with pytest.raises(Closed):
        receiver.get()
    with pytest.raises(Closed):
        receiver.sender()
    with pytest.raises(NotSent, match="closed"):
        until(lambda: waits.send("late"))
    until(lambda: node.unanswered() == [])
    no_mailbox_is_left(tree.root)


def test_who_writes_to_a_receiver_that_is_gone_hears_of_it(tree: MemoryTree) -> None:
    node = tree.add()
    receiver = Receiver(tree.root)
    sender = at(node, receiver.sender())
    receiver.close()
    with pytest.raises(NotSent):
        until(lambda: sender.send("nobody reads"))
    local = Receiver(tree.root)
    here = local.sender()
    local.close()
    with pytest.raises(NotSent, match="closed"):
        here.send(1)


def test_close_wakes_every_thread(tree: MemoryTree) -> None:
    receiver = Receiver(tree.root)
    receiver.sender()
    waiting = [in_thread(receiver.get) for _ in range(4)] + [in_thread(lambda: receiver.get(timeout=LIMIT * 2))]
    looping = in_thread(lambda: list(receiver))
    receiver.close()
    assert all(isinstance(each.exception(LIMIT), Closed) for each in waiting)
    assert looping.result(LIMIT) == []


def test_a_closed_router_ends_the_waiting(tree: MemoryTree) -> None:
    receiver = Receiver(tree.root)
    receiver.sender()
    waiting, looping = in_thread(receiver.get), Receiver(tree.root)
    looping.sender()
    loop = in_thread(lambda: [message.error for message in looping])
    tree.root.close("the end of the test")
    assert "the end of the test" in str(waiting.exception(LIMIT))
    (error,) = loop.result(LIMIT)
    assert isinstance(error, Lost)


def test_a_shared_sender_ends_with_the_last_that_used_it(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    receiver = Receiver(tree.root)
    sender = receiver.sender()
    copies = [at(one, sender), at(other, sender)]
    for copy in copies:
        copy.send("begin")
    assert [receiver.get(LIMIT).value for _ in copies] == ["begin"] * 2
    copies[0].close()
    copies[1].send("still here")
    assert receiver.get(LIMIT).value == "still here"
    copies[1].close()
    assert list(receiver) == []
    assert copies[0] == copies[1]
    with pytest.raises(Closed):
        copies[1].send(1)
    with pytest.raises(Closed, match="every sender"):
        receiver.get()


def test_a_forgotten_copy_leaves_and_a_forgotten_receiver_ends(tree: MemoryTree) -> None:
    node = tree.add()
    receiver = Receiver(tree.root)
    sender = receiver.sender()
    copy, other = at(node, sender), at(node, sender)
    copy.send("a")
    other.send("b")
    assert len(node.unanswered()) == 2
    del copy
    gc.collect()
    until(lambda: len(node.unanswered()) == 1)
    other.send("c")
    assert [receiver.get(LIMIT).value for _ in range(3)] == ["a", "b", "c"]
    del receiver
    gc.collect()
    until(lambda: tree.root.unanswered() == [])
    with pytest.raises(NotSent):
        until(lambda: other.send("d"))
    no_mailbox_is_left(node)


# -- loss


def test_a_lost_writer_is_an_item_and_the_rest_comes(tree: MemoryTree) -> None:
    near, steady = tree.add(), tree.add()
    far = tree.add(near)
    receiver = Receiver(tree.root)
    lost_with_it = [at(far, receiver.sender()), at(near, receiver.sender())]  # one that is forgotten leaves by itself
    lost_with_it[0].send("of far")
    lost_with_it[1].send("of near")
    stays = at(steady, receiver.sender())
    assert {receiver.get(LIMIT).value for _ in range(2)} == {"of far", "of near"}
    assert near.path is not None
    near.path.cut_after(0)
    lost = [next(receiver) for _ in range(2)]
    assert {message.src_id for message in lost} == {near.id, far.id}
    for message in lost:
        assert isinstance(message.error, Lost)
        assert message.error.host == f"context {near.id}"  # of the others we know behind whom they are
        with pytest.raises(Lost):
            _ = message.value
    stays.send("rest")
    stays.close()
    assert [message.value for message in receiver] == ["rest"]


def test_get_raises_the_loss_and_then_gives_the_rest(tree: MemoryTree) -> None:
    node, steady = tree.add(), tree.add()
    receiver = Receiver(tree.root)
    writes = at(node, receiver.sender())  # kept: one that is forgotten leaves by itself, and its loss is no news
    writes.send("before")
    receiver.sender()
    assert receiver.get(LIMIT).value == "before"
    assert node.path is not None
    node.path.cut_after(0)
    with pytest.raises(Lost, match=f"context {node.id}"):
        receiver.get(LIMIT)
    at(steady, receiver.sender()).send("after")
    assert receiver.get(LIMIT).value == "after"


def test_a_sender_is_made_for_no_context_that_is_lost_meanwhile(
    tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told before the receiver had it in its book, and whoever read waited for ever."""
    node, other = tree.add(), tree.add()
    receiver = Receiver(tree.root)

    def lost_meanwhile(router: object, context: int) -> None:
        assert node.path is not None
        node.path.cut_after(0)
        until(lambda: tree.root.hub is not None and node.id in tree.root.hub.lost)
        until(lambda: not [each for each in dict(tree.root.mailboxes).values() if each.source == node.id])

    with monkeypatch.context() as patch, pytest.raises(NotSent, match=f"context {node.id} is gone"):
        patch.setattr(receiver_module, "attend", lost_meanwhile)
        receiver.sender(node.id)
    at(other, receiver.sender()).send("of another")
    assert receiver.get(LIMIT).value == "of another"
    assert receiver.pending == 0


def test_a_lost_receiver_ends_its_senders(open_tree: MemoryTree) -> None:
    one, other = open_tree.add(), open_tree.add()
    receiver = Receiver(one)
    senders = [at(other, receiver.sender()), at(open_tree.root, receiver.sender())]
    for sender in senders:
        sender.send(1)
    fill(senders[0])
    blocked = in_thread(lambda: senders[0].send(bytes(100_000)))
    assert one.path is not None
    one.path.cut_after(0)
    assert isinstance(blocked.exception(LIMIT), Lost)
    with pytest.raises(Lost, match=f"context {one.id}"):
        until(lambda: senders[1].send(2))


def test_a_sibling_that_only_reads_hears_of_the_loss_of_the_one_it_reads(open_tree: MemoryTree) -> None:
    reader, writer = open_tree.add(open_tree.add()), open_tree.add(open_tree.add())
    receiver, expects = Receiver(reader), Receiver(reader, source=writer.id)
    writes = at(writer, receiver.sender())  # kept: one that is forgotten leaves by itself, and its loss is no news
    writes.send("once")
    expects.sender()
    assert receiver.get(LIMIT).value == "once"
    reader.ping(open_tree.root)
    assert writer.path is not None
    writer.path.cut_after(0)
    for each in (receiver, expects):
        with pytest.raises(Lost, match=f"context {writer.id}"):
            each.get(LIMIT)
        with pytest.raises(Closed):
            each.get(LIMIT)
