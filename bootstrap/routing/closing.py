"""The end of a router and of its links, in good order."""
from ..links import outbox, wire
from .router import payload_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

    from ..links.link import Link
    from .router import Router

# Why a process goes that was there for one call: no news for those whom it has written to.
ENDED = "its call has ended"


def close(router: "Router", reason: "str") -> "List[Link]":
    """See ``Router.close``."""
    if router.forked:
        return []
    with router.lock:
        links, first = list(router.links.values()), not router.closed
        router.closed = router.closed or reason
    if first:
        for link in links:
            part(link, reason)
        router.lose(None, reason)
        router.timers.close()
    return links


def part(link: "Link", reason: "str") -> "None":
    """End a link: what is queued for control goes out first, briefly, and why we go."""
    link.parting = reason  # the other end may be faster than we are from here to the end
    try:
        outbox.write_last(link, wire.Frame(wire.BYE, payload=payload_of(reason)).pack())
    finally:  # also after Ctrl-C
        link.fail(reason)
