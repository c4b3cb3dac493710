"""The router: mailboxes and links of one context. ``routes`` decides, ``streams`` keeps the books, ``hub`` knows
children.

``_on_frame`` runs on a link's reader thread: it never blocks and never writes. ``post`` runs on the thread of whoever
has something to say, and waits there for credit.
"""
import collections
import os
import struct
import threading

from ..errors import Busy, ForkedError, Lost, NotSent, RouterClosed, WireError
from ..links import wire
from ..links.link import Link
from ..links.streams import Streams
from ..links.timers import Timers
from .leaf_routes import LeafRoutes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, List, Optional

    from ..links.streams import Owed

NOBODY = "nobody listens at handle %d "


class Message(wire.Frame):
    """A frame that a mailbox receives; of several frames the last, with what all of them carried.

    ``commands``: the sender is one of our ancestors. ``release()`` it once its content is used: that grants more.
    """

    __slots__ = ("router", "commands", "given_up", "owed")

    router: "Router"
    commands: "bool"
    given_up: "bool"
    owed: "Optional[Owed]"

    def decode(self, bindings: "Any" = None) -> "Any":
        """The value it carries. Raises DecodeError."""
        router, flags, data = self.router, self.flags, self.payload  # type: Router, int, Any
        if not flags & (wire.BLOBS | wire.TAGGED):
            return router.codec.decode(data, (), False)
        blobs: "Any" = ()
        if flags & wire.BLOBS:
            from ..links.fragments import parts_untrusted
            data, blobs = parts_untrusted(flags, data)
        return router.codec.decode(data, blobs, flags & wire.TAGGED > 0, bindings or router.bindings)

    def release(self) -> "None":
        """Give the sender its credit back; the first time counts."""
        owed, self.owed = self.owed, None
        if owed is not None:
            self.router.streams.consumed(self.src, owed)


