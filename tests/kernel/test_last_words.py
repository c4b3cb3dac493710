"""What a context said last arrives, and arrives before the word that it is gone."""

from __future__ import annotations

import threading

import pytest

from remotesvc import Router
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.link import Link
from remotesvc.bootstrap.links.wire import Frame
from remotesvc.testing.tree import MemoryTree
from tests.kernel import called_output
from tests.kernel.contexts import Heard, until
from tests.kernel.rawpeer import RawPeer

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.tree_fixtures")

ECHO = 40


class Jam:
    """A link on which only control gets through, as while a round trip's worth of bytes is unacknowledged."""

    def __init__(self, link: Link) -> None:
        self._link, self._limit = link, link.flight.limit
        link.flight.limit = 0

    def clear(self) -> None:
        with self._link._wake:
            self._link.flight.limit = self._limit
            self._link._wake.notify()


def test_output_of_a_grandchild_that_ended_is_not_overtaken_by_its_end(tree: MemoryTree) -> None:
    near = tree.add()
    far = RawPeer(near)
    jam = Jam(near.links[None])
    heard = tree.root.expect(far.id)
    far.message(heard.handle, "last words", dst=0, stream=wire.OUTPUT)
    far.sync()
    far.close()
    until(lambda: far.id in near.hub.lost, what="the hop knows that it is gone")
    near.ping(tree.root)
    jam.clear()
    assert heard.wait(20)
    assert not isinstance(heard.outcome, BaseException), heard.outcome
    assert heard.outcome.decode() == "last words"
    until(lambda: far.id in tree.root.hub.lost, what="the root hears that it is gone")


def test_last_words_stay_before_what_the_parent_says_later_at_every_hop(tree: MemoryTree) -> None:
    hops = [tree.add()]
    hops.append(tree.add(hops[0]))
    near, far = hops[1], RawPeer(hops[1])
    order: list[str] = []
    tree.root.serve(ECHO, order.append)
    jams = [Jam(hop.links[None]) for hop in hops]
    for number in range(20):
        far.message(ECHO, f"printed {number}", dst=0, stream=wire.OUTPUT)
    far.sync()
    far.close()
    until(lambda: far.id in near.hub.lost, what="the hop knows that it is gone")
    near.post(0, ECHO, near.codec.encode("the result"), stream=wire.REPLIES, direct=True)
    jams[1].clear()
    until(lambda: near.id in {key[0] for key in list(hops[0].links[None].queues)}, what="all of it is at the next hop")
    until(lambda: far.id in hops[0].hub.lost, what="that it is gone, too")
    jams[0].clear()
    until(lambda: len(order) == 21)
    assert order == [*(f"printed {number}" for number in range(20)), "the result"]


def test_who_tells_of_a_loss_in_the_name_of_another_keeps_to_its_own_queue(tree: MemoryTree) -> None:
    near = tree.add()
    honest, raw = RawPeer(near), RawPeer(near)
    number = near.ids.take()
    near.hub.routes.lease(raw.id, number, 1)
    raw.send(Frame(wire.ROUTE_ADD, handle=number))
    near.ping(tree.root)
    link = near.links[None]
    jam = Jam(link)
    raw.message(ECHO, "last words", dst=0, src=number, auth=number, stream=wire.OUTPUT)
    raw.send(Frame(wire.ROUTE_DROP, src=honest.id, handle=number, payload=b"it is over"))
    raw.sync()
    assert list(link.queues) == [(raw.id, wire.REPLIES)]
    jam.clear()
    for peer in (honest, raw):
        peer.close()


@pytest.mark.parametrize("before", [False, True], ids=["whose reader was slow to speak", "whose reader has spoken"])
def test_the_end_of_a_context_is_told_once_and_after_its_last_words(open_tree: MemoryTree, before: bool) -> None:
    """Whoever takes what a lost context said grants it more, to which there is no route: that is no new word of it."""
    root = open_tree.root
    reader, writer = RawPeer(root), RawPeer(root)
    if before:
        reader.say(wire.GRANT, dst=writer.id)
        reader.sync()
    link = root.links[reader.id]
    jam = Jam(link)
    writer.message(ECHO, "last words", dst=reader.id, stream=wire.CALLS)
    writer.sync()
    writer.close()
    until(lambda: writer.id in root.hub.lost)
    for _ in range(2):
        reader.say(wire.GRANT, dst=writer.id)
    reader.sync()
    jam.clear()
    reader.kind(wire.ROUTE_DROP, handle=writer.id)
    reader.sync()
    told = [frame.kind for frame in reader.got if frame.kind in (wire.MESSAGE, wire.ROUTE_DROP)]
    assert told == [wire.MESSAGE, wire.ROUTE_DROP]
    reader.close()


def test_what_an_isolated_process_prints_is_there_before_its_result(router: Router, heard: Heard) -> None:
    near = router.local()
    for context in (near, router.local(via=near)):
        for _ in range(5):
            heard.output.clear()
            context.options(isolation="process").call(called_output.say, "x" * 300_000 + "\n")
            assert len(heard.text()) == 300_001


def test_a_large_result_stays_behind_what_was_printed_at_every_hop(tree: MemoryTree) -> None:
    near = tree.add()
    far = tree.add(near)
    order: list[str] = []
    tree.root.serve(ECHO, lambda text: order.append(text[:12]))
    jam = Jam(near.links[None])
    for number in range(20):
        far.post(0, ECHO, far.codec.encode(f"printed {number:04}" + "x" * 8000), stream=wire.OUTPUT)
    until(lambda: near.links[None].queued > 160_000)
    large = far.codec.encode("the result, " + "x" * 150_000)
    result = threading.Thread(target=far.post, args=(0, ECHO, large), kwargs={"stream": wire.REPLIES})
    result.start()
    until(lambda: near.links[None].queued > 300_000)
    jam.clear()
    result.join(20)
    until(lambda: len(order) == 21)
    assert order == [*(f"printed {number:04}" for number in range(20)), "the result, "]
