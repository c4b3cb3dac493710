"""Sends what does not fit into one frame, and the last message of a stream."""
from ..errors import EncodeError, NotSent
from . import wire
from .fragments import RESULT, body, fragments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


def post_large(router: "Any", dst: "int", handle: "int", encoded: "Any", reply_to: "int", flags: "int", stream: "int",
               deadline: "Optional[float]", given_up: "Optional[Callable[[], bool]]") -> "None":
    """See ``Router.post``: a body of several frames goes on a stream of its own, unless ``stream`` is one already."""
    extra, buffers = body(encoded.data, encoded.blobs)
    total = sum(len(buffer) for buffer in buffers)
    if total > wire.MAX_MESSAGE:
        raise EncodeError("a message of %d bytes, at most %d are possible" % (total, wire.MAX_MESSAGE))
    link, flags, queue = router.link_to(dst), flags | extra, wire.queue_of(router.id, stream)
    if total > wire.FRAGMENT and stream < wire.DYNAMIC:
        # A large reply waits for what was printed before it; otherwise large messages take turns with the rest.
        behind_output = stream == wire.REPLIES and queue in link.queues
        stream, flags = router.streams.new() | (RESULT if stream == wire.REPLIES else 0), flags | wire.END
        queue = queue if behind_output else (router.id, stream)
    outgoing, last, begun = router.streams.out(dst, stream), flags & wire.END, False

    def pointless() -> "bool":
        # Whoever lies on the way may have refused it meanwhile: then nobody will ever grant more.
        return (given_up is not None and given_up()) or (begun and reply_to > 0 and reply_to not in router.mailboxes)

    try:
        for more, length, payload in fragments(buffers, total):
            outgoing.acquire(length + wire.SIZE, deadline, pointless)
            frame_flags = flags & ~wire.END | more | (0 if more & wire.MORE else last)
            frame = wire.Frame(wire.MESSAGE, frame_flags, stream, dst, router.id, router.id, handle, reply_to)
            payload.insert(0, frame.header(length))
            begun = True
            if not link.send(queue, reply_to or handle, payload, length + wire.SIZE, False):
                raise NotSent("the link is closed: %s" % link.closed)
    except BaseException:  # Ctrl-C, too: the room that is kept for the rest of it would be lost
        if begun:
            abort = wire.Frame(wire.MESSAGE, wire.ABORT | last, stream, dst, router.id, router.id, handle)
            link.send(queue, 0, [abort.pack()], wire.SIZE, False)
        raise
    finally:
        if last:
            router.streams.ended(dst, stream)