class Router(object):
    """One context's place in the tree. ``codec`` has ``encode`` and ``decode``."""

    def __init__(self, own: "int", ancestors: "List[int]", codec: "Any", bindings: "Any") -> "None":
        self.id = own
        self.routes = LeafRoutes(own, ancestors)
        self.codec = codec
        self.bindings = bindings
        self.links: "Dict[Optional[int], Link]" = {}
        self.mailboxes: "Dict[int, Any]" = {}
        self.timers = Timers(self._late, self.report)
        self.streams = Streams(self._grant)
        self.arrived = self.streams.arrived
        self.hub: "Any" = None
        self.closed = ""
        self.dropped = 0
        # More calls wait to run here than run: what is sent had better go together than at once.
        self.crowded = False
        self.lock = threading.Lock()
        self._pid = os.getpid()
        self._beating = False
        # What is to be closed because nobody has a reference any more: a finaliser must not take a lock.
        self.forgotten: "Deque[Callable[[], Any]]" = collections.deque()
        self._handles: "List[int]" = []

    def attach(self, path: "Any", context: "Optional[int]") -> "Link":
        """Take a neighbour into the tree: a child's id, or None for our parent. Reading starts when the caller says."""
        link = Link(path, context, self._on_frame, self._on_lost, Message)
        with self.lock:
            self.alive()
            if not self._beating:
                self.timers.after(1.0, self._beat)  # may fail: then there is no link that nobody has
                self._beating = True
            self.links[context] = link
            if context is not None:
                self.hub.add_child(link)
        return link

    def report(self, error: "BaseException") -> "None":
        """An error of ours that nobody waits for; a subclass says where it goes."""

    @property
    def forked(self) -> "bool":
        """Is this a copy in a fork? The links belong to the other process, and locks may be held by threads of it."""
        return os.getpid() != self._pid

    def alive(self) -> "None":
        """Raise RouterClosed or ForkedError if this router can do nothing any more."""
        if self.forked:
            raise ForkedError("this router belongs to process %d; make a new one after fork" % self._pid)
        if self.closed:
            raise RouterClosed(self.closed)

    def busy(self, neighbour: "Optional[int]") -> "bool":
        """Is user code of ours running behind this neighbour? Then it gets more time to answer."""
        return False

    def _beat(self) -> "None":
        self.timers.after(1.0, self._beat)
        from ..links.patience import beat
        beat(self)

    def _late(self) -> "None":
        from ..links.patience import start_again
        start_again(self)

    # -- mailboxes

    def open(self, mailbox: "Any") -> "int":
        """Give a mailbox a handle; see ``mailbox.Mailbox``."""
        if os.getpid() != self._pid:
            self.alive()
        while True:
            # Random, so that nobody can guess where a neighbour waits; in bulk, each draw is a system call.
            try:
                handle = self._handles.pop() | wire.RANDOM
            except IndexError:
                self._handles.extend(struct.unpack("256Q", os.urandom(2048)))
                continue
            if self.mailboxes.setdefault(handle, mailbox) is mailbox:
                break
        if self.closed:  # a look at it before would not be enough: whoever closes tells only those who are there
            self.drop(handle)
            self.alive()
        return handle

    def drop(self, handle: "int") -> "Any":
        """Forget a mailbox; what still arrives for it is dropped. Returns it, if there was one."""
        return self.mailboxes.pop(handle, None)

    def close_mailbox(self, handle: "int", error: "BaseException") -> "None":
        """Nobody will write to a mailbox any more."""
        mailbox = self.mailboxes.pop(handle, None)
        if mailbox is not None:
            mailbox.on_closed(error)

    # -- sending

    def post(self, dst: "int", handle: "int", encoded: "Any", reply_to: "int" = 0, flags: "int" = 0,
             stream: "int" = wire.CALLS, direct: "bool" = False, deadline: "Optional[float]" = None,
             given_up: "Optional[Callable[[], bool]]" = None) -> "None":
        """Send one message, waiting for credit.

        Raises NotSent (certainly nothing arrived), CallTimeout at the ``deadline``, EncodeError if it is too large.
        """
        if encoded.tagged:
            flags |= wire.TAGGED
        data = encoded.data
        total = len(data)
        if total > wire.FRAGMENT or flags & wire.END or encoded.blobs:
            from ..links.large import post_large
            post_large(self, dst, handle, encoded, reply_to, flags, stream, deadline, given_up)
            return
        # Nearly all: one frame on a stream that goes on.
        link, size = self.link_to(dst), total + wire.SIZE
        self.streams.out(dst, stream).acquire(size, deadline, given_up)
        own = self.id
        header = wire.HEADER.pack(wire.MAGIC, wire.MESSAGE, flags, stream, dst, own, own, handle, reply_to, total)
        if not link.send(wire.queue_of(own, stream), reply_to or handle, [header + data], size,
                         direct and not self.crowded):
            raise NotSent("the link is closed: %s" % link.closed)

    def link_to(self, dst: "int") -> "Link":
        """The link that leads to a context. Raises NotSent."""
        if self.closed or os.getpid() != self._pid:
            self.alive()
        link, hub = self.links.get(dst) or self.links.get(self.routes.towards(dst)), self.hub
        if link is None or link.closed or (hub is not None and dst in hub.lost):
            lost = hub is not None and hub.lost.get(dst)
            raise NotSent("no route to context %d: %s" % (dst, lost or "it is not known here"))
        return link

    def control(self, frame: "wire.Frame") -> "None":
        """Send a control frame in our name; dropped where there is no route."""
        frame.src = frame.auth = self.id
        link = self.links.get(self.routes.towards(frame.dst))
        if link is not None:
            link.control(frame)

    def _grant(self, src: "int", stream: "int", size: "int") -> "None":
        self.control(wire.Frame(wire.GRANT, stream=stream, dst=src, handle=size))

    def refuse(self, frame: "wire.Frame", reason: "str") -> "None":
        """Nobody takes it."""
        if self.hub is not None:
            self.hub.on_refused(frame)
        if frame.kind == wire.MESSAGE:
            self.say_dead(frame.src, frame.reply_to, reason)

    def say_dead(self, dst: "int", handle: "int", reason: "str", flags: "int" = 0) -> "None":
        """Tell who asked that nobody will answer."""
        if handle:
            self.control(wire.Frame(wire.DEAD, flags, dst=dst, handle=handle, payload=payload_of(reason)))

    # -- receiving: on the reader thread of the link

    def _on_frame(self, link: "Link", frame: "Message") -> "None":
        hub = self.hub
        if frame.dst == wire.NEIGHBOUR:
            self._on_neighbour(link, frame)
        elif hub is not None and not (frame.src == frame.auth == link.context or hub.admits(link, frame)):
            pass  # it speaks as somebody it is not
        elif frame.dst == self.id:
            if frame.kind == wire.MESSAGE:
                self.take(link, frame, self.arrived)
            else:
                self._on_control(link, frame)
        elif hub is not None:
            hub.forward(link, frame)
        else:
            self.refuse(frame, "no route to context %d" % frame.dst)

    def _on_control(self, link: "Link", frame: "Message") -> "None":
        kind = frame.kind
        if kind == wire.GRANT:
            try:
                self.streams.granted(frame.src, frame.stream, frame.handle)
            except WireError as error:
                self.blame(link, frame.src, str(error))
        elif kind == wire.PING:
            self.control(wire.Frame(wire.PONG, dst=frame.src, handle=frame.handle))
        elif kind == wire.PONG:
            # For whoever waits for just one answer: a PONG moves under no credit, so no queue may take it.
            if getattr(self.mailboxes.get(frame.handle), "single", False):
                frame.flags, frame.payload, frame.owed = 0, b"", None
                self._to_mailbox(frame, False)
        elif kind == wire.DEAD:
            # Whoever lies on the way to the one we asked may say that nobody will answer.
            mailbox = self.mailboxes.get(frame.handle) if frame.handle >= wire.RANDOM else None
            if mailbox is not None and self.routes.towards(mailbox.source) == link.context:
                self.close_mailbox(frame.handle, (Busy if frame.flags else NotSent)(text(frame.payload)))
        elif not self.routes.commands(link.context, frame.auth):
            self.dropped += 1
            if link.context is not None:  # our parent only relays what somebody else must not say
                self.hub.forbid(link, frame)
        elif kind == wire.CANCEL:
            self.on_cancel(frame.handle)
        elif kind == wire.BYE:
            self.on_orphaned(text(frame.payload))

    def blame(self, link: "Link", src: "int", reason: "str") -> "None":
        """A context broke the protocol: it goes alone."""
        if self.hub is not None:
            self.hub.blame(link, src, reason)
        elif src in self.routes.ancestors:
            link.fail(reason)
        else:
            self.lose({src}, reason)

    def on_cancel(self, call: "int") -> "None":
        """An ancestor gives up a call that runs here."""

    def on_orphaned(self, reason: "str") -> "None":
        """Our parent is gone, or an ancestor sends us away; a child's router ends the process."""

    def _on_neighbour(self, link: "Link", frame: "wire.Frame") -> "None":
        if frame.kind == wire.BYE:
            link.fail(text(frame.payload) or "the peer closed the link")
        elif frame.kind in (wire.HELLO, wire.KERNEL) and link.on_hello is not None:
            hello, link.on_hello = link.on_hello, None
            hello(frame)
        elif frame.kind in (wire.ROUTE_ADD, wire.ROUTE_DROP):
            if self.hub is not None:
                self.hub.on_route(link, frame)
            else:
                self.lose({frame.handle}, text(frame.payload))
        elif frame.kind != wire.PONG and self.hub is not None:
            self.hub.strike(link, "a frame of kind %d is not expected" % frame.kind)

    def take(self, link: "Link", frame: "Message", arrived: "Callable[[Link, wire.Frame], bool]") -> "None":
        """A MESSAGE for us, which ``arrived`` books."""
        try:
            whole = arrived(link, frame)
        except WireError as error:
            self.blame(link, frame.src, str(error))
            return
        if whole:
            self._to_mailbox(frame, link.context is None and self.routes.commands(None, frame.auth))

    def _to_mailbox(self, message: "Message", commands: "bool") -> "None":
        message.router, message.commands, message.given_up = self, commands, False
        mailbox = self.mailboxes.get(message.handle)
        if mailbox is not None and mailbox.source in (None, message.src):
            mailbox.on_message(message)
            return
        message.release()
        self.dropped += 1
        self.refuse(message, NOBODY % message.handle + "of context %d" % self.id
                    if mailbox is None else "only context %d may use this sender" % mailbox.source)

    # -- loss and end

    def lose(self, gone: "Any", reason: "str", make_error: "Callable[[str], BaseException]" = Lost) -> "None":
        """These contexts, or all, are gone: who waits for them here is told."""
        self.streams.forget(gone, reason)
        for handle, mailbox in dict(self.mailboxes).items():  # a copy, made in one step: others open some meanwhile
            if gone is None or mailbox.source in gone:
                try:
                    self.close_mailbox(handle, make_error(reason))
                except Exception as error:  # others wait, too
                    self.report(error)

    def _on_lost(self, link: "Link", reason: "str") -> "None":
        with self.lock:
            if self.links.get(link.context) is link:
                del self.links[link.context]
        if link.context is None:
            self.on_orphaned(reason)
        elif self.hub is not None:
            self.hub.forget(link.context, reason, link.make_error)

    def close(self, reason: "str" = "the router is closed") -> "List[Link]":
        """Say goodbye to the neighbours, release every waiter and end the timers. Idempotent. Returns the links that
        there were."""
        from .closing import close
        return close(self, reason)


def text(payload: "bytes") -> "str":
    """What a control frame says, for people."""
    return bytes(payload[:512]).decode("utf-8", "replace")


def payload_of(reason: "str") -> "bytes":
    """What carries it."""
    return reason.encode("utf-8", "replace")[:512]
