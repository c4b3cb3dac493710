"""What waits at a link to be written, taken back or put elsewhere, and written on this thread while nobody else writes.

What every call needs of that `link` does itself. Nobody else sets ``writing`` or changes the queues.
"""
import collections
import time

from .credit import DIRECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque, List

    from .link import Link


def withdraw(link: "Link", key: "Any", tag: "int") -> "int":
    """Take back the frame of a stream that has this tag; returns its bytes, 0 where it has left."""
    with link.lock:
        queue: "Any" = link.queues.get(key, ())
        for entry in queue:
            if entry[0] == tag:
                queue.remove(entry)
                link.queued -= entry[2]
                return entry[2]  # type: ignore[no-any-return]
    return 0


def move(link: "Link", src: "int", key: "Any", last: "bytes") -> "bool":
    """Put all that waits of a context, and a ``last`` frame, behind another stream's; False where nothing waits."""
    moved: "Deque[Any]" = collections.deque()
    with link.lock:
        for each in [each for each in link.queues if each[0] == src]:
            moved.extend(link.queues.pop(each))
        if not moved:
            return False
        moved.append((0, [last], len(last)))
        link.queues.setdefault(key, collections.deque()).extend(moved)
        link.queued += len(last)
    return True


def flush(link: "Link") -> "None":
    """Write what was held back: on this thread if it is little, so that no other has to wake."""
    with link.lock:
        if link.writing or link.closed or not (link.queued or link.controls):
            return
        if link.flight.flying + link.queued > DIRECT:
            link.wake_writer()
            return
        link.writing = True
        buffers = link.batch()
    link.write_own(buffers)


def write_first(link: "Link", buffers: "List[Any]") -> "None":
    """Write what comes before all else; what is sent meanwhile waits."""
    with link.lock:
        link.writing = True
    link.write_own(buffers)


def write(link: "Link", buffers: "List[Any]", most: "int", more: "bool") -> "bool":
    """Write a frame now, on this thread; False where others write or wait, or ``most`` bytes are in flight. ``more``
    says that others will follow it."""
    with link.lock:
        if link.closed or link.writing or link.queued or link.flight.flying >= most:
            return False
        link.writing = True
        # The writer was woken for frames that go first, and will find this one gone.
        buffers, link.controls = link.controls + buffers, []
        link.flight.send(sum(map(len, buffers)), time.monotonic(), more)
    link.write_own(buffers)
    return True


def write_last(link: "Link", last: "bytes") -> "None":
    """Write what is for control, and a ``last`` frame, now, on this thread, unless that could take long; for who ends
    the link, with all that waits."""
    with link.lock:
        if link.closed or link.writing or link.flight.flying >= DIRECT:
            return
        link.writing = True
        buffers, link.controls = link.controls + [last], []
    link.write(buffers)
