"""What a router with children does besides: forward, learn and unlearn routes, tell those who wait for what is gone."""
import collections
import time

from ..errors import Lost
from ..links import outbox, wire
from ..links.fragments import RESULT
from ..links.gauge import Gauge
from ..links.link import MAX_CONTROL, MAX_QUEUE
from ..links.pace import Pace
from ..links.streams import MAX_STREAMS
from .router import payload_of, text
from .routes import RouteTable, sideways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Set

    from ..links.link import Link
    from .router import Router

# Protocol violations of a neighbour before its link is closed.
STRIKES = 3
# Contexts that are gone and that we still know something of.
MAX_LOST = 4096
# Contexts behind one neighbour at once: more than a tree of real processes has, and 10 MB here.
MAX_BEHIND = 65536
# Bytes that may wait for a neighbour that reads, of what our parent sends: hundreds of large calls at once, each of
# which has a window of its own. To one that says nothing no more than MAX_QUEUE.
MAX_FROM_ABOVE = 4 * MAX_QUEUE
# Contexts that one neighbour has written to and will hear of the loss of; more push its own oldest out.
MAX_SPOKEN = 4096

# Seconds of this thread; a Python 3.6 does not tell.
_clock: "Callable[[], float]" = getattr(time, "thread_time", float)
_DEAF = "it does not read what it is sent"


