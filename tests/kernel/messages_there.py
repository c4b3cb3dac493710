"""What the tests of messages call on targets, of any Python from 3.6 on."""

import os

import remotesvc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


kept: "list[remotesvc.Sender]" = []
hooked: "list[remotesvc.Receiver]" = []


def send_numbers(sender: "remotesvc.Sender", count: int) -> int:
    with sender:
        for number in range(count):
            sender.send(number)
    return count


def send_and_leave_open(sender: "remotesvc.Sender", value: "Any") -> int:
    kept.append(sender)
    sender.send(value)
    return sender.context_id


def send_and_die(sender: "remotesvc.Sender", told: "remotesvc.Sender") -> None:
    with remotesvc.Receiver() as heard:
        told.send(heard.sender())
        sender.send("last word")
        heard.get(timeout=30)  # it has arrived
    os._exit(7)


def send_and_count(sender: "remotesvc.Sender", count: int) -> "Iterator[int]":
    for number in range(count):
        sender.send(number)
        yield number


def receive_with_a_bad_hook() -> "remotesvc.Sender":
    def fail(_receiver: "Any") -> None:
        raise RuntimeError("the user's")

    hooked.append(remotesvc.Receiver())
    hooked[-1].notify = fail
    return hooked[-1].sender()


def received_there() -> "Any":
    return hooked[-1].get(timeout=30).value


def hand_on(context: "remotesvc.Context", sender: "remotesvc.Sender", count: int) -> int:
    """Has another context write: the sender goes to a third."""
    value: int = context.call(send_numbers, sender, count)
    return value


def send_until_refused(sender: "remotesvc.Sender") -> str:
    try:
        while True:
            sender.send("x" * 1000)
    except remotesvc.Error as error:
        return "%s: %s" % (type(error).__name__, error)  # noqa: UP031


def count_until_full(sender: "remotesvc.Sender", size: int) -> int:
    count = 0
    try:
        while True:
            sender.send(bytes(size), timeout=1.0)
            count += 1
    except remotesvc.WaitTimeout:
        return count


def talk(invitation: "remotesvc.Sender") -> int:
    turns = 0
    with remotesvc.Channel.join(invitation) as channel:
        for message in channel:
            channel.send([message.value, message.src_id])
            turns += 1
    return turns


def join_and_leave_open(invitation: "remotesvc.Sender") -> None:
    hooked.append(remotesvc.Channel.join(invitation))


def collect(home: "remotesvc.Sender", count: int) -> "list[Any]":
    """A receiver of its own, whose sender it sends home; returns what it got."""
    receiver = remotesvc.Receiver()
    with home:
        home.send(receiver.sender())
    got = [receiver.get(timeout=30).value for _ in range(count)]
    receiver.close()
    return got


def gather_below(count: int) -> "list[int]":
    """A tree of its own: children of a child, a Select over their calls and messages."""
    tree = remotesvc.current().router.tree()
    children = [tree.local() for _ in range(count)]
    receiver = remotesvc.Receiver()
    calls = [child.submit(send_numbers, receiver.sender(), 3) for child in children]
    with remotesvc.Select([receiver, *calls]) as select:
        values = [event.value for event in select]
    total = sum(value.value if hasattr(value, "src_id") else value for value in values)
    for child in children:
        child.close()
    return [len(values), total]


def wait_for_nothing(begun: "remotesvc.Sender") -> "Any":
    """Waits until its caller gives up."""
    receiver = remotesvc.Receiver()
    receiver.sender()
    with begun:
        begun.send("waits")
    try:
        return receiver.get()
    except remotesvc.Cancelled:
        return "cancelled"


def wait_and_tell(begun: "remotesvc.Sender", ended: "remotesvc.Sender") -> None:
    with ended:
        ended.send(wait_for_nothing(begun))
