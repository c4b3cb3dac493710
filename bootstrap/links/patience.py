"""How long we wait for others: for large messages that keep others waiting, and for neighbours that say nothing."""
import threading
import time

from . import outbox, wire
from .credit import DIRECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Set, Tuple

# Seconds that a message may bring less than LEAST_RATE.
LATE = 20.0
# Seconds between two looks beyond which the time before does not count: nobody waited, or this process was stopped.
PAUSE = 5.0
# Seconds of silence after which a neighbour is in doubt; when it is asked, and lost, each link says.
SUSPECT_AFTER = 10.0
# Seconds that the reader gets to explain why nothing can be written; for an exit status alone it waits a second.
BROKEN_AFTER = 2.0
# Neighbours asked at once that are worth a thread which asks them in turn.
FEW = 4


def late(large: "Any", now: "float") -> "List[Tuple[Any, int]]":
    """(link, context) of those that reserved room, hardly fill it, and keep another context waiting for it."""
    begins, large.looked = now - large.looked > PAUSE, now
    found = []
    with large.lock:
        for (src, _stream), incoming in large.holding.items():
            if begins:
                incoming.touched = now
            elif now - incoming.touched > LATE:
                found.append((incoming.link, src))
        if not found:  # as nearly always
            return found
        waiting: "Set[int]" = set()
        behind: "Dict[Any, Set[int]]" = {}  # the same by link
        for link, queue in large.waiting.items():
            total = next(iter(queue.values())).assembly.total
            if not large.unread_too_much(link, total):  # that is for their reader here to end
                behind[link] = {src for src, _stream in queue}
                if not large.has_most(link, total):
                    waiting |= behind[link]
    return [(link, src) for link, src in found if (waiting | behind.get(link, waiting)) - {src}]


def look(router: "Any", now: "float") -> "None":
    """Give up who is late, for the others' sake."""
    for link, src in late(router.streams.large, now):
        router.blame(link, src, "it keeps others waiting: a large message came too slowly")


def settle(router: "Any") -> "None":
    """Do what finalisers left to others, for they take no locks. Here none may be held either; waits for nothing."""
    while router.forgotten:
        try:
            work = router.forgotten.popleft()
        except IndexError:  # another thread was first
            return
        try:
            work()
        except Exception as error:
            router.report(error)


def beat(router: "Any") -> "None":
    """Called each second by the router's timer."""
    settle(router)
    now, silent = time.monotonic(), []
    for link in list(router.links.values()):
        if link.pace is not None:
            link.heard = link.pace.trickle.heard(link.heard, link.received, link.decoder.pending, now)
        if link.broken is None and not link.suspect and now - link.heard < link.ping_after:
            continue  # heard of lately: four looks of five, and what hundreds of idle links cost
        if listen(link, now, router.busy):
            silent.append(link)
    ask(silent)
    if router.streams.large is not None and router.streams.large.waiting:
        look(router, now)


def listen(link: "Any", now: "float", busy: "Callable[[Any], bool]" = lambda neighbour: False) -> "bool":
    """Doubt and give up a neighbour after silence; returns whether it is to be asked. ``busy(neighbour)`` tells whether
    user code of ours runs there."""
    if link.broken is not None and now - link.broken[0] > BROKEN_AFTER:
        link.fail(link.broken[1])
    silence = now - link.heard
    link.suspect = silence >= SUSPECT_AFTER
    if silence >= link.lost_after and silence >= (link.busy_lost_after if busy(link.context) else link.lost_after):
        link.fail("nothing was heard for %d s" % silence)
    return not link.closed and silence >= link.ping_after


def start_again(router: "Any") -> "None":
    """We were stopped, not our peers: they get the whole time to answer again, and our readers theirs to explain."""
    now = time.monotonic()
    links = list(router.links.values())
    for link in links:
        link.heard = now
        if link.broken is not None:
            link.broken = now, link.broken[1]
    ask(links)


def ask(links: "List[Any]") -> "None":
    """Ask neighbours for a sign of life; never blocks.

    Many are asked by one thread, in turn: waking the writer of each costs several times what that writes. One may keep
    the thread, by a key exchange say: those behind it are silent still at the next look, which passes over who is
    being written to.
    """
    if len(links) > FEW:
        try:
            threading.Thread(target=_ask_in_turn, args=(links,), name="remotesvc-pings", daemon=True).start()
            return
        except RuntimeError:  # no more threads
            pass
    for link in links:
        link.control(wire.Frame(wire.PING))


def _ask_in_turn(links: "List[Any]") -> "None":
    for link in links:
        ping = wire.Frame(wire.PING)
        if not outbox.write(link, [ping.pack()], DIRECT, False):
            link.control(ping)
