"""The second phase of a child's start: runs once the whole kernel has arrived."""
from .calls.process import OF_CHILD
from .calls.reader_handover import ReaderHandover
from .calls.workers import Workers
from .links import assembly
from .links.gauge import Gauge
from .shutdown import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def complete(router: "Any") -> "None":
    """Import and make now the parts that must not have to be imported when they are needed, such as `leave` at the end
    of this process: an import may wait for our parent. From now on output is live, even while the first call runs."""
    OF_CHILD.append(router)
    router.more().name_process()
    assembly.begin(router)
    router.farewell = leave
    # Past the outlet from now on: each reply asks it.
    capture = router.outlet.capture()
    router.executor.drain = capture.flush_call
    link = router.links.get(None)
    if link is not None:
        link.flight.gauge = Gauge()
        with link.lock:
            link.wake_writer()  # while there may be threads: user code can use them all up
        Workers(router.dispatcher, router.timers).install()
        ReaderHandover(link.path, link, router.dispatcher, capture.never_wait).install()
