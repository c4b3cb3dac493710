"""Receivers and senders between routers in one process: order, credit, who may write."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from remotesvc import DecodeError, Error, Lost, NotSent, Receiver, Select, Sender, UsageError, WaitTimeout
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.credit import WINDOW
from remotesvc.messages import book
from remotesvc.testing.tree import MemoryTree
from tests.kernel import called, called_waiting
from tests.kernel.contexts import LIMIT, until
from tests.kernel.mailboxes import at, fill, granted, no_mailbox_is_left
from tests.threads import in_thread

pytest_plugins = ("tests.kernel.tree_fixtures",)
MIB = 1 << 20


# -- what arrives


def test_messages_of_all_depths_say_who_sent_them(tree: MemoryTree) -> None:
    near = tree.add()
    far = tree.add(near)
    receiver = Receiver(tree.root)
    for node in (near, far, tree.root):
        with at(node, receiver.sender()) as sender:
            sender.send({"from": node.id})
    messages = list(receiver)
    assert sorted(message.src_id for message in messages) == [0, near.id, far.id]
    assert all(message.value == {"from": message.src_id} and message.error is None for message in messages)
    assert {message.src.id for message in messages} == {0, near.id, far.id}
    no_mailbox_is_left(tree.root, near, far)


def test_down_up_and_to_a_third(open_tree: MemoryTree) -> None:
    one, other = open_tree.add(), open_tree.add()
    for reader, writer in ((one, open_tree.root), (open_tree.root, other), (one, other), (open_tree.add(one), other)):
        with Receiver(reader) as receiver:
            handed_on = at(writer, at(open_tree.root, receiver.sender()))
            with handed_on:
                for number in range(100):
                    handed_on.send(number)
            assert [message.value for message in receiver] == list(range(100))
            assert handed_on.context_id == handed_on.context.id == reader.id
    no_mailbox_is_left(*open_tree.nodes)


def test_large_messages_and_small_ones_keep_their_order(tree: MemoryTree) -> None:
    far = tree.add(tree.add())
    receiver = Receiver(tree.root)
    sizes = [1, 5 * MIB, 0, 200_000, 3 * MIB, 7]

    def send() -> None:
        with at(far, receiver.sender()) as sender:
            for size in sizes:
                sender.send(bytes(size))

    sending = in_thread(send)
    assert [len(message.value) for message in receiver] == sizes
    sending.result(LIMIT)


def test_what_cannot_travel_is_refused_at_the_sender(tree: MemoryTree) -> None:
    receiver = Receiver(tree.root)
    sender = at(tree.add(), receiver.sender())
    for wrong in ([threading.Lock()], bytes(wire.MAX_MESSAGE + 1)):
        with pytest.raises(TypeError):
            sender.send(wrong)
    sender.send("fine")
    assert receiver.get(LIMIT).value == "fine"


def test_no_value_is_an_item_that_names_its_host(tree: MemoryTree) -> None:
    node = tree.add()
    receiver = Receiver(tree.root)
    sender = receiver.sender()
    node.post(0, sender.handle, node.codec.encode(b"x" * 20), flags=wire.STREAM | wire.BLOBS, stream=99)
    at(node, sender).send("rest")
    with pytest.raises(DecodeError, match=f"context {node.id}"):
        receiver.get(LIMIT)
    assert receiver.get(LIMIT).value == "rest"


@pytest.mark.parametrize("handle", [0, wire.CALL, wire.LEASE_IDS, wire.RANDOM - 1])
def test_a_sender_leads_to_receivers_only(tree: MemoryTree, handle: int) -> None:
    """Who has us send to a handle of its choice must not reach the calls of another."""
    class Forged:
        def __remotesvc_wire__(self) -> tuple[str, int, int, None]:
            return ("sender", 1, handle, None)

    for node in (tree.root, tree.add()):
        encoded = node.codec.encode(Forged())
        with pytest.raises(DecodeError):
            node.codec.decode(encoded.data, (), encoded.tagged, node.bindings)
        with pytest.raises(UsageError):
            Sender(node, 1, handle)


# -- credit


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_a_slow_reader_bounds_the_writer(tree: MemoryTree, hops: int) -> None:
    node = tree.root
    for _ in range(hops):
        node = tree.add(node)
    receiver = Receiver(tree.root)
    sender = at(node, receiver.sender())
    count = fill(sender)
    assert 20 < count * 32 * 1024 <= WINDOW
    until(lambda: receiver.pending == count, what="all of it has arrived")
    assert sum(link.queued for each in tree.nodes for link in each.links.values()) == 0
    for _ in range(count):
        assert len(receiver.get(0).value) == 32 * 1024
    granted(sender)
    sent = fill(sender)
    assert count * 3 // 4 <= sent <= count  # an eighth of the window may be taken and not granted yet
    with pytest.raises(WaitTimeout, match="context" if hops else "this process"):
        sender.send(bytes(32 * 1024), timeout=0.05)
    taken = in_thread(lambda: [len(message.value) for message in receiver])
    sender.send("last", LIMIT)
    sender.close(LIMIT)
    assert len(taken.result(LIMIT)) == sent + 1


def test_one_slow_reader_holds_up_no_other(tree: MemoryTree) -> None:
    node = tree.add(tree.add())
    slow, quick = Receiver(tree.root), Receiver(tree.root)
    fill(at(node, slow.sender()))
    with at(node, quick.sender()) as sender:
        for number in range(200):
            sender.send([number, bytes(20_000)])
            assert quick.get(LIMIT).value[0] == number
    assert tree.root.context(node).call("operator:add", 1, 2) == 3


def test_more_senders_than_the_limit_are_refused(tree: MemoryTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MAX_WRITERS", 2)
    receiver, node = Receiver(tree.root), tree.add()
    senders = [at(node, receiver.sender()) for _ in range(3)]
    for sender in senders:
        sender.send("x")
    with pytest.raises(NotSent, match="senders write to the receiver"):
        until(lambda: senders[2].send("y"))
    senders[0].close()
    for _ in range(2):
        assert receiver.get(LIMIT).value == "x"
    again = at(node, receiver.sender())
    again.send("room")
    assert receiver.get(LIMIT).value == "room"
    monkeypatch.setattr(book, "MAX_LINES", 1)
    with pytest.raises(Error, match="its limit"):
        receiver.sender()


# -- who may


def test_siblings_that_may_not_talk(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    receiver = Receiver(one)
    sender = at(other, receiver.sender())
    with pytest.raises(NotSent, match=r"may not talk; Router\(siblings=True\) allows it"):
        until(lambda: sender.send("x"))
    large = at(other, receiver.sender())
    with pytest.raises(NotSent, match="may not talk"):
        large.send(bytes(5 * MIB))
    assert receiver.pending == 0


def test_only_the_source_of_a_receiver_may_write_to_it(tree: MemoryTree) -> None:
    one, other = tree.add(), tree.add()
    receiver = Receiver(tree.root, source=tree.root.context(one))
    sender = receiver.sender()
    stolen = at(other, sender)
    with pytest.raises(NotSent, match=f"only context {one.id} may use this sender"):
        until(lambda: stolen.send("not mine"))
    with pytest.raises(NotSent, match=f"only context {one.id} may"):
        sender.send("nor mine")
    at(one, sender).send("mine")
    assert receiver.get(LIMIT).value == "mine"
    assert one.path is not None
    one.path.cut_after(0)
    with pytest.raises(Lost):
        receiver.get(LIMIT)
    with pytest.raises(NotSent, match="no route"):
        Receiver(tree.root, source=one.id).sender()


# -- together


def test_a_select_over_receivers_and_calls_loses_nothing_with_one_host(tree: MemoryTree, tmp_path: Path) -> None:
    nodes = [tree.add() for _ in range(4)]
    dying = nodes[1]
    receiver = Receiver(tree.root)
    calls = [tree.root.context(node).submit(called.echo, node.id) for node in nodes if node is not dying]
    files = str(tmp_path / "begun"), str(tmp_path / "end")
    hanging = tree.root.context(dying).submit(called_waiting.wait_for_file, *files)
    select = Select([receiver, hanging, *calls])
    at(nodes[0], receiver.sender()).send("message")
    assert dying.path is not None
    dying.path.cut_after(0)
    events = [select.get(LIMIT) for _ in range(5)]
    assert sorted(event.value for event in events if event.source in calls) == [
        node.id for node in nodes if node is not dying]
    assert [event.source.context.id for event in events if isinstance(event.error, Lost)] == [dying.id]
    assert [event.value for event in events if event.source is receiver] == ["message"]
    receiver.close()
    assert list(select) == []
    (tmp_path / "end").touch()
    until(lambda: not dying.dispatcher.running, what="it has seen that, before its directory is gone")


def test_hops_hold_nothing_of_what_they_pass_on(tree: MemoryTree) -> None:
    """Ten writers far away and a reader that sleeps: the hop between has nothing queued and knows no stream."""
    near = tree.add()
    far = tree.add(near)
    receiver = Receiver(tree.root)
    total = sum(fill(at(far, receiver.sender()), 100_000) for _ in range(10))
    until(lambda: receiver.pending == total, what="all of it has arrived")
    assert [key for key in near.streams.incoming if key[1] >= wire.DYNAMIC] == []
    assert all(link.queued == 0 for link in near.links.values())
    receiver.close()
    until(lambda: far.unanswered() == [])


def test_senders_in_values_keep_their_meaning(tree: MemoryTree) -> None:
    receiver = Receiver(tree.root)
    node = tree.add()
    sender = receiver.sender()
    back: Any = tree.root.context(node).call(called.echo, {"a": [sender]})
    assert back == {"a": [sender]}
    back["a"][0].send("by way of a value")
    assert receiver.get(LIMIT).value == "by way of a value"
