"""How long we wait for others: for large messages that keep others waiting, and for neighbours that say nothing."""
import time

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

# Seconds that a message may bring less than LEAST_RATE.
LATE = 20.0
# Seconds between two looks beyond which the time before does not count: nobody waited, or this process was stopped.
PAUSE = 5.0
# Seconds of silence after which a neighbour is in doubt; when it is asked, and lost, each link says.
SUSPECT_AFTER = 10.0
# Seconds that the reader gets to explain why nothing can be written; for an exit status alone it waits a second.
BROKEN_AFTER = 2.0


def late(large: "Any", now: "float") -> "List[Tuple[Any, int]]":
    """(link, context) of those that reserved room, hardly fill it, and keep another context waiting for it."""
    begins, large.looked = now - large.looked > PAUSE, now
    waiting = {key[0] for key, _incoming, _total in list(large.waiting)}
    found = []
    for (src, _stream), incoming in list(large.incoming.items()):
        if incoming.assembly is None or not incoming.reserved:
            continue
        if begins:
            incoming.touched = now
        if waiting - {src} and now - incoming.touched > LATE:
            found.append((incoming.link, src))
    return found


def look(router: "Any", now: "float") -> "None":
    """Give up who is late, for the others' sake."""
    for link, src in late(router.streams.large, now):
        router.blame(link, src, "it keeps others waiting: a large message came too slowly")


def beat(router: "Any") -> "None":
    """Called each second by the router's timer."""
    while router.forgotten:
        router.forgotten.popleft()()
    now = time.monotonic()
    for neighbour, link in list(router.links.items()):
        if link.broken is None and not link.suspect and now - link.heard < link.ping_after:
            continue  # heard of lately: four looks of five, and what hundreds of idle links cost
        link.busy = router.busy(neighbour)
        listen(link, now)
    if router.streams.large is not None and router.streams.large.waiting:
        look(router, now)


def listen(link: "Any", now: "float") -> "None":
    """Ask, doubt and give up a neighbour after silence."""
    if link.broken is not None and now - link.broken[0] > BROKEN_AFTER:
        link.fail(link.broken[1])
    silence = now - link.heard
    link.suspect = silence >= SUSPECT_AFTER
    if silence >= (link.busy_lost_after if link.busy else link.lost_after):
        link.fail("nothing was heard for %d s" % silence)
    elif silence >= link.ping_after:
        link.control(wire.Frame(wire.PING))


def start_again(router: "Any") -> "None":
    """We were stopped, not our peers: they get the whole time to answer again, and our readers theirs to explain."""
    now = time.monotonic()
    for link in list(router.links.values()):
        link.heard = now
        if link.broken is not None:
            link.broken = now, link.broken[1]
        link.control(wire.Frame(wire.PING))
