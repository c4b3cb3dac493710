"""Messages between the master and real children, of every interpreter, by local links and by SSH."""

from __future__ import annotations

import copy
import os
import pickle
import signal
from collections.abc import Iterator
from typing import Any

import pytest

import remotesvc
from remotesvc import CallError, Channel, Closed, Context, Lost, Receiver, Router, Select, UsageError
from tests import interpreters
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer
from tests.interpreters import Interpreter
from tests.kernel import called, served
from tests.kernel import messages_there as there
from tests.kernel.contexts import LIMIT

pytest_plugins = ("tests.kernel.call_fixtures", "tests.integration.sshd_fixture")


@pytest.fixture(params=interpreters.found(), ids=str)
def child(router: Router, request: pytest.FixtureRequest) -> Context:
    interpreter: Interpreter = request.param
    return router.local(python=interpreter.path)


@pytest.fixture
def open_router() -> Iterator[Router]:
    with Router(siblings=True) as router:
        yield router


# -- every interpreter


def test_messages_from_a_child_and_from_its_child(router: Router, child: Context) -> None:
    receiver = Receiver(router)
    below = router.local(via=child)
    calls = [context.submit(there.send_numbers, receiver.sender(), 50) for context in (child, below)]
    messages = list(receiver)
    for context in (child, below):
        mine = [message for message in messages if message.src_id == context.id]
        assert [message.value for message in mine] == list(range(50))
        assert mine[0].src == context
    assert [call.result(LIMIT) for call in calls] == [50, 50]


def test_messages_to_a_child(router: Router, child: Context) -> None:
    home = Receiver(router, source=child)
    call = child.submit(there.collect, home.sender(), 3)
    with home.get(LIMIT).value as sender:
        assert sender.context == child
        for value in ("a", b"b" * 300_000, {"c": [1, 2]}):
            sender.send(value)
        assert call.result(LIMIT) == ["a", b"b" * 300_000, {"c": [1, 2]}]
    assert list(home) == []


def test_a_conversation(router: Router, child: Context) -> None:
    with Channel(router, peer=child) as channel:
        call = child.submit(there.talk, channel.invitation)
        for number in range(20):
            channel.send(number, LIMIT)
            assert channel.get(LIMIT).value == [number, 0]
    assert call.result(LIMIT) == 20
    with pytest.raises(Closed):
        channel.get()


def test_a_tree_of_the_childs_own(child: Context) -> None:
    assert child.call(there.gather_below, 2) == [8, 2 * (0 + 1 + 2) + 2 * 3]


def test_a_bounded_producer_and_its_end(router: Router, child: Context) -> None:
    receiver = Receiver(router)
    assert 5 < child.call(there.count_until_full, receiver.sender(), 100_000) <= 10
    blocked = child.submit(there.send_until_refused, receiver.sender())
    while receiver.get(LIMIT).value != "x" * 1000:
        pass
    receiver.close()
    assert "closed" in blocked.result(LIMIT)


def test_a_call_that_is_given_up_waits_no_longer(router: Router, child: Context) -> None:
    begun, ended = Receiver(router), Receiver(router)
    call = child.submit(there.wait_and_tell, begun.sender(), ended.sender())
    assert begun.get(LIMIT).value == "waits"
    call.cancel()
    assert ended.get(LIMIT).value == "cancelled"


# -- who talks to whom


def test_a_sender_goes_to_a_third(router: Router, context: Context) -> None:
    below = context.call("remotesvc.launch.tree:start_local", {})[0]
    receiver = Receiver(router)
    assert context.call(there.hand_on, Context(context.tree, below), receiver.sender(), 7) == 7
    messages = list(receiver)
    assert [(message.src_id, message.value) for message in messages] == [(below, number) for number in range(7)]


def test_siblings_send_messages_where_routes_allow_it(open_router: Router) -> None:
    reader, writer = open_router.local(), open_router.local()
    home = Receiver(open_router)
    call = reader.submit(there.collect, home.sender(), 5)
    sender = home.get(LIMIT).value
    assert writer.call(there.send_numbers, sender, 5) == 5
    assert call.result(LIMIT) == [0, 1, 2, 3, 4]