class Hub(object):
    """The children's side of one router; ``siblings`` says whether they may talk to each other."""

    def __init__(self, router: "Router", siblings: "bool" = False) -> "None":
        self.siblings = siblings
        self.lost: "Dict[int, str]" = {}
        # Through which neighbour each context was reached, also once it is gone: what it said may be shown later.
        self.behind: "Dict[int, Optional[int]]" = {}
        self._router = router
        self.routes = router.routes = RouteTable(router.id, router.routes.ancestors)
        # Called with the ids of contexts that are gone.
        self.on_gone: "Callable[[Set[int]], Any]" = lambda gone: None
        # Whom each neighbour below us has spoken to, and whether it has been told that this one is gone.
        self._spoken: "Dict[int, Dict[int, bool]]" = {}
        self._strikes: "Dict[int, int]" = {}
        self._children: "Dict[int, Link]" = {}
        router.streams.on_full = self._on_full

    def add_child(self, link: "Link") -> "None":
        """A neighbour below us; the router's lock is held."""
        assert link.context is not None
        self.routes.add_child(link.context)
        link.flight.gauge, link.pace = Gauge(), Pace()
        self._children[link.context] = link

    # -- on the reader thread of the link

    def admits(self, link: "Link", frame: "wire.Frame") -> "bool":
        """May a frame of this source and authority come over that link? Counts it where not."""
        router = self._router
        if self.routes.may_speak(link.context, frame.src, frame.auth):
            return True
        router.dropped += 1
        # Frames of a context that was just given up are late, not forged.
        forged = [each for each in (frame.src, frame.auth) if not self.routes.was_child(link.context, each)]
        if forged:
            self.strike(link, "it spoke as context %d" % forged[0])
        elif link.pace is not None:
            link.pace(link)
        return False

    def strike(self, link: "Link", what: "str") -> "None":
        """Count a frame the neighbour had no right to send; the third closes the link."""
        link.strikes += 1
        if link.strikes >= STRIKES:
            link.fail("the peer broke the rules %d times, last: %s" % (link.strikes, what))

    def on_refused(self, frame: "wire.Frame") -> "None":
        """A message that nobody takes gave its credit back at once: it counts as one that needed none."""
        link = self._router.links.get(self.routes.towards(frame.src))
        if link is not None and link.pace is not None:
            link.pace(link)

    def blame(self, link: "Link", src: "int", reason: "str") -> "None":
        """A peer broke the protocol: its link is closed, or it alone given up where others share that link."""
        router = self._router
        if src == link.context or (link.context is None and src in router.routes.ancestors):
            link.fail(reason)
            return
        if link.context is not None:
            router.control(wire.Frame(wire.BYE, dst=src, payload=payload_of(reason)))
        self.forget(src, reason)

    def _on_full(self, key: "Any", streams: "Dict[Any, Any]") -> "bool":
        """One stream more than there may be, the lock of the books is held: the neighbour that has most of them goes.
        False if that is the one that opens this, or our parent."""
        towards = self._router.routes.towards
        counts = collections.Counter([towards(src) for src, _number in streams])
        neighbour, count = counts.most_common(1)[0]
        link = self._router.links.get(neighbour)
        if link is None or neighbour in (None, towards(key[0])):
            return False
        reason = "it has %d streams open, of %d that there may be" % (count, MAX_STREAMS)
        self._router.timers.after(0, lambda: link.fail(reason))  # which takes that lock, too
        return True

    def forbid(self, link: "Link", frame: "wire.Frame") -> "None":
        """What only an ancestor may say came from below: counted as the sender's, who may only share that link."""
        src, what = frame.src, "a frame of kind %d is not for it to send" % frame.kind
        if src == link.context:
            self.strike(link, what)
            return
        self._strikes[src] = self._strikes.get(src, 0) + 1
        if self._strikes[src] >= STRIKES:
            self.blame(link, src, "it broke the rules %d times, last: %s" % (STRIKES, what))

    def forward(self, link: "Link", frame: "wire.Frame") -> "None":
        """Pass on a frame for somebody else."""
        router, dst = self._router, frame.dst
        neighbour = router.routes.towards(dst)
        out = router.links.get(neighbour)
        if out is None or out is link:
            reason = self.lost.get(dst, "it is not known here")
            router.refuse(frame, "no route to context %d: %s" % (dst, reason))
            if frame.kind == wire.GRANT:  # who reads what it wrote comes too late to hear of its loss with the others
                self._note(link, dst, reason)
        elif sideways(link.context, neighbour) and not self.siblings:
            router.refuse(frame, "contexts %d and %d may not talk; Router(siblings=True) allows it" % (frame.src, dst))
        elif frame.kind == wire.MESSAGE:
            self._note(link, dst)
            size, queue = len(frame.payload), wire.queue_of(frame.src, frame.stream)
            if frame.stream & RESULT and queue not in out.queues:
                replies = frame.src, wire.REPLIES
                # Until all that is there has left, so no fragment overtakes another.
                queue = replies if replies in out.queues else queue
            out.send(queue, frame.reply_to or frame.handle,
                     [frame.header(size), frame.payload], size + wire.SIZE, False)
            if out.queued > MAX_QUEUE:
                if link.context is not None:
                    link.fail("it ignored the credit of context %d" % dst)
                elif out.suspect or out.queued > MAX_FROM_ABOVE:
                    out.fail(_DEAF)
        elif len(out.controls) > MAX_CONTROL // 2:
            if link.context is not None:
                link.fail("it floods context %d" % dst)
            else:  # our parent speaks for many, and what it says is what the child asked for
                out.fail(_DEAF)
        else:
            if frame.kind == wire.GRANT:  # who reads what another writes hears of the loss of that, too
                self._note(link, dst)
            out.control(frame)

    def _note(self, link: "Link", dst: "int", lost: "Optional[str]" = None) -> "None":
        """Who is behind that link will hear of it when the context is lost, or at once if it is by now: just once, for
        a second word would overtake what the lost one said. Our parent hears of every loss."""
        neighbour = link.context
        if neighbour is None or dst in self._spoken.get(neighbour, ()):
            return
        with self._router.lock:
            lost = self.lost.get(dst, lost)
            spoken = self._spoken.setdefault(neighbour, {})
            if len(spoken) >= MAX_SPOKEN:
                del spoken[next(iter(spoken))]
            spoken[dst] = lost is not None
        if lost is not None:
            _say_gone(link, wire.Frame(wire.ROUTE_DROP, src=self._router.id, handle=dst, payload=payload_of(lost)))

    def on_route(self, link: "Link", frame: "wire.Frame") -> "None":
        """A neighbour tells of a context behind it, or of one that is gone."""
        begun = _clock()
        self._on_route(link, frame)
        if link.pace is not None:
            link.pace.took(_clock() - begun)

    def _on_route(self, link: "Link", frame: "wire.Frame") -> "None":
        router, context = self._router, frame.handle
        if frame.kind == wire.ROUTE_DROP:
            if link.context is None or router.routes.towards(context) == link.context:
                honest = router.routes.towards(frame.src) == link.context
                self.forget(context, text(frame.payload), None, frame.src if honest else link.context)
            return
        with router.lock:  # another reader may be dropping routes
            known = link.context is not None and self.routes.announce(link.context, context)
        if link.context is None or not known:
            self.strike(link, "it announced context %d" % context)
        elif self.routes.behind(link.context) > MAX_BEHIND:
            link.fail("it announced more than %d contexts" % MAX_BEHIND)
        else:
            self.behind[context] = link.context
            if None in router.links:
                router.links[None].control(frame)

    # -- on any thread

    def forget(self, context: "int", reason: "str", make_error: "Optional[Callable[[str], BaseException]]" = None,
               teller: "Optional[int]" = None) -> "None":
        """A context is gone, and all behind it: everyone who waits for them is told, here and elsewhere. ``teller`` is
        the context it was a child of, by default we."""
        router = self._router
        with router.lock:
            gone = self.routes.drop(context)
            since = "gone since %s: %s" % (time.strftime("%Y-%m-%d %H:%M:%S"), reason)
            self.lost.update((each, since) for each in gone)
            while len(self.lost) > MAX_LOST:
                old = next(iter(self.lost))
                del self.lost[old]
                self.behind.pop(old, None)
            told: "Set[Optional[int]]" = {None}
            for each in gone:
                self._strikes.pop(each, None)
                self._spoken.pop(each, None)
                for other, spoken in self._spoken.items():
                    if spoken.get(each) is False:
                        spoken[each] = True
                        told.add(other)
            links = [router.links[neighbour] for neighbour in told if neighbour in router.links]
        router.lose(gone, reason, make_error or Lost)
        self.on_gone(gone)
        _release(self._children.pop(context, None))
        payload, teller = payload_of(reason), router.id if teller is None else teller
        for link in links:
            for each in gone:
                _say_gone(link, wire.Frame(wire.ROUTE_DROP, src=teller, handle=each, payload=payload))


def _release(link: "Optional[Link]") -> "None":
    """Wake who waits for room on a link that is closed: no acknowledgement will. Here and not in the link, since a
    process that has lost the one to its parent ends."""
    room = link and link.flight.gauge.room
    if link and room:
        with link.lock:
            room.notify_all()


def _say_gone(link: "Link", frame: "wire.Frame") -> "None":
    """Tell a neighbour that a context is gone, after all that it said: what comes later would be nobody's.

    What still waits of it, and this, go behind the replies of its parent, which may have waited for it: so the reply of
    a call in a process of its own does not overtake what that process printed. Here and not in the link, since only a
    hop needs it.
    """
    # There is one such frame for each context that ever was: that needs no limit.
    if not outbox.move(link, frame.handle, wire.queue_of(frame.src, wire.REPLIES), frame.pack()):
        link.control(frame)
