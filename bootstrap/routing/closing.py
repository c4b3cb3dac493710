"""The end of a router and of its links, in good order."""
from ..links import wire
from ..links.credit import DIRECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..links.link import Link
    from .router import Router


def close(router: "Router", reason: "str") -> "None":
    """See ``Router.close``."""
    if router.forked:
        return
    with router.lock:
        if router.closed:
            return
        router.closed = reason
        links = list(router.links.values())
    for link in links:
        part(link, reason)
    router.lose(None, reason)
    router.timers.close()


def part(link: "Link", reason: "str") -> "None":
    """End a link: what is queued for control goes out first, briefly, and why we go."""
    farewell = wire.Frame(wire.BYE, payload=reason.encode("utf-8", "replace")[:512]).pack()
    with link.lock:
        link.parting = reason  # the other end may be faster than we are from here to the end
        ours = not link.closed and not link.writing and link.flight.flying < DIRECT
        if ours:
            link.writing = True
            buffers, link.controls = link.controls + [farewell], []
    if ours:
        link.write(buffers)
    link.fail(reason)