def test_siblings_send_no_messages_where_routes_do_not_allow_it(router: Router, context: Context) -> None:
    home = Receiver(router)
    call = context.submit(there.collect, home.sender(), 1)
    sender = home.get(LIMIT).value
    assert "may not talk; Router(siblings=True) allows it" in router.local().call(there.send_until_refused, sender)
    with sender:
        sender.send("from here it works")
        assert call.result(LIMIT) == ["from here it works"]


@pytest.mark.parametrize("allowed", [True, False])
def test_what_siblings_may_holds_at_every_depth(allowed: bool) -> None:
    """A hop is a process of its own, which knows only what it was told when it began."""
    with Router(siblings=allowed) as router:
        hop, other = router.local(), router.local()
        reader, near, far = router.local(via=hop), router.local(via=hop), router.local(via=router.local(via=other))
        home = Receiver(router)
        call = reader.submit(there.collect, home.sender(), 2)
        sender = home.get(LIMIT).value
        if allowed:
            for writer in (near, far):
                writer.call(there.send_and_leave_open, sender, writer.id)
            assert sorted(call.result(LIMIT)) == sorted([near.id, far.id])
        else:
            for writer in (near, far, other):
                assert "may not talk; Router(siblings=True) allows it" in writer.call(there.send_until_refused, sender)
            hop.call(there.send_and_leave_open, sender, "from above")
            with sender:
                sender.send("from further above")
                assert sorted(call.result(LIMIT)) == ["from above", "from further above"]


@pytest.mark.parametrize("below", [False, True], ids=["below the master", "below a hop"])
def test_the_end_of_a_sibling_ends_the_waiting_for_it(open_router: Router, below: bool) -> None:
    hop = open_router.local() if below else None
    reader, writer, blocked = (open_router.local(via=hop, name=name) for name in ("reader", "writer", "blocked"))
    home = Receiver(open_router)
    reading = reader.submit(there.collect, home.sender(), 2)
    writer.call(there.send_and_leave_open, home.get(LIMIT).value, "once")
    os.kill(writer.info["pid"], signal.SIGKILL)
    with pytest.raises(CallError, match="Lost") as caught:
        reading.result(LIMIT)
    assert caught.value.type_name.endswith("Lost")

    begun = Receiver(open_router)
    hanging = reader.submit(there.wait_for_nothing, begun.sender())
    assert begun.get(LIMIT).value == "waits"
    home = Receiver(open_router)
    unread = reader.submit(there.collect, home.sender(), 1 << 20)
    sending = blocked.submit(there.send_until_refused, home.get(LIMIT).value)
    os.kill(reader.info["pid"], signal.SIGKILL)
    assert sending.result(LIMIT).startswith(("Lost", "NotSent"))
    for call in (hanging, unread):
        assert isinstance(call.exception(LIMIT), Lost)


def test_pickled_calls_bring_senders_too(router: Router, context: Context) -> None:
    receiver = Receiver(router)
    sender = receiver.sender()
    context.call(lambda number: sender.send(number + 1), 1)
    assert receiver.get(LIMIT).value == 2


@pytest.mark.parametrize("kind", ["Router", "Fleet", "Receiver", "Channel", "Select", "Latch", "Chain", "Items"])
def test_what_has_a_state_of_its_own_here_is_neither_copied_nor_pickled(
    router: Router, context: Context, kind: str
) -> None:
    """A shallow copy of a receiver, or of a generator's items, ended the original when it was dropped."""
    with remotesvc.Fleet("local:") as fleet, Channel(router, peer=context) as channel, Receiver(router) as receiver:
        made: dict[str, Any] = {each.__class__.__name__: each for each in (
            router, fleet, receiver, channel, remotesvc.Select(), remotesvc.Latch(), context.chain(),
            context.call(called.count, 3))}
        thing = made[kind]
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=f"a {kind} belongs to the Router of this process"):
                attempt(thing)
        context.call("os:getpid")
        assert list(made["Items"]) == [0, 1, 2]
        receiver.sender().send(1)
        assert receiver.get(LIMIT).value == 1


def test_a_context_and_what_leads_to_it_is_pickled_for_our_own_calls_alone(router: Router, context: Context) -> None:
    """The pickle ended elsewhere, with an error about something else: in multiprocessing it killed the worker."""
    receiver = Receiver(router)
    for thing in (context, receiver.sender(), context.service(served.Plain)):
        with pytest.raises(TypeError, match=r"a (Context|Sender) belongs to the Router of this process"):
            pickle.dumps(thing)
    assert context.call(lambda: context.id) == context.id
    twins = copy.copy(context), copy.deepcopy([context])[0]
    assert twins == (context, context)


def test_a_copy_of_a_sender_writes_to_the_same_receiver(router: Router) -> None:
    receiver = Receiver(router)
    sender = receiver.sender()
    for number, twin in enumerate((copy.copy(sender), copy.deepcopy({"it": sender})["it"])):
        assert twin == sender
        twin.send(number)
    assert [receiver.get(LIMIT).value for _ in range(2)] == [0, 1]


def test_messages_from_a_process_of_its_own(router: Router, context: Context) -> None:
    receiver = Receiver(router)
    isolated = context.options(isolation="process")
    assert isolated.call(there.send_numbers, receiver.sender(), 3) == 3
    assert [message.value for message in receiver] == [0, 1, 2]


def test_a_receiver_without_a_router_is_only_for_calls() -> None:
    with pytest.raises(UsageError, match="give the Router"):
        Receiver()


# -- loss


@pytest.mark.parametrize("hops", [1, 2])
def test_a_killed_writer_is_named_and_the_rest_comes(router: Router, context: Context, hops: int) -> None:
    dies = router.local(name="dies") if hops == 1 else router.local(via=router.local(), name="dies")
    receiver, stays = Receiver(router), Receiver(router)
    dies.call(there.send_and_leave_open, receiver.sender(), "before")
    call = context.submit(there.send_numbers, receiver.sender(), 2)
    call.result(LIMIT)
    hanging = dies.submit(there.wait_for_nothing, stays.sender())
    assert stays.get(LIMIT).value == "waits"
    with pytest.raises(Closed):
        stays.get(LIMIT)
    os.kill(dies.info["pid"], signal.SIGKILL)
    messages = list(receiver)
    assert [message.value for message in messages if message.error is None and message.src == context] == [0, 1]
    (lost,) = [message for message in messages if message.error is not None]
    assert isinstance(lost.error, Lost)
    assert (lost.error.host, lost.src) == ("dies", dies)
    (event,) = Select([hanging], oneshot=True)
    assert isinstance(event.error, Lost)


# -- SSH


def test_messages_over_ssh_and_one_hop_further(sshd: OpenSSHServer, router: Router) -> None:
    host = connect_to(router, sshd, name="web1")
    below = router.local(via=host)
    receiver = Receiver(router)
    slow = host.submit(there.count_until_full, receiver.sender(source=host), 50_000)
    with Channel(router, peer=below) as channel:
        call = below.submit(there.talk, channel.invitation)
        for number in range(30):
            channel.send(number, LIMIT)
            assert channel.get(LIMIT).value == [number, 0]
    assert call.result(LIMIT) == 30
    count = slow.result(LIMIT)
    assert 10 < count <= 20
    assert {receiver.get(LIMIT).src.name for _ in range(count)} == {"web1"}
    numbers = Receiver(router)
    for context in (host, below):
        context.cast(there.send_numbers, numbers.sender(), 1000)
    assert sorted(message.value for message in numbers) == sorted(list(range(1000)) * 2)


def test_a_host_that_dies_in_a_gather_over_ssh(sshd: OpenSSHServer, router: Router) -> None:
    hosts = [connect_to(router, sshd, name=name) for name in ("web1", "web2", "web3")]
    receiver = Receiver(router)
    for host in hosts:
        host.call(there.send_and_leave_open, receiver.sender(), host.name)
    select = Select()
    for host in hosts:
        select.add(host.submit(there.wait_for_nothing, receiver.sender()), key=host.name)
    os.kill(hosts[1].info["pid"], signal.SIGKILL)
    event = select.get(LIMIT)
    assert (event.key, event.source.context) == ("web2", hosts[1])
    assert isinstance(event.error, Lost)
    assert len(select) == 2
    values: set[object] = set()
    lost: list[str] = []
    while not lost:
        message = next(receiver)
        if message.error is not None:
            lost.append(message.src.name)
        elif message.value != "waits":
            values.add(message.value)
    assert (values, lost) == ({"web1", "web2", "web3"}, ["web2"])
